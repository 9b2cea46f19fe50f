// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/endpoint_index.h"

#include <gtest/gtest.h>

namespace xsd::config {
namespace {

using net::Endpoint;
using net::SocketAddress;
using net::Transport;

Endpoint tcp(std::string_view host, std::uint16_t port, std::string interface_name = {}) {
  return {Transport::Stream, *SocketAddress::parse(host, port), std::move(interface_name)};
}

TEST(EndpointIndex, finds_who_wants_the_same_address) {
  const Endpoint one = tcp("127.0.0.1", 7);
  const Endpoint v6 = tcp("::", 7);
  EndpointIndex index;
  index.add(one, 1);
  index.add(v6, 2);
  EXPECT_EQ(index.find(tcp("127.0.0.1", 7)), 1U);
  EXPECT_EQ(index.find(tcp("0.0.0.0", 7)), 1U);
  EXPECT_EQ(index.find(tcp("::1", 7)), 2U);
  EXPECT_EQ(index.find(tcp("127.0.0.2", 7)), std::nullopt);
  EXPECT_EQ(index.find(tcp("127.0.0.1", 8)), std::nullopt);
  EXPECT_EQ(index.find({Transport::Datagram, *SocketAddress::parse("127.0.0.1", 7), ""}), std::nullopt);
}

TEST(EndpointIndex, keeps_interfaces_apart) {
  const Endpoint on_one = tcp("0.0.0.0", 7, "eth0");
  EndpointIndex index;
  index.add(on_one, 1);
  EXPECT_EQ(index.find(tcp("0.0.0.0", 7, "eth1")), std::nullopt);
  EXPECT_EQ(index.find(tcp("127.0.0.1", 7, "eth0")), 1U);
  EXPECT_EQ(index.find(tcp("127.0.0.1", 7)), 1U);
}

TEST(EndpointIndex, knows_unix_sockets) {
  const Endpoint path{Transport::Stream, *SocketAddress::unix_path("/run/x"), ""};
  EndpointIndex index;
  index.add(path, 3);
  EXPECT_EQ(index.find(path), 3U);
  EXPECT_EQ(index.find({Transport::Stream, *SocketAddress::unix_path("/run/y"), ""}), std::nullopt);
  index.clear();
  EXPECT_EQ(index.find(path), std::nullopt);
}

TEST(EndpointIndex, knows_names_of_tcpmux_whatever_their_case) {
  ServiceDefinition shout;
  shout.service = "Shout";
  EndpointIndex index;
  EXPECT_EQ(index.claim_mux_name(shout, 1), std::nullopt);
  EXPECT_EQ(index.claim_mux_name(shout, 2), std::nullopt);
  shout.mux = MuxKind::Mux;
  EXPECT_EQ(index.claim_mux_name(shout, 3), std::nullopt);
  shout.service = "sHOUT";
  EXPECT_EQ(index.claim_mux_name(shout, 4), 3U);
  shout.disabled = true;
  EXPECT_EQ(index.claim_mux_name(shout, 5), std::nullopt);
  shout.disabled = false;
  index.clear();
  EXPECT_EQ(index.claim_mux_name(shout, 6), std::nullopt);
}

}  // namespace
}  // namespace xsd::config
