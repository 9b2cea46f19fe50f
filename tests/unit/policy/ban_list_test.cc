// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/ban_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <tuple>
#include <vector>

namespace xsd::policy {
namespace {

using net::SocketAddress;
using namespace std::chrono_literals;

constexpr HashSeed kSeed{1, 2};

SocketAddress peer(std::string_view text) {
  return SocketAddress::parse(text, 1).value();
}
SourceKey source(std::string_view text, config::SourcePrefix prefix = {}) {
  return SourceKey::of(peer(text), prefix).value();
}
SocketAddress numbered_peer(std::uint32_t number) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(0x0a000000U + number);
  return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
}
SourceKey numbered(std::uint32_t number, std::uint8_t bits = 32) {
  return SourceKey::whole(numbered_peer(number))->cut(bits);
}
MonotonicTime at(Duration since) {
  return MonotonicTime(since);
}

TEST(BanList, bans_until_a_time) {
  BanList bans(kSeed);
  EXPECT_FALSE(bans.is_banned(peer("192.0.2.1"), at(0s)));
  EXPECT_TRUE(bans.add({source("192.0.2.1"), at(60s)}, at(0s)).added);
  EXPECT_TRUE(bans.is_banned(peer("192.0.2.1"), at(0s)));
  EXPECT_TRUE(bans.is_banned(peer("192.0.2.1"), at(60s) - 1ns));
  EXPECT_FALSE(bans.is_banned(peer("192.0.2.2"), at(0s)));
  EXPECT_FALSE(bans.is_banned(peer("192.0.2.1"), at(60s)));
  EXPECT_EQ(bans.size(), 0U);
}

TEST(BanList, bans_for_ever) {
  BanList bans(kSeed);
  bans.add({source("192.0.2.1"), kForever}, at(0s));
  EXPECT_TRUE(bans.is_banned(peer("192.0.2.1"), kForever - 1ns));
}

TEST(BanList, bans_by_prefix) {
  BanList bans(kSeed);
  bans.add({source("2001:db8::1"), at(1h)}, at(0s));
  bans.add({source("192.0.2.1", {.v4 = 24}), at(1h)}, at(0s));
  bans.add({source("198.51.100.1"), at(1h)}, at(0s));
  EXPECT_TRUE(bans.is_banned(peer("2001:db8::ffff:2"), at(0s)));
  EXPECT_FALSE(bans.is_banned(peer("2001:db8:0:1::1"), at(0s)));
  EXPECT_TRUE(bans.is_banned(peer("192.0.2.77"), at(0s)));
  EXPECT_TRUE(bans.is_banned(peer("198.51.100.1"), at(0s)));
  EXPECT_FALSE(bans.is_banned(peer("198.51.100.2"), at(0s)));
  // Everything of one family is nothing of the other.
  bans.add({source("::1", {.v6 = 0}), at(1h)}, at(0s));
  EXPECT_TRUE(bans.is_banned(peer("2001:db8:0:1::1"), at(0s)));
  EXPECT_FALSE(bans.is_banned(peer("198.51.100.2"), at(0s)));
}

TEST(BanList, does_not_ban_unix_clients) {
  BanList bans(kSeed);
  bans.add({source("0.0.0.0", {.v4 = 0}), kForever}, at(0s));
  EXPECT_FALSE(bans.is_banned(SocketAddress::unix_path("/run/x").value(), at(0s)));
}

TEST(BanList, is_not_extended_by_another_hit) {
  BanList bans(kSeed);
  EXPECT_TRUE(bans.add({source("192.0.2.1"), at(60s)}, at(0s)).added);
  EXPECT_FALSE(bans.add({source("192.0.2.1"), at(90s)}, at(30s)).added);
  EXPECT_FALSE(bans.is_banned(peer("192.0.2.1"), at(60s)));
  EXPECT_TRUE(bans.add({source("192.0.2.1"), at(120s)}, at(60s)).added);
  EXPECT_TRUE(bans.is_banned(peer("192.0.2.1"), at(119s)));
}

TEST(BanList, takes_no_ban_that_is_over) {
  BanList bans(kSeed);
  EXPECT_FALSE(bans.add({source("192.0.2.1"), at(60s)}, at(60s)).added);
  EXPECT_EQ(bans.size(), 0U);
}

TEST(BanList, is_told_to_lift_a_ban) {
  BanList bans(kSeed);
  bans.add({source("192.0.2.1"), kForever}, at(0s));
  EXPECT_FALSE(bans.remove(source("192.0.2.2")));
  EXPECT_FALSE(bans.remove(source("192.0.2.1", {.v4 = 31})));
  EXPECT_TRUE(bans.remove(source("192.0.2.1")));
  EXPECT_FALSE(bans.remove(source("192.0.2.1")));
  EXPECT_FALSE(bans.is_banned(peer("192.0.2.1"), at(0s)));
}

TEST(BanList, lists_what_is_not_over) {
  BanList bans(kSeed);
  const Ban shorter{source("192.0.2.1"), at(60s)};
  const Ban longer{source("192.0.2.2"), kForever};
  bans.add(longer, at(0s));
  bans.add(shorter, at(0s));
  EXPECT_EQ(bans.list(at(0s)).size(), 2U);
  EXPECT_EQ(bans.list(at(60s)), std::vector{longer});
}

TEST(BanList, loses_the_ban_that_ends_soonest_when_full) {
  BanList bans(kSeed);
  const auto most = static_cast<std::uint32_t>(kMaxBans);
  for (std::uint32_t i = 0; i < most; ++i)
    ASSERT_TRUE(bans.add({numbered(i), at(1000s + i * 1s)}, at(0s)).added);
  // One that would end before all others has no place.
  const BanChange sooner = bans.add({numbered(most), at(999s)}, at(0s));
  EXPECT_FALSE(sooner.added);
  EXPECT_EQ(sooner.removed, std::nullopt);
  const BanChange later = bans.add({numbered(most), kForever}, at(0s));
  EXPECT_TRUE(later.added);
  EXPECT_EQ(later.removed, numbered(0));
  EXPECT_EQ(bans.size(), kMaxBans);
  EXPECT_FALSE(bans.is_banned(numbered_peer(0), at(0s)));
  EXPECT_TRUE(bans.is_banned(numbered_peer(1), at(0s)));
}

TEST(BanList, loses_the_oldest_of_bans_that_end_together) {
  BanList bans(kSeed);
  const auto most = static_cast<std::uint32_t>(kMaxBans);
  for (std::uint32_t i = 0; i < 2 * most; ++i) {
    const BanChange change = bans.add({numbered(i), kForever}, at(0s));
    ASSERT_TRUE(change.added);
    ASSERT_EQ(change.removed, i < most ? std::nullopt : std::optional(numbered(i - most)));
  }
}

TEST(BanList, lets_go_of_what_is_over_as_others_come) {
  BanList bans(kSeed);
  const auto most = static_cast<std::uint32_t>(kMaxBans);
  for (std::uint32_t i = 0; i < most; ++i)
    bans.add({numbered(i), at(1s)}, at(0s));
  for (std::uint32_t i = 0; i < most; ++i) {
    const BanChange change = bans.add({numbered(most + i), at(1h)}, at(1s));
    ASSERT_TRUE(change.added);
    ASSERT_EQ(change.removed, std::nullopt);
  }
  EXPECT_EQ(bans.size(), kMaxBans);
  EXPECT_EQ(bans.list(at(1s)).size(), kMaxBans);
}

TEST(BanList, lets_go_of_what_is_over_first_whatever_was_lifted) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    BanList bans(kSeed);
    std::vector<Ban> model;
    for (std::uint32_t i = 0; i < 64; ++i)
      model.push_back({numbered(i), at(1s + Duration(std::chrono::seconds(random() % 1000)))});
    for (const Ban& ban : model)
      bans.add(ban, at(0s));
    std::shuffle(model.begin(), model.end(), random);
    for (; model.size() > 24; model.pop_back())
      ASSERT_TRUE(bans.remove(model.back().source));
    for (MonotonicTime now = at(0s); now < at(1002s); now += 25s) {
      for (int looks = 0; looks < 64; ++looks)
        EXPECT_FALSE(bans.is_banned(peer("192.0.2.1"), now));
      ASSERT_EQ(bans.size(),
                std::count_if(model.begin(), model.end(), [now](const Ban& ban) { return ban.until > now; }));
    }
  }
}

// ---- Against the obvious
// ---------------------------------------------------------------------------------

/// A list in the order in which they came, looked through from one end to the other.
class ObviousBans {
 public:
  void put(const Ban& ban) { bans_.push_back(ban); }
  BanChange add(const Ban& ban, MonotonicTime now) {
    std::erase_if(bans_, [now](const Ban& known) { return known.until <= now; });
    BanChange change;
    if (ban.until <= now) return change;
    for (const Ban& known : bans_) {
      if (known.source == ban.source) return change;
    }
    if (bans_.size() == kMaxBans) {
      const auto soonest = std::min_element(bans_.begin(), bans_.end(),
                                            [](const Ban& a, const Ban& b) { return a.until < b.until; });
      if (ban.until < soonest->until) return change;
      change.removed = soonest->source;
      bans_.erase(soonest);
    }
    bans_.push_back(ban);
    change.added = true;
    return change;
  }
  bool remove(const SourceKey& source, MonotonicTime now) {
    return std::erase_if(bans_, [&](const Ban& ban) { return ban.source == source && ban.until > now; }) > 0;
  }
  bool is_banned(const SocketAddress& peer, MonotonicTime now) const {
    const SourceKey whole = SourceKey::whole(peer).value();
    return std::any_of(bans_.begin(), bans_.end(), [&](const Ban& ban) {
      return ban.until > now && ban.source.v4 == whole.v4 && whole.cut(ban.source.bits) == ban.source;
    });
  }
  std::vector<Ban> list(MonotonicTime now) const {
    std::vector<Ban> out;
    std::copy_if(bans_.begin(), bans_.end(), std::back_inserter(out),
                 [now](const Ban& ban) { return ban.until > now; });
    return out;
  }

 private:
  std::vector<Ban> bans_;
};

void expect_same(std::vector<Ban> a, std::vector<Ban> b) {
  const auto before = [](const Ban& x, const Ban& y) {
    return std::tie(x.source.high, x.source.low, x.source.bits) <
           std::tie(y.source.high, y.source.low, y.source.bits);
  };
  std::sort(a.begin(), a.end(), before);
  std::sort(b.begin(), b.end(), before);
  EXPECT_EQ(a, b);
}

struct Comparison {
  int steps;
  std::uint32_t sources;
  Duration longest;  ///< ban
  Duration jump;     ///< of the clock, now and then
  std::uint32_t banned_first;
  std::uint64_t seed;
  int displaced = 0;  ///< bans that made room for others
};

void run_against_obvious(Comparison& run) {
  std::mt19937_64 random(run.seed);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  const auto up_to = [&](Duration most) {
    return Duration(static_cast<Duration::rep>(below(static_cast<std::uint64_t>(most.count()))));
  };
  BanList bans({random(), random()});
  ObviousBans model;
  MonotonicTime now = at(1h);
  for (std::uint32_t i = 0; i < run.banned_first; ++i) {
    const Ban ban{numbered(i), now + 1s + up_to(run.longest)};
    model.put(ban);
    ASSERT_TRUE(bans.add(ban, now).added);
  }
  for (int i = 0; i < run.steps; ++i) {
    now += up_to(1s);
    if (below(100) == 0) now += run.jump;
    const auto number = static_cast<std::uint32_t>(below(run.sources));
    const SourceKey who = numbered(number, below(4) == 0 ? 28 : 32);
    const auto what = below(20);
    if (what == 0) {
      // What is over may be there still or not; that it is over is what counts.
      const bool was = model.remove(who, now);
      ASSERT_GE(bans.remove(who), was) << i;
    } else if (what < 14) {
      const Ban ban{who, below(50) == 0 ? kForever : now + up_to(run.longest)};
      const BanChange change = bans.add(ban, now);
      const BanChange expected = model.add(ban, now);
      ASSERT_EQ(change.added, expected.added) << i;
      ASSERT_EQ(change.removed, expected.removed) << i;
      if (change.removed) ++run.displaced;
    } else {
      ASSERT_EQ(bans.is_banned(numbered_peer(number), now), model.is_banned(numbered_peer(number), now)) << i;
    }
  }
  expect_same(bans.list(now), model.list(now));
}

TEST(BanList, agrees_with_a_list_looked_through) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Comparison run{
        .steps = 2000, .sources = 200, .longest = 10min, .jump = 150s, .banned_first = 0, .seed = seed};
    ASSERT_NO_FATAL_FAILURE(run_against_obvious(run));
  }
}

TEST(BanList, agrees_with_a_list_looked_through_when_full) {
  Comparison run{
      .steps = 400, .sources = 40'000, .longest = 24h * 30, .jump = 0s, .banned_first = kMaxBans, .seed = 21};
  ASSERT_NO_FATAL_FAILURE(run_against_obvious(run));
  EXPECT_GT(run.displaced, 100);
}

}  // namespace
}  // namespace xsd::policy
