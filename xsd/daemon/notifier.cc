// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/notifier.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <span>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"

namespace xsd::daemon {

using process::Sent;

namespace {

constexpr std::string_view kPrefix = "xsd-";
constexpr std::string_view kSchemeEnd = "+3a//";  // "://" in a name
constexpr std::size_t kLongestName = 255;         // fdname_is_valid of systemd
constexpr rlim_t kSpareFiles = 64;
constexpr Duration kSpareTime = std::chrono::seconds(5);
constexpr Duration kPatienceAtEnd = std::chrono::seconds(1);
constexpr std::uint64_t kLongestWatchdog = std::uint64_t{24} * 3600 * 1000 * 1000;  // a timer has an end
// A manager that never reads is told no more.
constexpr std::size_t kMostWaiting = 65536;
constexpr std::size_t kMostWaitingFds = 4096;

std::string microseconds(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

}  // namespace

std::string store_name(const net::Endpoint& endpoint) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name(kPrefix);
  for (const char c : endpoint.to_string()) {
    if (c > ' ' && c < '\x7f' && c != ':' && c != '+') {
      name += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      name += {'+', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return name.size() <= kLongestName ? name : std::string();
}

bool is_store_name(std::string_view name) noexcept {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  const std::string_view transport = name.substr(0, name.find(kSchemeEnd));
  static constexpr std::string_view kTransports[] = {"tcp", "udp", "unix", "unix-dgram", "unix-seqpacket"};
  return transport.size() < name.size() &&
         std::find(std::begin(kTransports), std::end(kTransports), transport) != std::end(kTransports);
}

std::size_t store_room(std::size_t store_size, rlim_t open_files, std::size_t of_units) noexcept {
  const rlim_t taken = kSpareFiles + of_units;
  return std::min<rlim_t>(store_size, open_files - std::min(open_files, taken));
}

Notifier::Notifier(bool detached) : detached_(detached) {
  if (const char* const path = std::getenv("NOTIFY_SOCKET"); path != nullptr) path_ = path;
  const char* const size = std::getenv("FDSTORE");
  if (!path_.empty() && size != nullptr) store_size_ = parse_unsigned(size).value_or(0);
  const char* const time = std::getenv("WATCHDOG_USEC");
  const char* const pid = std::getenv("WATCHDOG_PID");
  const auto meant = static_cast<std::uint64_t>(detached ? getppid() : getpid());
  if (path_.empty() || time == nullptr || (pid != nullptr && parse_unsigned(pid) != meant)) return;
  const std::uint64_t limit = std::min(parse_unsigned(time).value_or(0), kLongestWatchdog);
  sign_of_life_ = std::chrono::microseconds(limit / 2);
}

void Notifier::use(reactor::EventLoop& loop) {
  loop_ = &loop;
  if (sign_of_life_ == Duration::zero()) return;
  alive_.emplace(loop, [this] { tell_alive(); });
  alive_->arm(sign_of_life_);
}

// However long the manager does not read, one is enough.
void Notifier::tell_alive() {
  owes_sign_ = true;
  send_waiting();
  alive_->arm(sign_of_life_);
}

void Notifier::ready(std::string_view status) {
  std::string text = "READY=1\nSTATUS=" + std::string(status) + "\n";
  if (detached_) text += "MAINPID=" + std::to_string(getpid()) + "\n";
  send({.text = std::move(text)});
}

void Notifier::reloading(MonotonicTime now) {
  send({.text = "RELOADING=1\nMONOTONIC_USEC=" + microseconds(now.time_since_epoch()) + "\n"});
}

void Notifier::stopping() {
  send({.text = "STOPPING=1\n"});
}

void Notifier::extend_stop(Duration longest) {
  send({.text = "EXTEND_TIMEOUT_USEC=" + microseconds(longest + kSpareTime) + "\n"});
}

void Notifier::finish() {
  const SystemClock clock;
  const MonotonicTime end = clock.monotonic() + kPatienceAtEnd;
  send_waiting();
  while (!waiting_.empty() && socket_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock.monotonic()).count();
    pollfd entry{socket_.get(), POLLOUT, 0};
    if (left <= 0 || (poll(&entry, 1, static_cast<int>(left)) < 0 && errno != EINTR)) break;
    send_waiting();
  }
}

std::optional<std::string> Notifier::keep(const net::BoundSocket& socket) {
  std::string name = store_name(socket.endpoint());
  if (name.empty()) {
    log::warning("{} is not kept over a restart: its name is too long", socket.endpoint().to_string());
    return std::nullopt;
  }
  auto copy = duplicate_fd(socket.fd());
  if (!copy) {
    log::debug("{} is not kept over a restart: {}", socket.endpoint().to_string(), copy.error().text());
    return std::string();
  }
  // FDPOLL: an error that a client causes (EPOLLERR) would have the manager close its copy.
  if (!send({.text = "FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0\n", .fd = std::move(*copy)}))
    return std::string();
  return name;
}

void Notifier::forget(std::string_view store_name) {
  if (store_name.empty()) return;
  send({.text = "FDSTOREREMOVE=1\nFDNAME=" + std::string(store_name) + "\n"});
}

bool Notifier::send(Message message) {
  if (path_.empty()) return false;
  send_waiting();
  if (waiting_.empty()) {
    const Sent sent = try_to_send(message);
    if (sent != Sent::NoRoom) return sent == Sent::Yes;
  }
  if (waiting_.size() == kMostWaiting || (message.fd && waiting_fds_ == kMostWaitingFds)) {
    log::debug("notify {}: {} wait already; not sent: {}", path_, waiting_.size(), message.text);
    return false;
  }
  if (message.fd) ++waiting_fds_;
  waiting_.push_back(std::move(message));
  wait_for_room();
  return true;
}

void Notifier::wait_for_room() {
  if (loop_ == nullptr || room_.active()) return;
  auto watch = loop_->watch(socket_.get(), reactor::kWritable, [this](reactor::Events) { send_waiting(); });
  if (watch) {
    room_ = std::move(*watch);
  } else {
    log::debug("notify {}: {}", path_, watch.error().text());
    waiting_.clear();
    waiting_fds_ = 0;
  }
}

void Notifier::send_waiting() {
  while (!waiting_.empty() && try_to_send(waiting_.front()) != Sent::NoRoom) {
    if (waiting_.front().fd) --waiting_fds_;
    waiting_.pop_front();
  }
  if (waiting_.empty() && std::exchange(owes_sign_, false)) {
    if (Message sign{.text = "WATCHDOG=1\n"}; try_to_send(sign) == Sent::NoRoom)
      waiting_.push_back(std::move(sign));
  }
  if (waiting_.empty()) {
    room_.reset();
  } else {
    wait_for_room();  // again, if the socket is another one now
  }
}

Sent Notifier::try_to_send(const Message& message) {
  const bool was_connected = static_cast<bool>(socket_);
  const Sent sent = try_once(message);
  // The manager may have another socket at that path now.
  return sent == Sent::Never && was_connected ? try_once(message) : sent;
}

Sent Notifier::try_once(const Message& message) {
  const auto fail = [this](const char* step) {
    log::debug("notify {}: {}: {}", path_, step, errno_text(errno));
    room_.reset();
    socket_.reset();
    return Sent::Never;
  };
  if (!socket_) {
    const auto address = net::SocketAddress::unix_path(path_);
    if (!address) return Sent::Never;  // no address of a socket
    socket_ = raise_fd(UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
    if (!socket_) return fail("socket");
    if (connect(socket_.get(), address->raw(), address->raw_length()) != 0) return fail("connect");
  }
  const int fd = message.fd.get();
  const Sent sent = process::send_message(socket_.get(), message.text,
                                          message.fd ? std::span(&fd, 1) : std::span<const int>());
  return sent == Sent::Never ? fail("send") : sent;
}

}  // namespace xsd::daemon
