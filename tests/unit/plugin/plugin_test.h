// SPDX-License-Identifier: Apache-2.0
//
// What the tests of this layer share: a loop with a clock that tests move, a hosted service on it, and
// clients over real sockets on loopback. Everything is on one thread: `turn_until` turns the loop until
// something holds, at most ten seconds.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_plugin.h"
#include "xsd/net/address.h"
#include "xsd/plugin/hosted_service.h"

namespace xsd::plugin {

using std::chrono::milliseconds;
using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

class ManualClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return now; }
  WallTime wall() const noexcept override { return wall_now; }

  MonotonicTime now{seconds(1000)};
  WallTime wall_now{seconds(1795309847)};  // 2026-11-22 01:10:47 UTC
};

/// A time zone while it lives; then that of the environment again.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* const value = getenv("TZ")) before_ = value;
    set(name);
  }
  ~Zone() { set(before_ ? before_->c_str() : nullptr); }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  static void set(const char* name) {
    EXPECT_EQ(name != nullptr ? setenv("TZ", name, 1) : unsetenv("TZ"), 0);
    tzset();
  }

  std::optional<std::string> before_;
};

inline net::SocketAddress address_of(int fd, bool peer) {
  sockaddr_storage raw{};
  socklen_t length = sizeof raw;
  auto* const any = reinterpret_cast<sockaddr*>(&raw);
  const int result = peer ? getpeername(fd, any, &length) : getsockname(fd, any, &length);
  EXPECT_EQ(result, 0) << std::strerror(errno);
  return {any, length};
}

class PluginTest : public ::testing::TestWithParam<reactor::PollerKind> {
 protected:
  explicit PluginTest(reactor::PollerKind kind)
      : loop(std::move(reactor::EventLoop::create(kind, clock).value())) {
    probe = {};
    // As the daemon does: sendfile and splice know no MSG_NOSIGNAL.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe, nullptr);
  }
  PluginTest() : PluginTest(reactor::PollerKind::Epoll) {}

  void start(const PluginEntry& entry, std::optional<Duration> idle_timeout = std::nullopt,
             HostedOptions options = {}) {
    options.service = "the-service";
    options.idle_timeout = idle_timeout;
    options.on_stream_end = [this](const StreamEnd& end) {
      ends.push_back(end);
      if (at_end) at_end(end);
    };
    options.on_log = [this](std::uint32_t level, std::string_view text) {
      logged += std::to_string(level) + ":" + std::string(text) + "\n";
    };
    options.refuse_sender = [this](const net::SocketAddress& sender) {
      return refused_sender && *refused_sender == sender;
    };
    auto created = HostedService::create(*loop, entry, std::move(options));
    ASSERT_TRUE(created) << created.error().text();
    service = std::move(*created);
  }
  void start(std::string_view name, std::optional<Duration> idle_timeout = std::nullopt) {
    const PluginEntry* const entry = find_plugin(name);
    ASSERT_NE(entry, nullptr) << name;
    start(*entry, idle_timeout);
  }
  void start_probe(std::optional<Duration> idle_timeout = std::nullopt) {
    start({"probe", "", xsd_builtin_probe()}, idle_timeout);
  }

  template <class Condition>
  bool turn_until(Condition&& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop->run_once(milliseconds(1));
    }
    return true;
  }
  /// Turns until nothing is ready.
  void settle() {
    while (loop->run_once(Duration::zero()) > 0) {
    }
  }
  void advance(Duration by) {
    clock.now += by;
    loop->run_once(Duration::zero());
  }

  /// A connected pair over TCP: the client's end, non-blocking, and the accepted end.
  std::pair<UniqueFd, UniqueFd> tcp_pair(const char* host = "127.0.0.1") {
    if (!listener_ || address_of(listener_.get(), false).host() != host) listen_on(host);
    const net::SocketAddress address = address_of(listener_.get(), false);
    UniqueFd client(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(client.get(), address.raw(), address.raw_length()), 0) << std::strerror(errno);
    UniqueFd accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    EXPECT_TRUE(accepted) << std::strerror(errno);
    return {std::move(client), std::move(accepted)};
  }
  static std::pair<UniqueFd, UniqueFd> unix_pair(int type = SOCK_STREAM) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  bool open(UniqueFd accepted) {
    const net::SocketAddress remote = address_of(accepted.get(), true);
    const net::SocketAddress local = address_of(accepted.get(), false);
    return service->open(std::move(accepted), ++last_id, remote, local) == OpenOutcome::Open;
  }
  /// A client whose other end is open in the service.
  UniqueFd client(const char* host = "127.0.0.1") {
    auto [mine, accepted] = tcp_pair(host);
    EXPECT_TRUE(open(std::move(accepted)));
    return std::move(mine);
  }

  void send_all(const UniqueFd& socket, std::string_view text, int flags = 0) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), flags | MSG_NOSIGNAL | MSG_DONTWAIT),
              static_cast<ssize_t>(text.size()))
        << std::strerror(errno);
  }
  /// What arrives until there are `length` bytes, the peer ends or resets, or time is up.
  std::string receive(const UniqueFd& socket, std::size_t length) {
    std::string got;
    (void)turn_until([&] {
      read_some(socket, got);
      return got.size() >= length || saw_end || saw_error != 0;
    });
    return got;
  }
  std::string receive_all(const UniqueFd& socket) {
    std::string got = receive(socket, SIZE_MAX);
    EXPECT_TRUE(saw_end);
    return got;
  }
  void read_some(const UniqueFd& socket, std::string& got) {
    saw_end = false;
    saw_error = 0;
    char buffer[65536];
    const ssize_t count = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) got.append(buffer, static_cast<std::size_t>(count));
    if (count == 0) saw_end = true;
    if (count < 0 && errno != EAGAIN) saw_error = errno;
  }
  static void end_sending(const UniqueFd& socket) { EXPECT_EQ(shutdown(socket.get(), SHUT_WR), 0); }
  /// Closes with a reset.
  static void reset(UniqueFd socket) {
    const linger abort{1, 0};
    EXPECT_EQ(setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort), 0);
  }
  static void set_buffers(const UniqueFd& socket, int bytes) {
    EXPECT_EQ(setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    EXPECT_EQ(setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
  }
  bool ended(std::size_t count) {
    return turn_until([&] { return ends.size() >= count; });
  }

  ManualClock clock;
  std::unique_ptr<reactor::EventLoop> loop;
  std::vector<StreamEnd> ends;
  std::function<void(const StreamEnd&)> at_end;
  std::string logged;
  std::optional<net::SocketAddress> refused_sender;
  std::unique_ptr<HostedService> service;
  std::uint64_t last_id = 0;
  bool saw_end = false;
  int saw_error = 0;

 private:
  void listen_on(const char* host) {
    const net::SocketAddress address = *net::SocketAddress::parse(host, 0);
    listener_ = UniqueFd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(bind(listener_.get(), address.raw(), address.raw_length()), 0) << std::strerror(errno);
    ASSERT_EQ(::listen(listener_.get(), 4096), 0);
    ASSERT_TRUE(prepare_stream_listener(listener_.get(), address));
  }

  UniqueFd listener_;
};

}  // namespace xsd::plugin
