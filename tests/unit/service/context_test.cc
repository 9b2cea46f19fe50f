// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/context.h"

#include <gtest/gtest.h>

#include <cstring>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xsd::service {
namespace {

class ManualClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return now; }
  WallTime wall() const noexcept override { return {}; }
  MonotonicTime now{std::chrono::seconds(1000)};
};

TEST(OwnAddresses, knows_our_udp_ports_on_local_addresses_only) {
  const SystemClock clock;
  OwnAddresses own(clock);
  own.set_udp_ports({7, 19});
  own.refresh();
  EXPECT_TRUE(own.is_own_udp(*net::SocketAddress::parse("127.0.0.1", 19)));
  EXPECT_TRUE(own.is_own_udp(*net::SocketAddress::parse("127.8.8.8", 7)));
  EXPECT_FALSE(own.is_own_udp(*net::SocketAddress::parse("127.0.0.1", 20)));
  EXPECT_FALSE(own.is_own_udp(*net::SocketAddress::parse("192.0.2.1", 19)));
}

TEST(OwnAddresses, learns_of_an_address_that_came_later) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(2);
    ManualClock clock;
    OwnAddresses own(clock);
    own.set_udp_ports({7});
    own.refresh();
    const auto sender = *net::SocketAddress::parse("192.0.2.1", 7);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    std::memcpy(&request.ifr_addr, sender.raw(), sender.raw_length());
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (ioctl(socket.get(), SIOCSIFADDR, &request) != 0) _exit(2);
    clock.now += std::chrono::seconds(4);
    if (own.is_own_udp(sender)) _exit(3);  // not read for every datagram
    clock.now += std::chrono::seconds(2);
    _exit(own.is_own_udp(sender) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no network namespace here";
  EXPECT_EQ(status, 0);
}

TEST(AcceptGate, opens_by_itself_after_a_moment) {
  const SystemClock clock;
  auto loop = std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock));
  AcceptGate gate(*loop);
  gate.shut("echo", EMFILE);
  EXPECT_TRUE(gate.is_shut());
  const MonotonicTime end = clock.monotonic() + std::chrono::seconds(10);
  while (gate.is_shut() && clock.monotonic() < end)
    loop->run_once(std::chrono::seconds(1));
  EXPECT_FALSE(gate.is_shut());
}

}  // namespace
}  // namespace xsd::service
