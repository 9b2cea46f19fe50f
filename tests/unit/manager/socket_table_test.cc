// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/socket_table.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include <sys/socket.h>

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

// What is said to it, in its order.
struct Keeper {
  std::vector<std::string> said;
  bool can = true;
  void use(SocketTable& table, std::size_t room) {
    table.set_keeper({.keep = [this](const net::BoundSocket& socket) -> std::optional<std::string> {
                        said.push_back("+" + socket.endpoint().to_string());
                        if (!can) return std::nullopt;
                        return socket.endpoint().to_string();
                      },
                      .forget = [this](const std::string& name) { said.push_back("-" + name); },
                      .room = room});
  }
};

net::BoundSocket inherited(const net::Endpoint& endpoint) {
  auto bound = net::BoundSocket::open(endpoint, 1);
  EXPECT_TRUE(bound) << bound.error().text();
  return std::move(*bound);
}

TEST(SocketTable, has_as_many_kept_as_there_is_room_for) {
  Keeper keeper;
  SocketTable table;
  keeper.use(table, 1);
  const net::Endpoint one = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(bind(table, one, "one"));
  const net::Endpoint two = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(bind(table, two, "two"));
  EXPECT_EQ(table.keep_rest(), 1U);
  table.release("one", {});
  EXPECT_EQ(table.keep_rest(), 0U);
  EXPECT_EQ(keeper.said,
            (std::vector<std::string>{"+" + one.to_string(), "-" + one.to_string(), "+" + two.to_string()}));
}

TEST(SocketTable, asks_once_about_one_that_cannot_be_kept) {
  Keeper keeper{.said = {}, .can = false};
  SocketTable table;
  keeper.use(table, 8);
  ASSERT_TRUE(bind(table, tcp("127.0.0.1", free_port()), "one"));
  EXPECT_EQ(table.keep_rest(), 0U);
  EXPECT_EQ(keeper.said.size(), 1U);
}

TEST(SocketTable, has_one_that_came_kept_forgotten_by_its_name) {
  Keeper keeper;
  SocketTable table;
  keeper.use(table, 8);
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  table.inherit_kept(inherited(place), "old name");
  ASSERT_TRUE(bind(table, place, "one"));
  EXPECT_TRUE(keeper.said.empty());
  table.release("one", {});
  EXPECT_EQ(keeper.said, std::vector<std::string>{"-old name"});
}

TEST(SocketTable, has_no_two_kept_of_one_endpoint) {
  Keeper keeper;
  SocketTable table;
  keeper.use(table, 8);
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  net::BoundSocket socket = inherited(place);
  table.inherit_kept(std::move(*socket.duplicate()), "a");
  table.inherit_kept(std::move(*socket.duplicate()), "b");
  EXPECT_EQ(keeper.said, std::vector<std::string>{"-b"});
  table.inherit_kept(std::move(*socket.duplicate()), "a");
  ASSERT_TRUE(bind(table, place, "one"));
  EXPECT_EQ(keeper.said.back(), "+" + place.to_string()) << "both are gone at the keeper";
}

TEST(SocketTable, has_a_socket_that_is_lent_forgotten_until_it_comes_back) {
  Keeper keeper;
  SocketTable table;
  keeper.use(table, 8);
  const net::Endpoint place = tcp("127.0.0.1", free_port());
  ASSERT_TRUE(bind(table, place, "one"));
  table.lend(place);
  EXPECT_EQ(table.keep_rest(), 0U);
  table.renew(place);
  EXPECT_EQ(keeper.said, (std::vector<std::string>{"+" + place.to_string(), "-" + place.to_string()}));
  table.take_back(place);
  EXPECT_EQ(keeper.said.size(), 2U) << "it may be lent again at once";
  EXPECT_EQ(table.keep_rest(), 0U);
  EXPECT_EQ(keeper.said.size(), 3U);
  EXPECT_EQ(keeper.said.back(), "+" + place.to_string());
}

TEST(SocketTable, drops_what_was_kept_unless_somebody_waits_for_it) {
  Keeper keeper;
  SocketTable table;
  keeper.use(table, 8);
  const net::Endpoint awaited = tcp("127.0.0.1", free_port());
  table.inherit_kept(inherited(awaited), "awaited");
  const net::Endpoint other = tcp("127.0.0.1", free_port());
  table.inherit_kept(inherited(other), "other");
  EXPECT_EQ(table.drop_kept({awaited}), std::vector<net::Endpoint>{other});
  EXPECT_EQ(table.drop_kept({awaited}), std::vector<net::Endpoint>{});
  EXPECT_EQ(table.drop_kept({}), std::vector<net::Endpoint>{awaited});
  EXPECT_EQ(keeper.said, (std::vector<std::string>{"-other", "-awaited"}));
}

TEST(SocketTable, has_what_was_kept_again_after_a_failure) {
  Keeper keeper;
  SocketTable table;
  keeper.use(table, 8);
  const net::Endpoint kept = tcp("127.0.0.1", free_port());
  const net::Endpoint fresh = tcp("127.0.0.1", free_port());
  table.inherit_kept(inherited(kept), "kept");
  ASSERT_TRUE(table.bind_all({kept, fresh}, 10, "one", kNothing));
  table.give_back("one", {});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(keeper.said, (std::vector<std::string>{"+" + fresh.to_string(), "-" + fresh.to_string()}));
  ASSERT_TRUE(bind(table, kept, "one"));
  table.give_back("one", {kept});
  EXPECT_NE(table.find(kept), nullptr) << "it is at work there";
  table.release("one", {});
  EXPECT_EQ(keeper.said.back(), "-kept");
}

TEST(SocketTable, does_not_serve_a_socket_of_a_unit_that_cannot_listen) {
  const std::uint16_t port = free_port();
  const net::Endpoint place = tcp("127.0.0.1", port);
  const auto bound = [&] {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    EXPECT_EQ(::bind(fd.get(), place.address.raw(), place.address.raw_length()), 0);
    return fd;
  };
  UniqueFd unit = bound();
  const UniqueFd other = bound();
  ASSERT_EQ(listen(other.get(), 1), 0);
  SocketTable table;
  table.inherit_of_unit(std::move(*net::BoundSocket::inherit(std::move(unit))));
  const auto result = table.bind_all({place}, 10, "one", kNothing);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().error.text(), "listen " + place.to_string() + ": Address already in use");
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
