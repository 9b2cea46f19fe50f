// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/socket_table.h"

#include <gtest/gtest.h>

#include <cerrno>

#include <unistd.h>

namespace xsd::manager {
namespace {

// A port that was free a moment ago.
std::uint16_t free_port() {
  auto probe = net::BoundSocket::open({net::Transport::Stream, net::SocketAddress::any_v4(0), {}}, 1);
  return net::local_address(probe->fd()).port();
}

net::Endpoint tcp(std::string_view literal, std::uint16_t port) {
  return {net::Transport::Stream, *net::SocketAddress::parse(literal, port), {}};
}

TEST(SocketTable, remembers_who_uses_a_socket) {
  SocketTable table;
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(table.bind(place, 10, "echo"));
  EXPECT_NE(table.find(place), nullptr);
  EXPECT_EQ(table.user(place), "echo");
  table.set_user(place, "other");
  EXPECT_EQ(table.user(place), "other");
  table.release("echo", {});
  EXPECT_NE(table.find(place), nullptr) << "it is not echo's any more";
  table.release("other", {});
  EXPECT_EQ(table.find(place), nullptr);
}

TEST(SocketTable, names_the_holder_of_a_busy_port) {
  SocketTable ours;
  SocketTable theirs;
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(theirs.bind(place, 10, "x"));
  const auto bound = ours.bind(place, 10, "echo");
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().text(), "bind " + place.to_string() +
                                      ": Address already in use (held by test_manager[" +
                                      std::to_string(getpid()) + "])");
}

TEST(SocketTable, binds_beside_an_overlapping_socket_of_its_own) {
  SocketTable table;
  const std::uint16_t port = free_port();
  ASSERT_TRUE(table.bind(tcp("0.0.0.0", port), 10, "echo"));
  const auto narrow = table.bind(tcp("127.0.0.1", port), 10, "echo");
  EXPECT_TRUE(narrow) << narrow.error().text();
  table.release("echo", {tcp("127.0.0.1", port)});
  EXPECT_EQ(table.size(), 1U);
}

TEST(SocketTable, knows_its_udp_ports) {
  SocketTable table;
  const net::Endpoint place{
      net::Transport::Datagram, *net::SocketAddress::parse("127.0.0.1", free_port()), {}};
  ASSERT_TRUE(table.bind(place, 10, "echo"));
  EXPECT_TRUE(table.udp_ports().contains(place.address.port()));
}

}  // namespace
}  // namespace xsd::manager
