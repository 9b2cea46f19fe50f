// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/port_owner.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include "xsd/net/socket.h"

namespace xsd::net {
namespace {

TEST(FindPortOwner, names_program_and_process) {
  for (const Transport transport : {Transport::Stream, Transport::Datagram}) {
    auto bound = BoundSocket::open({transport, *SocketAddress::parse("127.0.0.1", 0), {}}, 10);
    ASSERT_TRUE(bound);
    const Endpoint wanted{transport, SocketAddress::any_v4(local_address(bound->fd()).port()), {}};
    EXPECT_EQ(find_port_owner(wanted), "test_net[" + std::to_string(getpid()) + "]");
  }
}

TEST(FindPortOwner, is_empty_when_nobody_holds_the_port) {
  std::uint16_t port = 0;
  {
    auto bound = BoundSocket::open({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}}, 10);
    ASSERT_TRUE(bound);
    port = local_address(bound->fd()).port();
  }
  EXPECT_EQ(find_port_owner({Transport::Stream, SocketAddress::any_v4(port), {}}), "");
}

}  // namespace
}  // namespace xsd::net
