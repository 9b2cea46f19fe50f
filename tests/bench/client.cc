// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

using xsd::UniqueFd;

namespace bench {
namespace {

constexpr std::size_t kMessage = 64;
constexpr std::size_t kStreamMessage = 16 * 1024;
constexpr unsigned kUdpWindow = 16;
constexpr unsigned kStreams = 4;
constexpr auto kCallTimeout = std::chrono::milliseconds(3000);
constexpr std::uint32_t kSources = 2000;

// 127.1.0.1 and up; a process of its own starts elsewhere in the row.
in_addr_t next_source() {
  static std::uint32_t serial = static_cast<std::uint32_t>(getpid()) * 97U;
  serial = (serial + 1) % kSources;
  return htonl((127U << 24) | (1U << 16) | ((serial / 250) << 8) | (serial % 250 + 1));
}

sockaddr_in address_of(in_addr_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = host;
  address.sin_port = htons(port);
  return address;
}

int connect_from_source(int type, std::uint16_t port, std::chrono::milliseconds timeout) {
  UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  const timeval limit{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  // The port is chosen at connect, when the whole four-tuple is known.
  const int on = 1;
  (void)setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const sockaddr_in from = address_of(next_source(), 0);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return -errno;
  const sockaddr_in to = address_of(htonl(INADDR_LOOPBACK), port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return -errno;
  return fd.release();
}

void fill(std::span<char> message, std::uint64_t serial) {
  for (std::size_t i = 0; i < message.size(); ++i)
    message[i] = static_cast<char>('a' + (serial + i) % 26);
}

bool is_daytime(std::string_view text) {
  // RFC 867 leaves the form open; a line with a year's worth of characters is enough.
  return text.size() >= 15 && text.size() <= 80 && text.ends_with("\r\n");
}

// The connections under way; each has a slot, whose number is what epoll tells.
class ShortRunner {
 public:
  explicit ShortRunner(const ShortLoad& load)
      : load_(load), slots_(load.parallel), poller_(epoll_create1(EPOLL_CLOEXEC)) {}

  Tally run() {
    if (load_.stop_fd >= 0) watch(load_.stop_fd, kStopSlot);
    for (std::uint32_t i = 0; i < slots_.size(); ++i)
      refill(i);
    while (active_ > 0) {
      std::array<epoll_event, 64> events{};
      const int count = epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(kCallTimeout.count()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0 || Clock::now() > load_.deadline) {
        tally_.timed_out += active_;
        break;
      }
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        if (events[i].data.u32 == kStopSlot) {
          stopping_ = true;
          (void)epoll_ctl(poller_.get(), EPOLL_CTL_DEL, load_.stop_fd, nullptr);
        } else {
          advance(events[i].data.u32);
        }
      }
    }
    return tally_;
  }

 private:
  static constexpr std::uint32_t kStopSlot = 0xffffffff;

  struct Slot {
    UniqueFd fd;
    std::array<char, 128> received{};
    std::size_t size = 0;
    std::uint64_t serial = 0;
  };

  void watch(int fd, std::uint32_t slot) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = slot;
    (void)epoll_ctl(poller_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  // Starts connections in the slot until one is under way or there is nothing left to start. A server that
  // refuses all of them ends the run early: the tally says enough then.
  void refill(std::uint32_t index) {
    Slot& slot = slots_[index];
    while (!stopping_ && started_ < load_.connections && tally_.bad() < kTooMany) {
      slot.serial = started_++;
      slot.size = 0;
      const int fd = connect_from_source(SOCK_STREAM, load_.port, kCallTimeout);
      if (fd < 0) {
        tally_.add_error(-fd);
        continue;
      }
      slot.fd = UniqueFd(fd);
      if (load_.kind == Kind::Echo) {
        std::array<char, kMessage> message{};
        fill(message, slot.serial);
        if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message.size())) {
          tally_.add_error(errno);
          slot.fd.reset();
          continue;
        }
      }
      ++active_;
      watch(fd, index);
      return;
    }
  }

  void finish(std::uint32_t index) {
    slots_[index].fd.reset();
    --active_;
    refill(index);
  }

  void advance(std::uint32_t index) {
    Slot& slot = slots_[index];
    const ssize_t got =
        recv(slot.fd.get(), slot.received.data() + slot.size, slot.received.size() - slot.size, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      tally_.add_error(errno);
      finish(index);
      return;
    }
    if (got == 0) {
      if (is_complete(slot)) {
        ++tally_.ok;
      } else {
        ++tally_.cut_short;
      }
      finish(index);
      return;
    }
    slot.size += static_cast<std::size_t>(got);
    if (load_.kind == Kind::Echo && slot.size == kMessage) (void)shutdown(slot.fd.get(), SHUT_WR);
    if (slot.size == slot.received.size()) {  // more than any of them says
      ++tally_.cut_short;
      finish(index);
    }
  }

  bool is_complete(const Slot& slot) const {
    const std::string_view text(slot.received.data(), slot.size);
    switch (load_.kind) {
      case Kind::Echo: {
        std::array<char, kMessage> message{};
        fill(message, slot.serial);
        return text == std::string_view(message.data(), message.size());
      }
      case Kind::Daytime:
        return is_daytime(text);
      case Kind::Tiny:
        return text == ".";
    }
    return false;
  }

  static constexpr std::uint64_t kTooMany = 100'000;

  const ShortLoad& load_;
  std::vector<Slot> slots_;
  UniqueFd poller_;
  Tally tally_;
  std::uint64_t started_ = 0;
  std::uint64_t active_ = 0;
  bool stopping_ = false;
};

// Receives exactly `message.size()` bytes; 0 or an errno value, EPROTO for an early end.
int receive_all(int fd, std::span<char> message) {
  std::size_t have = 0;
  while (have < message.size()) {
    const ssize_t got = recv(fd, message.data() + have, message.size() - have, 0);
    if (got == 0) return EPROTO;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    have += static_cast<std::size_t>(got);
  }
  return 0;
}

}  // namespace

void Tally::add_error(int error) {
  if (error == ECONNREFUSED) {
    ++refused;
  } else if (error == ECONNRESET || error == EPIPE) {
    ++reset;
  } else if (error == EAGAIN || error == EINPROGRESS || error == ETIMEDOUT) {
    ++timed_out;
  } else {
    ++other;
  }
}

Tally& Tally::operator+=(const Tally& more) {
  ok += more.ok;
  refused += more.refused;
  reset += more.reset;
  cut_short += more.cut_short;
  timed_out += more.timed_out;
  other += more.other;
  return *this;
}

std::string describe(const Tally& tally) {
  return std::to_string(tally.ok) + " ok, " + std::to_string(tally.refused) + " refused, " +
         std::to_string(tally.reset) + " reset, " + std::to_string(tally.cut_short) + " short, " +
         std::to_string(tally.timed_out) + " timed out, " + std::to_string(tally.other) + " other";
}

Tally run_short(const ShortLoad& load) {
  return ShortRunner(load).run();
}

Tally run_udp(std::uint16_t port, std::uint64_t datagrams, Deadline deadline) {
  Tally tally;
  std::array<UniqueFd, kUdpWindow> sockets;
  for (UniqueFd& fd : sockets) {
    const int connected = connect_from_source(SOCK_DGRAM, port, kCallTimeout);
    if (connected < 0) {
      tally.add_error(-connected);
      return tally;
    }
    fd = UniqueFd(connected);
  }
  for (std::uint64_t serial = 0; serial < datagrams && tally.bad() == 0; serial += kUdpWindow) {
    if (Clock::now() > deadline) {
      ++tally.timed_out;
      break;
    }
    std::array<char, kMessage> message{};
    fill(message, serial);
    for (const UniqueFd& fd : sockets) {
      if (send(fd.get(), message.data(), message.size(), 0) < 0) tally.add_error(errno);
    }
    for (const UniqueFd& fd : sockets) {
      std::array<char, kMessage + 1> answer{};
      const ssize_t got = recv(fd.get(), answer.data(), answer.size(), 0);
      if (got < 0) {
        tally.add_error(errno);
      } else if (std::string_view(answer.data(), static_cast<std::size_t>(got)) !=
                 std::string_view(message.data(), message.size())) {
        ++tally.cut_short;
      } else {
        ++tally.ok;
      }
    }
  }
  return tally;
}

Tally run_stream(std::uint16_t port, std::uint64_t round_trips, Deadline deadline) {
  Tally tally;
  std::array<UniqueFd, kStreams> streams;
  for (UniqueFd& fd : streams) {
    const int connected = connect_from_source(SOCK_STREAM, port, kCallTimeout);
    if (connected < 0) {
      tally.add_error(-connected);
      return tally;
    }
    fd = UniqueFd(connected);
    const int on = 1;
    (void)setsockopt(connected, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  std::vector<char> message(kStreamMessage);
  std::vector<char> answer(kStreamMessage);
  for (std::uint64_t serial = 0; serial < round_trips && tally.bad() == 0; serial += kStreams) {
    if (Clock::now() > deadline) {
      ++tally.timed_out;
      break;
    }
    fill(std::span(message).first(kMessage), serial);
    for (const UniqueFd& fd : streams) {
      // Blocking, and the socket's buffer holds a message, so a short send is an error.
      const ssize_t sent = send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL);
      if (sent != static_cast<ssize_t>(message.size())) tally.add_error(sent < 0 ? errno : EAGAIN);
    }
    for (const UniqueFd& fd : streams) {
      const int error = receive_all(fd.get(), answer);
      if (error != 0 && error != EPROTO) {
        tally.add_error(error);
      } else if (error == EPROTO || answer != message) {
        ++tally.cut_short;
      } else {
        ++tally.ok;
      }
    }
  }
  return tally;
}

int connect_from_next_source(std::uint16_t port, std::chrono::milliseconds timeout) {
  return connect_from_source(SOCK_STREAM, port, timeout);
}

bool ask_once(std::uint16_t port, Kind kind, std::chrono::milliseconds timeout) {
  const UniqueFd fd(connect_from_source(SOCK_STREAM, port, timeout));
  if (!fd) return false;
  const std::string_view question = kind == Kind::Echo ? "hello, xsd" : "";
  if (!question.empty()) {
    (void)send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL);
    (void)shutdown(fd.get(), SHUT_WR);
  }
  std::string answer;
  std::array<char, 128> part{};
  ssize_t got = 0;
  while (answer.size() < part.size() && (got = recv(fd.get(), part.data(), part.size(), 0)) > 0) {
    answer.append(part.data(), static_cast<std::size_t>(got));
  }
  if (got < 0) return false;
  switch (kind) {
    case Kind::Echo:
      return answer == question;
    case Kind::Daytime:
      return is_daytime(answer);
    case Kind::Tiny:
      return answer == ".";
  }
  return false;
}

}  // namespace bench
