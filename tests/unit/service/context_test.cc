// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/context.h"

#include <gtest/gtest.h>

namespace xsd::service {
namespace {

TEST(OwnAddresses, knows_our_udp_ports_on_local_addresses_only) {
  OwnAddresses own;
  own.set_udp_ports({7, 19});
  own.refresh();
  EXPECT_TRUE(own.is_own_udp(*net::SocketAddress::parse("127.0.0.1", 19)));
  EXPECT_TRUE(own.is_own_udp(*net::SocketAddress::parse("127.8.8.8", 7)));
  EXPECT_FALSE(own.is_own_udp(*net::SocketAddress::parse("127.0.0.1", 20)));
  EXPECT_FALSE(own.is_own_udp(*net::SocketAddress::parse("192.0.2.1", 19)));
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
