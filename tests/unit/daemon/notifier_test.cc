// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/notifier.h"

#include <gtest/gtest.h>

namespace xsd::daemon {
namespace {

TEST(StoreRoom, is_what_the_manager_keeps_but_leaves_descriptors_to_the_loader) {
  EXPECT_EQ(store_room(0, 1024, 0), 0U);
  EXPECT_EQ(store_room(100, 1024, 0), 100U);
  EXPECT_EQ(store_room(4096, 1024, 0), 960U);
  EXPECT_EQ(store_room(4096, 1024, 900), 60U);
  EXPECT_EQ(store_room(4096, 1024, 2000), 0U);
  EXPECT_EQ(store_room(4096, 20, 0), 0U);
  EXPECT_EQ(store_room(4096, RLIM_INFINITY, 3), 4096U);
}

TEST(StoreName, is_told_from_others_by_its_form) {
  const net::Endpoint tcp{net::Transport::Stream, *net::SocketAddress::parse("127.0.0.1", 7), {}};
  EXPECT_EQ(store_name(tcp), "xsd-tcp+3a//127.0.0.1+3a7");
  for (const auto transport : {net::Transport::Stream, net::Transport::Datagram, net::Transport::SeqPacket}) {
    EXPECT_TRUE(is_store_name(store_name({transport, *net::SocketAddress::unix_path("/run/x y"), {}})));
    if (transport == net::Transport::SeqPacket) continue;
    EXPECT_TRUE(is_store_name(store_name({transport, *net::SocketAddress::parse("::1", 7), "eth0"})));
  }
  for (const std::string_view name :
       {"", "xsd-", "xsd-inetd.socket", "xsd-tcp.socket", "xsd-tcp", "xsd-sctp+3a//x", "tcp+3a//127.0.0.1"})
    EXPECT_FALSE(is_store_name(name)) << name;
}

}  // namespace
}  // namespace xsd::daemon
