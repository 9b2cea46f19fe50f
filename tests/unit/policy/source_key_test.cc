// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/source_key.h"

#include <gtest/gtest.h>

#include <set>

#include <arpa/inet.h>

namespace xsd::policy {
namespace {

net::SocketAddress address(std::string_view text) {
  return net::SocketAddress::parse(text, 1).value();
}
std::string source(std::string_view text, config::SourcePrefix prefix) {
  return SourceKey::of(address(text), prefix).value().to_string();
}

TEST(SourceKey, is_the_address_cut_to_the_prefix) {
  EXPECT_EQ(source("192.0.2.255", {.v4 = 32}), "192.0.2.255");
  EXPECT_EQ(source("192.0.2.255", {.v4 = 31}), "192.0.2.254/31");
  EXPECT_EQ(source("192.0.2.255", {.v4 = 24}), "192.0.2.0/24");
  EXPECT_EQ(source("192.0.2.255", {.v4 = 0}), "0.0.0.0/0");
  EXPECT_EQ(source("2001:db8:1:2:f:f:f:f", {.v6 = 128}), "2001:db8:1:2:f:f:f:f");
  EXPECT_EQ(source("2001:db8:1:2:f:f:f:f", {.v6 = 127}), "2001:db8:1:2:f:f:f:e/127");
  EXPECT_EQ(source("2001:db8:1:2:f:f:f:f", {.v6 = 65}), "2001:db8:1:2::/65");
  EXPECT_EQ(source("2001:db8:1:2:f:f:f:f", {.v6 = 64}), "2001:db8:1:2::/64");
  EXPECT_EQ(source("2001:db8:1:2:f:f:f:f", {.v6 = 63}), "2001:db8:1:2::/63");
  EXPECT_EQ(source("2001:db8:1:3:f:f:f:f", {.v6 = 63}), "2001:db8:1:2::/63");
  EXPECT_EQ(source("2001:db8:1:2:f:f:f:f", {.v6 = 1}), "::/1");
  EXPECT_EQ(source("ffff::1", {.v6 = 1}), "8000::/1");
  EXPECT_EQ(source("2001:db8::1", {.v6 = 0}), "::/0");
}

TEST(SourceKey, keeps_the_families_apart) {
  const auto v4 = SourceKey::of(address("0.0.0.0"), {.v4 = 0, .v6 = 0});
  const auto v6 = SourceKey::of(address("::"), {.v4 = 0, .v6 = 0});
  EXPECT_NE(v4, v6);
  EXPECT_EQ(v4, SourceKey::of(address("192.0.2.1"), {.v4 = 0, .v6 = 0}));
  // The same bits, of another length.
  EXPECT_NE(SourceKey::of(address("10.0.0.0"), {.v4 = 8}), SourceKey::of(address("10.0.0.0"), {.v4 = 32}));
}

TEST(SourceKey, takes_a_mapped_address_for_ipv4) {
  sockaddr_in6 mapped{};
  mapped.sin6_family = AF_INET6;
  ASSERT_EQ(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
  const net::SocketAddress peer(reinterpret_cast<const sockaddr*>(&mapped), sizeof mapped);
  EXPECT_EQ(SourceKey::of(peer, {}), SourceKey::of(address("192.0.2.7"), {}));
}

TEST(SourceKey, is_none_of_a_unix_client) {
  EXPECT_EQ(SourceKey::of(net::SocketAddress::unix_path("/run/x").value(), {}), std::nullopt);
  EXPECT_EQ(SourceKey::of(net::SocketAddress(), {}), std::nullopt);
}

TEST(SourceKey, is_hashed_by_a_seed) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const SourceKey key{.high = i << 32, .low = 0, .bits = 64, .v4 = false};
    EXPECT_EQ(key.hash({1, 2}), key.hash({1, 2}));
    hashes.insert(key.hash({1, 2}) & 0xffffff);
    hashes.insert(key.hash({1, 3}) & 0xffffff);
    hashes.insert(key.hash({2, 2}) & 0xffffff);
  }
  EXPECT_GT(hashes.size(), 2990U);
  EXPECT_NE((SourceKey{0, 0, 32, true}.hash({})), (SourceKey{0, 0, 32, false}.hash({})));
  EXPECT_NE((SourceKey{0, 0, 32, true}.hash({})), (SourceKey{0, 0, 31, true}.hash({})));
}

}  // namespace
}  // namespace xsd::policy
