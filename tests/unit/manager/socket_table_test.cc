// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/socket_table.h"

#include <gtest/gtest.h>

#include <cerrno>

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

const SocketTable::MayTake kNothing = [](const net::Endpoint&, const std::string&) { return false; };
const SocketTable::MayTake kAnything = [](const net::Endpoint&, const std::string&) { return true; };

bool bind(SocketTable& table, const net::Endpoint& endpoint, const std::string& user) {
  return table.bind_all({endpoint}, 10, user, kNothing).has_value();
}

TEST(SocketTable, remembers_who_uses_a_socket) {
  SocketTable table;
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(bind(table, place, "echo"));
  EXPECT_NE(table.find(place), nullptr);
  EXPECT_EQ(table.user(place), "echo");
  table.set_user(place, "other");
  EXPECT_EQ(table.user(place), "other");
  table.release("echo", {});
  EXPECT_NE(table.find(place), nullptr) << "it is not echo's any more";
  table.release("other", {});
  EXPECT_EQ(table.find(place), nullptr);
}

TEST(SocketTable, says_which_endpoint_somebody_else_holds) {
  SocketTable ours;
  SocketTable theirs;
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(bind(theirs, place, "x"));
  const auto bound = ours.bind_all({tcp("127.0.0.1", free_port()), place}, 10, "echo", kNothing);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().error.text(), "bind " + place.to_string() + ": Address already in use");
  EXPECT_EQ(bound.error().error.number(), EADDRINUSE);
  EXPECT_EQ(bound.error().endpoint, place);
  ours.release("echo", {});
  EXPECT_EQ(ours.size(), 0U);
}

TEST(SocketTable, binds_beside_an_overlapping_socket_of_its_own) {
  SocketTable table;
  const std::uint16_t port = free_port();
  ASSERT_TRUE(bind(table, tcp("0.0.0.0", port), "echo"));
  EXPECT_TRUE(bind(table, tcp("127.0.0.1", port), "echo"));
  table.release("echo", {tcp("127.0.0.1", port)});
  EXPECT_EQ(table.size(), 1U);
}

TEST(SocketTable, takes_from_another_only_what_may_be_taken) {
  SocketTable table;
  const std::uint16_t port = free_port();
  const net::Endpoint narrow = tcp("127.0.0.1", port);
  const net::Endpoint wide = tcp("0.0.0.0", port);
  ASSERT_TRUE(bind(table, narrow, "one"));
  for (const net::Endpoint& wanted : {narrow, wide}) {
    const auto refused = table.bind_all({wanted}, 10, "two", kNothing);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.text(), "bind " + wanted.to_string() + ": used by service 'one'");
    EXPECT_EQ(refused.error().error.number(), 0);
    const auto taken = table.bind_all({wanted}, 10, "two", kAnything);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->borrowed, (std::vector<std::pair<net::Endpoint, std::string>>{{narrow, "one"}}));
  }
  EXPECT_EQ(table.user(narrow), "one") << "until somebody says otherwise";
  EXPECT_EQ(table.user(wide), "two");
}

TEST(SocketTable, knows_its_udp_ports) {
  SocketTable table;
  const net::Endpoint place{
      net::Transport::Datagram, *net::SocketAddress::parse("127.0.0.1", free_port()), {}};
  ASSERT_TRUE(bind(table, place, "echo"));
  EXPECT_TRUE(table.udp_ports().contains(place.address.port()));
}

}  // namespace
}  // namespace xsd::manager
