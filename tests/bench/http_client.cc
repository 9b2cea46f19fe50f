// SPDX-License-Identifier: Apache-2.0
#include "http_client.h"

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>

using xsd::UniqueFd;

namespace bench {
namespace {

constexpr auto kCallTimeout = std::chrono::milliseconds(3000);
constexpr std::size_t kLongestHead = 4096;
constexpr std::size_t kReceive = 256 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

class HttpRunner {
 public:
  explicit HttpRunner(const HttpLoad& load)
      : load_(load),
        request_("GET " + std::string(load.path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        length_field_("\r\ncontent-length: " + std::to_string(load.body.size()) + "\r\n"),
        slots_(load.connections),
        received_(kReceive),
        poller_(epoll_create1(EPOLL_CLOEXEC)) {}

  Tally run() {
    for (std::uint32_t i = 0; i < slots_.size(); ++i)
      open(i);
    while (active_ > 0) {
      std::array<epoll_event, 64> events{};
      const int count = epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(kCallTimeout.count()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0 || Clock::now() > load_.deadline) {
        tally_.timed_out += active_;
        break;
      }
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
        advance(slots_[events[i].data.u32]);
    }
    return tally_;
  }

 private:
  struct Slot {
    UniqueFd fd;
    std::string head;  // without the empty line once that has come
    bool in_body = false;
    std::size_t body = 0;  // so many bytes of it have come
  };

  void open(std::uint32_t index) {
    Slot& slot = slots_[index];
    const int fd = connect_from_next_source(load_.port, kCallTimeout);
    if (fd < 0) return tally_.add_error(-fd);
    slot.fd = UniqueFd(fd);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = index;
    if (epoll_ctl(poller_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return tally_.add_error(errno);
    ++active_;
    ask(slot);
  }

  void close(Slot& slot) {
    slot.fd.reset();
    --active_;
  }

  // The next request, if there is one left.
  void ask(Slot& slot) {
    if (started_ == load_.requests) return close(slot);
    ++started_;
    slot.head.clear();
    slot.in_body = false;
    slot.body = 0;
    // Blocking, and nothing else is in the socket's buffer, so a short send is an error.
    const ssize_t sent = send(slot.fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(request_.size())) return;
    tally_.add_error(sent < 0 ? errno : EAGAIN);
    close(slot);
  }

  void advance(Slot& slot) {
    const ssize_t got = recv(slot.fd.get(), received_.data(), received_.size(), MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      tally_.add_error(errno);
      return close(slot);
    }
    if (got == 0 || !take(slot, {received_.data(), static_cast<std::size_t>(got)})) {
      ++tally_.cut_short;
      return close(slot);
    }
    if (slot.in_body && slot.body == load_.body.size()) {
      ++tally_.ok;
      ask(slot);
    }
  }

  // False: this is not the answer.
  bool take(Slot& slot, std::string_view bytes) {
    if (!slot.in_body) {
      const std::size_t before = slot.head.size();
      slot.head.append(bytes.substr(0, kLongestHead - before));
      const std::size_t end = slot.head.find(kHeadEnd);
      if (end == std::string::npos) return slot.head.size() < kLongestHead;
      bytes.remove_prefix(end + kHeadEnd.size() - before);
      slot.head.resize(end + 2);
      if (!is_head(slot.head)) return false;
      slot.in_body = true;
    }
    if (load_.body.substr(slot.body, bytes.size()) != bytes) return false;
    slot.body += bytes.size();
    return true;
  }

  bool is_head(std::string_view head) const {
    return head.starts_with("HTTP/1.1 200 ") && lower(head).find(length_field_) != std::string::npos;
  }

  const HttpLoad& load_;
  const std::string request_;
  const std::string length_field_;
  std::vector<Slot> slots_;
  std::vector<char> received_;
  UniqueFd poller_;
  Tally tally_;
  std::uint64_t started_ = 0;
  std::uint64_t active_ = 0;
};

}  // namespace

Tally run_http(const HttpLoad& load) {
  return HttpRunner(load).run();
}

}  // namespace bench
