// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/source_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace xsd::policy {
namespace {

using net::SocketAddress;
using namespace std::chrono_literals;

constexpr HashSeed kSeed{1, 2};

SocketAddress peer(std::string_view text, std::uint16_t port = 1) {
  return SocketAddress::parse(text, port).value();
}
/// One of many.
SocketAddress peer(std::uint32_t number) {
  in_addr address{htonl(0x0a000000U + number)};
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr = address;
  return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
}
MonotonicTime at(Duration since) {
  return MonotonicTime(since);
}

SourceLimits connections(std::uint64_t most) {
  return {.per_source = {most}, .source_rate = std::nullopt, .prefix = {}};
}
SourceLimits rate(std::uint32_t count, Duration period, std::uint32_t burst) {
  return {.per_source = {}, .source_rate = config::RateLimit{{count, period}, burst}, .prefix = {}};
}

TEST(SourceTable, refuses_more_connections_of_a_source) {
  SourceTable table(connections(2), kSeed);
  const auto first = table.begin(peer("192.0.2.1", 1000), at(0s));
  EXPECT_EQ(first.refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("192.0.2.1", 1001), at(0s)).refused, std::nullopt);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(table.begin(peer("192.0.2.1", 1002), at(0s)).refused, Reason::PerSource);
  EXPECT_EQ(table.begin(peer("192.0.2.2"), at(0s)).refused, std::nullopt);
  table.end(first.ticket);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, Reason::PerSource);
}

TEST(SourceTable, keeps_nothing_of_who_has_gone) {
  SourceTable table(connections(1), kSeed);
  const auto admission = table.begin(peer("192.0.2.1"), at(0s));
  EXPECT_EQ(table.size(), 1U);
  table.end(admission.ticket);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SourceTable, lets_nobody_in_at_zero) {
  SourceTable table(connections(0), kSeed);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, Reason::PerSource);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SourceTable, refuses_a_source_that_comes_too_often) {
  SourceTable table(rate(10, 1s, 2), kSeed);
  for (int i = 0; i < 2; ++i)
    table.end(table.begin(peer("192.0.2.1"), at(0s)).ticket);
  const auto refused = table.begin(peer("192.0.2.1"), at(0s));
  EXPECT_EQ(refused.refused, Reason::SourceRate);
  table.end(refused.ticket);  // nothing was counted
  EXPECT_EQ(table.begin(peer("192.0.2.2"), at(0s)).refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(99ms)).refused, Reason::SourceRate);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(100ms)).refused, std::nullopt);
}

TEST(SourceTable, takes_no_token_for_a_refusal_by_connections) {
  SourceLimits limits = rate(1, 1h, 2);
  limits.per_source = {1};
  SourceTable table(limits, kSeed);
  const auto first = table.begin(peer("192.0.2.1"), at(0s));
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, Reason::PerSource);
  table.end(first.ticket);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, std::nullopt);
}

TEST(SourceTable, takes_a_prefix_for_one_source) {
  SourceLimits limits = connections(1);
  limits.prefix = {.v4 = 24, .v6 = 64};
  SourceTable table(limits, kSeed);
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("192.0.2.200"), at(0s)).refused, Reason::PerSource);
  EXPECT_EQ(table.begin(peer("192.0.3.1"), at(0s)).refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("2001:db8::1"), at(0s)).refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("2001:db8::ffff:1"), at(0s)).refused, Reason::PerSource);
  EXPECT_EQ(table.begin(peer("2001:db8:0:1::1"), at(0s)).refused, std::nullopt);
}

TEST(SourceTable, does_not_count_unix_clients) {
  SourceTable table(connections(0), kSeed);
  const auto admission = table.begin(SocketAddress::unix_path("/run/x").value(), at(0s));
  EXPECT_EQ(admission.refused, std::nullopt);
  EXPECT_EQ(table.size(), 0U);
  table.end(admission.ticket);
}

TEST(SourceTable, keeps_its_counts_when_limits_change) {
  SourceTable table(connections(5), kSeed);
  std::vector<SourceTicket> tickets;
  for (int i = 0; i < 5; ++i)
    tickets.push_back(table.begin(peer("192.0.2.1"), at(0s)).ticket);
  table.set_limits(connections(3));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, Reason::PerSource);
    table.end(tickets.back());
    tickets.pop_back();
  }
  EXPECT_EQ(table.begin(peer("192.0.2.1"), at(0s)).refused, std::nullopt);
}

TEST(SourceTable, forgets_buckets_when_the_rate_is_taken_away) {
  SourceTable table(rate(1, 24h, 1), kSeed);
  for (std::uint32_t i = 0; i < 100; ++i)
    table.end(table.begin(peer(i), at(0s)).ticket);
  EXPECT_EQ(table.idle(), 100U);
  table.set_limits(connections(1));
  for (std::uint32_t i = 0; i < 50; ++i)
    table.end(table.begin(peer("192.0.2.1"), at(0s)).ticket);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SourceTable, counts_anew_under_another_prefix) {
  SourceTable table(connections(1), kSeed);
  const auto before = table.begin(peer("192.0.2.0"), at(0s));
  SourceLimits wider = connections(1);
  wider.prefix.v4 = 24;
  table.set_limits(wider);
  // The bits are the same, the source is not.
  const auto after = table.begin(peer("192.0.2.0"), at(0s));
  EXPECT_EQ(after.refused, std::nullopt);
  EXPECT_EQ(table.begin(peer("192.0.2.9"), at(0s)).refused, Reason::PerSource);
  table.end(before.ticket);
  EXPECT_EQ(table.begin(peer("192.0.2.9"), at(0s)).refused, Reason::PerSource);
  table.end(after.ticket);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SourceTable, forgets_who_was_heard_of_longest_ago) {
  SourceTable table(rate(1, 24h, 1), kSeed);
  const auto held = table.begin(peer(0), at(0s));
  const auto most = static_cast<std::uint32_t>(kMaxIdleSources);
  for (std::uint32_t i = 1; i <= most + 10; ++i) {
    table.end(table.begin(peer(i), at(0s)).ticket);
    // Who keeps coming is kept, and stays refused.
    if (i > 1) {
      ASSERT_EQ(table.begin(peer(1), at(0s)).refused, Reason::SourceRate) << i;
    }
  }
  EXPECT_EQ(table.idle(), kMaxIdleSources);
  EXPECT_EQ(table.size(), kMaxIdleSources + 1);
  // 2 to 11 are gone, and are not known any more; who has connections never goes.
  EXPECT_EQ(table.begin(peer(12), at(0s)).refused, Reason::SourceRate);
  EXPECT_EQ(table.begin(peer(11), at(0s)).refused, std::nullopt);
  EXPECT_EQ(table.begin(peer(0), at(0s)).refused, Reason::SourceRate);
  table.end(held.ticket);
}

TEST(SourceTable, forgets_buckets_that_are_full_again) {
  SourceTable table(rate(1, 1s, 1), kSeed);
  for (std::uint32_t i = 0; i < 1000; ++i)
    table.end(table.begin(peer(i), at(0s)).ticket);
  EXPECT_EQ(table.size(), 1000U);
  for (std::uint32_t i = 0; i < 1000; ++i)
    table.end(table.begin(peer(5000), at(i * 2s)).ticket);
  EXPECT_EQ(table.size(), 1U);
}

// ---- Against the obvious
// ---------------------------------------------------------------------------------

struct ObviousSource {
  std::uint64_t active = 0;
  TokenBucket bucket;
};

TEST(SourceTable, agrees_with_a_map_that_forgets_nothing) {
  std::mt19937_64 random(1);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 40; ++round) {
    SourceLimits limits;
    if (below(3) != 0) limits.per_source = {below(4)};
    if (below(3) != 0) {
      limits.source_rate = config::RateLimit{{static_cast<std::uint32_t>(1 + below(5)), 1s},
                                             static_cast<std::uint32_t>(1 + below(4))};
    }
    limits.prefix = {.v4 = static_cast<std::uint8_t>(25 + below(8)), .v6 = 64};
    SourceTable table(limits, {random(), random()});
    std::map<std::string, ObviousSource> model;
    struct Held {
      SourceTicket ticket;
      std::string source;
    };
    std::vector<Held> held;
    MonotonicTime now = at(1h);
    for (int i = 0; i < 3000; ++i) {
      now += Duration(below(20) == 0 ? 5'000'000'000 : below(100'000'000));
      if (below(2) == 0 && !held.empty()) {
        const std::size_t which = below(held.size());
        table.end(held[which].ticket);
        --model[held[which].source].active;
        held[which] = held.back();
        held.pop_back();
        continue;
      }
      if (below(400) == 0 && !limits.per_source.is_unlimited()) {
        limits.per_source = {below(4)};
        table.set_limits(limits);
      }
      const SocketAddress client = peer(static_cast<std::uint32_t>(below(64)));
      const std::string source = SourceKey::of(client, limits.prefix)->to_string();
      ObviousSource& known = model[source];
      std::optional<Reason> expected;
      if (!limits.per_source.is_unlimited() && known.active >= limits.per_source.value) {
        expected = Reason::PerSource;
      } else if (limits.source_rate && !known.bucket.take(*limits.source_rate, now)) {
        expected = Reason::SourceRate;
      }
      const auto admission = table.begin(client, now);
      ASSERT_EQ(admission.refused, expected) << round << ' ' << i;
      if (expected) continue;
      ++known.active;
      held.push_back({admission.ticket, source});
    }
    for (const Held& one : held)
      table.end(one.ticket);
    EXPECT_EQ(table.size(), table.idle());
    EXPECT_TRUE(limits.source_rate || table.size() == 0);
  }
}

}  // namespace
}  // namespace xsd::policy
