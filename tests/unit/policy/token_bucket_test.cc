// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/token_bucket.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace xsd::policy {
namespace {

using config::RateLimit;
using namespace std::chrono_literals;

__extension__ using Wide = __int128;

MonotonicTime at(Duration since) {
  return MonotonicTime(since);
}

TEST(TokenBucket, is_full_to_begin_with) {
  const RateLimit limit{{10, 1s}, 3};
  TokenBucket bucket;
  EXPECT_TRUE(bucket.is_full(limit, at(5h)));
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(bucket.take(limit, at(5h)));
  EXPECT_FALSE(bucket.take(limit, at(5h)));
  EXPECT_FALSE(bucket.is_full(limit, at(5h)));
}

TEST(TokenBucket, gives_the_next_token_when_it_says) {
  const RateLimit limit{{3, 1s}, 1};
  TokenBucket bucket;
  EXPECT_EQ(bucket.until_next(limit, at(0s)), 0s);
  EXPECT_TRUE(bucket.take(limit, at(0s)));
  EXPECT_EQ(bucket.until_next(limit, at(0s)), 333'333'334ns);
  EXPECT_FALSE(bucket.take(limit, at(333'333'333ns)));
  EXPECT_EQ(bucket.until_next(limit, at(333'333'333ns)), 1ns);
  EXPECT_TRUE(bucket.take(limit, at(333'333'334ns)));
}

TEST(TokenBucket, does_not_drift) {
  // Seven in a day are not a whole number of nanoseconds each.
  const RateLimit limit{{7, 24h}, 7};
  TokenBucket bucket;
  MonotonicTime now = at(1h);
  std::uint64_t taken = 0;
  while (bucket.take(limit, now))
    ++taken;
  EXPECT_EQ(taken, 7U);
  for (int i = 0; i < 7000; ++i) {
    now += bucket.until_next(limit, now);
    ASSERT_TRUE(bucket.take(limit, now));
  }
  // A thousand days, and not more than a nanosecond for the token that is not yet whole.
  EXPECT_EQ(now - at(1h), 24h * 1000);
}

TEST(TokenBucket, counts_what_has_more_than_64_bits) {
  // 20 s at this rate, in parts of a token: 2 * 10^19.
  const RateLimit limit{{config::kMaxRateCount, 24h}, 1'000'000};
  TokenBucket bucket;
  for (std::uint32_t i = 0; i < limit.burst; ++i)
    ASSERT_TRUE(bucket.take(limit, at(0s)));
  std::uint64_t taken = 0;
  while (bucket.take(limit, at(20s)))
    ++taken;
  EXPECT_EQ(taken, 231'481U);
}

TEST(TokenBucket, heals_after_any_jump_of_the_clock) {
  const RateLimit limit{{1, 1s}, 2};
  TokenBucket bucket;
  const auto drain = [&](MonotonicTime now) {
    int taken = 0;
    while (bucket.take(limit, now))
      ++taken;
    return taken;
  };
  EXPECT_EQ(drain(MonotonicTime::max()), 2);
  EXPECT_EQ(drain(MonotonicTime::min()), 0);
  EXPECT_EQ(bucket.until_next(limit, MonotonicTime::min()), 1s);
  EXPECT_EQ(drain(MonotonicTime::min() + 1s), 1);
  EXPECT_EQ(drain(MonotonicTime::max()), 2);
  EXPECT_EQ(drain(at(0s)), 0);
  EXPECT_EQ(drain(at(1s)), 1);
}

TEST(TokenBucket, follows_a_change_of_the_limit) {
  TokenBucket bucket;
  const RateLimit day{{1, 24h}, 10};
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(bucket.take(day, at(0h)));
  EXPECT_FALSE(bucket.take(day, at(23h)));
  // What there is of the next token is less than one by any period.
  const RateLimit second{{1, 1s}, 10};
  EXPECT_EQ(bucket.until_next(second, at(23h)), 1ns);
  EXPECT_TRUE(bucket.take(second, at(23h) + 1ns));
  EXPECT_FALSE(bucket.take(second, at(23h) + 1ns));
  // A smaller burst at once, a greater one in its time.
  EXPECT_TRUE(bucket.is_full({{1, 1s}, 3}, at(24h)));
  EXPECT_FALSE(bucket.is_full({{1, 1s}, 5}, at(24h)));
  EXPECT_TRUE(bucket.is_full({{1, 1s}, 5}, at(24h) + 2s));
}

// ---- Properties
// ---------------------------------------------------------------------------------

constexpr Duration kPeriods[] = {1s, 1min, 1h, 24h};

RateLimit any_limit(std::mt19937_64& random) {
  const auto any_count = [&random]() -> std::uint32_t {
    const std::uint64_t most[] = {3, 100, 100'000, config::kMaxRateCount};
    return static_cast<std::uint32_t>(1 + random() % most[random() % std::size(most)]);
  };
  return {{any_count(), kPeriods[random() % std::size(kPeriods)]}, any_count()};
}

/// Pauses of all sizes, near what one token takes, and near what all of them take.
Duration any_pause(std::mt19937_64& random, const RateLimit& limit) {
  const Duration token = limit.rate.period / limit.rate.count + 1ns;
  switch (random() % 6) {
    case 0:
      return 0ns;
    case 1:
      return Duration(static_cast<Duration::rep>(random() % (std::uint64_t{1} << (random() % 60))));
    case 2:
      return limit.rate.period;
    default:
      return Duration(static_cast<Duration::rep>(random() % (2 * static_cast<std::uint64_t>(token.count()))));
  }
}

TEST(TokenBucket, agrees_with_exact_arithmetic) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) {
    const RateLimit limit = any_limit(random);
    const Wide period = limit.rate.period.count();
    const Wide full = period * limit.burst;
    Wide level = full;
    TokenBucket bucket;
    MonotonicTime now = at(Duration(static_cast<Duration::rep>(random() >> 2)));
    for (int i = 0; i < 400; ++i) {
      if (random() % 100 == 0) {
        now = MonotonicTime(Duration(static_cast<Duration::rep>(random() >> 2)));  // a jump either way
        bucket = TokenBucket();
        level = full;
      }
      const Duration pause = any_pause(random, limit);
      if (pause > MonotonicTime::max() - now) break;
      now += pause;
      level = std::min(full, level + Wide{pause.count()} * limit.rate.count);
      const Wide missing = level >= period ? 0 : period - level;
      const Wide wait = (missing + limit.rate.count - 1) / limit.rate.count;
      ASSERT_EQ(bucket.until_next(limit, now).count(), static_cast<std::int64_t>(wait)) << round << ' ' << i;
      ASSERT_EQ(bucket.is_full(limit, now), level == full) << round << ' ' << i;
      // Whole bursts, too, where that takes no time.
      const int tries = random() % 8 == 0 ? 50 : 1;
      for (int j = 0; j < tries; ++j) {
        const bool there = level >= period;
        ASSERT_EQ(bucket.take(limit, now), there) << round << ' ' << i;
        if (there) level -= period;
      }
    }
  }
}

TEST(TokenBucket, never_gives_more_than_burst_and_rate) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 80; ++round) {
    RateLimit limit = any_limit(random);
    limit.burst = 1 + limit.burst % 20;
    TokenBucket bucket;
    MonotonicTime now = at(1h);
    std::vector<MonotonicTime> taken;
    for (int i = 0; i < 300; ++i) {
      const Duration pause = any_pause(random, limit);
      if (pause > MonotonicTime::max() - now) break;
      now += pause;
      while (taken.size() < 300 && bucket.take(limit, now))
        taken.push_back(now);
    }
    for (std::size_t first = 0; first < taken.size(); ++first) {
      for (std::size_t last = first; last < taken.size(); ++last) {
        const Wide more = static_cast<Wide>(last - first + 1) - limit.burst;
        const Wide time = (taken[last] - taken[first]).count();
        ASSERT_LE(more * limit.rate.period.count(), time * limit.rate.count);
      }
    }
  }
}

TEST(TokenBucket, is_full_after_a_pause_of_burst_by_rate) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    RateLimit limit = any_limit(random);
    limit.burst = 1 + limit.burst % 1000;
    TokenBucket bucket;
    while (bucket.take(limit, at(0s))) {
    }
    const Wide all = Wide{limit.burst} * limit.rate.period.count();
    const auto pause = static_cast<Duration::rep>((all + limit.rate.count - 1) / limit.rate.count);
    TokenBucket early = bucket;
    ASSERT_FALSE(early.is_full(limit, at(Duration(pause - 1))));
    ASSERT_TRUE(bucket.is_full(limit, at(Duration(pause))));
  }
}

}  // namespace
}  // namespace xsd::policy
