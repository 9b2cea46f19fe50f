// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/name_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xsd::policy {
namespace {

using testing::ElementsAre;

net::SocketAddress peer(const std::string& host, std::uint16_t port = 7) {
  return *net::SocketAddress::parse(host, port);
}

TEST(NameCache, keeps_each_kind_of_answer_for_its_time) {
  NameCache cache({1, 2});
  const MonotonicTime begin{};
  cache.put(peer("192.0.2.1"), {true, {"a.example"}}, begin);
  cache.put(peer("192.0.2.2"), {true, {}}, begin);
  cache.put(peer("192.0.2.3"), {false, {}}, begin);
  ASSERT_NE(cache.find(peer("192.0.2.1"), begin), nullptr);
  EXPECT_THAT(cache.find(peer("192.0.2.1"), begin)->names, ElementsAre("a.example"));
  EXPECT_TRUE(cache.find(peer("192.0.2.2"), begin)->are_known);
  EXPECT_FALSE(cache.find(peer("192.0.2.3"), begin)->are_known);
  EXPECT_EQ(cache.find(peer("192.0.2.3"), begin + NameCache::kUnknownLasts), nullptr);
  EXPECT_NE(cache.find(peer("192.0.2.2"), begin + NameCache::kUnknownLasts), nullptr);
  EXPECT_EQ(cache.find(peer("192.0.2.2"), begin + NameCache::kNoneLasts), nullptr);
  EXPECT_NE(cache.find(peer("192.0.2.1"), begin + NameCache::kNoneLasts), nullptr);
  EXPECT_EQ(cache.find(peer("192.0.2.1"), begin + NameCache::kNamesLast), nullptr);
}

TEST(NameCache, goes_by_the_address_alone) {
  NameCache cache({1, 2});
  cache.put(peer("192.0.2.1", 7), {true, {"a.example"}}, {});
  EXPECT_NE(cache.find(peer("192.0.2.1", 8), {}), nullptr);
  EXPECT_EQ(cache.find(peer("2001:db8::1"), {}), nullptr);
  cache.put(*net::SocketAddress::unix_path("/run/x"), {true, {}}, {});
  EXPECT_EQ(cache.find(*net::SocketAddress::unix_path("/run/x"), {}), nullptr);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(NameCache, takes_what_is_new_for_what_was_known) {
  NameCache cache({1, 2});
  cache.put(peer("192.0.2.1"), {true, {"a.example"}}, {});
  cache.put(peer("192.0.2.1"), {true, {"b.example"}}, {});
  EXPECT_THAT(cache.find(peer("192.0.2.1"), {})->names, ElementsAre("b.example"));
  EXPECT_EQ(cache.size(), 1U);
}

TEST(NameCache, lets_the_first_go_when_it_is_full) {
  NameCache cache({1, 2});
  const auto number = [](std::size_t i) {
    return peer("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  };
  for (std::size_t i = 0; i < NameCache::kMostPeers; ++i)
    cache.put(number(i), {true, {}}, {});
  cache.put(number(0), {true, {}}, {});  // it is the latest now
  cache.put(peer("192.0.2.1"), {true, {}}, {});
  cache.put(peer("192.0.2.2"), {true, {}}, {});
  EXPECT_EQ(cache.size(), NameCache::kMostPeers);
  EXPECT_NE(cache.find(number(0), {}), nullptr);
  EXPECT_EQ(cache.find(number(1), {}), nullptr);
  EXPECT_EQ(cache.find(number(2), {}), nullptr);
  EXPECT_NE(cache.find(number(3), {}), nullptr);
}

}  // namespace
}  // namespace xsd::policy
