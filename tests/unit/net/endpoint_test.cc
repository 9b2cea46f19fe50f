// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/endpoint.h"

#include <gtest/gtest.h>

namespace xsd::net {
namespace {

Endpoint tcp(std::string_view literal, std::uint16_t port, std::string interface_name = {}) {
  return {Transport::Stream, *SocketAddress::parse(literal, port), std::move(interface_name)};
}

TEST(Endpoint, is_written_as_in_a_service_file) {
  EXPECT_EQ(tcp("127.0.0.1", 7).to_string(), "tcp://127.0.0.1:7");
  EXPECT_EQ(tcp("::1", 7).to_string(), "tcp://[::1]:7");
  EXPECT_EQ(tcp("0.0.0.0", 7, "eth0").to_string(), "tcp://0.0.0.0%eth0:7");
  EXPECT_EQ(tcp("::", 7, "eth0").to_string(), "tcp://[::]%eth0:7");
  EXPECT_EQ((Endpoint{Transport::Datagram, *SocketAddress::parse("127.0.0.1", 7), {}}).to_string(),
            "udp://127.0.0.1:7");
  EXPECT_EQ((Endpoint{Transport::SeqPacket, *SocketAddress::unix_path("/x"), {}}).to_string(),
            "unix-seqpacket:///x");
  EXPECT_EQ((Endpoint{Transport::Datagram, *SocketAddress::unix_path("@x"), {}}).to_string(),
            "unix-dgram://@x");
}

TEST(Endpoint, overlaps_where_the_kernel_would_refuse_a_second_bind) {
  EXPECT_TRUE(tcp("0.0.0.0", 7).overlaps(tcp("127.0.0.1", 7)));
  EXPECT_TRUE(tcp("127.0.0.1", 7).overlaps(tcp("127.0.0.1", 7)));
  EXPECT_FALSE(tcp("127.0.0.1", 7).overlaps(tcp("127.0.0.2", 7)));
  EXPECT_FALSE(tcp("127.0.0.1", 7).overlaps(tcp("127.0.0.1", 8)));
  EXPECT_FALSE(tcp("0.0.0.0", 7).overlaps(tcp("::", 7)));
  EXPECT_FALSE(tcp("0.0.0.0", 7).overlaps({Transport::Datagram, SocketAddress::any_v4(7), {}}));
  EXPECT_FALSE(tcp("0.0.0.0", 7, "eth0").overlaps(tcp("0.0.0.0", 7, "eth1")));
  EXPECT_TRUE(tcp("0.0.0.0", 7, "eth0").overlaps(tcp("0.0.0.0", 7)));
}

TEST(EndpointHash, is_the_same_for_equal_endpoints) {
  EXPECT_EQ(EndpointHash{}(tcp("::1", 7)), EndpointHash{}(tcp("0:0::1", 7)));
  EXPECT_EQ(tcp("::1", 7), tcp("0:0::1", 7));
}

}  // namespace
}  // namespace xsd::net
