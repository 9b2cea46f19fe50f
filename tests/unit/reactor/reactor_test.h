// SPDX-License-Identifier: Apache-2.0
//
// What the tests of this layer share: a clock that tests move, pairs of descriptors, and a fixture with a
// loop over each poller. Nothing here sleeps: `turn_until` turns the loop until something holds, at most ten
// seconds.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/clock.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::reactor {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class ManualClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return now; }
  WallTime wall() const noexcept override { return WallTime(now.time_since_epoch()); }

  MonotonicTime now{seconds(1000)};
};

struct FdPair {
  UniqueFd first;   // the reading end of a pipe
  UniqueFd second;  // the writing end
};

inline FdPair make_pipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline FdPair make_socketpair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// The two ends of a TCP connection over loopback: the accepted one first.
inline FdPair make_tcp_pair() {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  UniqueFd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  EXPECT_TRUE(server);
  return {std::move(server), std::move(client)};
}

inline void put(const UniqueFd& fd, std::string_view bytes = "x") {
  EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

inline std::string take(const UniqueFd& fd) {
  char buffer[4096];
  const ssize_t length = read(fd.get(), buffer, sizeof buffer);
  return length > 0 ? std::string(buffer, static_cast<std::size_t>(length)) : std::string();
}

/// True if this process may have descriptors up to `count`.
inline bool allow_descriptors(rlim_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= count) return true;
  if (limit.rlim_max < count) return false;
  limit.rlim_cur = count;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

inline std::string kind_name(const testing::TestParamInfo<PollerKind>& info) {
  return std::string(poller_name(info.param));
}

inline auto each_poller() {
  return testing::Values(PollerKind::Epoll, PollerKind::Poll, PollerKind::Select);
}

class LoopTest : public testing::TestWithParam<PollerKind> {
 protected:
  LoopTest() : loop(std::move(EventLoop::create(GetParam(), clock).value())) {}

  Watch watch(const UniqueFd& fd, Events interest, EventLoop::Handler handler) {
    auto result = loop->watch(fd.get(), interest, std::move(handler));
    EXPECT_TRUE(result) << result.error().text();
    return result ? std::move(*result) : Watch();
  }

  [[nodiscard]] bool turn_until(const std::function<bool()>& holds) {
    const MonotonicTime deadline = clock.monotonic() + seconds(10);
    while (!holds()) {
      const MonotonicTime now = clock.monotonic();
      if (now >= deadline) return false;
      loop->run_once(deadline - now);
    }
    return true;
  }

  /// A turn that takes what is ready and does not wait.
  std::size_t turn() { return loop->run_once(Duration::zero()); }

  SystemClock clock;
  std::unique_ptr<EventLoop> loop;
};

}  // namespace xsd::reactor
