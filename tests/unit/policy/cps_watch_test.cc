// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/cps_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace xsd::policy {
namespace {

using namespace std::chrono_literals;

MonotonicTime at(Duration since) {
  return MonotonicTime(since);
}

TEST(CpsWatch, is_tripped_by_one_more_within_a_second) {
  CpsWatch watch({.connections = 50, .wait = 10s});
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(watch.count(at(1h)), std::nullopt);
  EXPECT_EQ(watch.count(at(1h) + 999ms), at(1h) + 999ms + 10s);
}

TEST(CpsWatch, is_not_tripped_by_as_many_as_are_allowed) {
  CpsWatch watch({.connections = 50, .wait = 10s});
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(watch.count(at(1h) + i * 20ms), std::nullopt);
}

TEST(CpsWatch, counts_any_second) {
  // Half at the end of one second of the clock, half at the beginning of the next.
  CpsWatch watch({.connections = 10, .wait = 1s});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(watch.count(at(900ms)), std::nullopt);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(watch.count(at(1100ms)), std::nullopt);
  EXPECT_EQ(watch.count(at(1200ms)), at(2200ms));
}

TEST(CpsWatch, counts_from_nothing_after_it_tripped) {
  CpsWatch watch({.connections = 1, .wait = 250ms});
  EXPECT_EQ(watch.count(at(0s)), std::nullopt);
  EXPECT_EQ(watch.count(at(100ms)), at(350ms));
  EXPECT_EQ(watch.count(at(350ms)), std::nullopt);
  EXPECT_EQ(watch.count(at(400ms)), at(650ms));
}

TEST(CpsWatch, forgets_times_that_are_to_come) {
  CpsWatch watch({.connections = 2, .wait = 1s});
  EXPECT_EQ(watch.count(at(10h)), std::nullopt);
  EXPECT_EQ(watch.count(at(10h)), std::nullopt);
  EXPECT_EQ(watch.count(at(1h)), std::nullopt);
  EXPECT_EQ(watch.count(at(1h)), std::nullopt);
  EXPECT_EQ(watch.count(at(1h)), at(1h) + 1s);
}

TEST(CpsWatch, counts_on_under_another_limit) {
  CpsWatch watch({.connections = 100, .wait = 1s});
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(watch.count(at(i * 1ms)), std::nullopt);
  watch.set_limit({.connections = 61, .wait = 2s});
  EXPECT_EQ(watch.count(at(100ms)), std::nullopt);
  EXPECT_EQ(watch.count(at(101ms)), at(2101ms));
  watch.set_limit({.connections = 5, .wait = 3s});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(watch.count(at(3s)), std::nullopt);
  watch.set_limit({.connections = 2, .wait = 3s});
  EXPECT_EQ(watch.count(at(3s)), at(6s));
}

TEST(CpsWatch, agrees_with_a_list_of_all_times) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    config::CpsLimit limit{static_cast<std::uint32_t>(1 + random() % (round % 2 == 0 ? 5 : 200)), 1s};
    CpsWatch watch(limit);
    std::vector<MonotonicTime> times;
    MonotonicTime now = at(1h);
    for (int i = 0; i < 1000; ++i) {
      const auto mean = static_cast<std::uint64_t>(2e9 / limit.connections);
      now += random() % 50 == 0 ? Duration(1s) : Duration(static_cast<Duration::rep>(random() % mean));
      if (random() % 500 == 0) {
        now -= 2s;
        if (!times.empty() && now < times.back()) times.clear();
      }
      if (random() % 200 == 0) {
        limit.connections = static_cast<std::uint32_t>(1 + random() % 200);
        watch.set_limit(limit);
        // Of those that are still in the second no more than the limit matter.
        if (times.size() > limit.connections)
          times.erase(times.begin(), times.end() - static_cast<std::ptrdiff_t>(limit.connections));
      }
      const auto recent =
          std::count_if(times.begin(), times.end(), [&](MonotonicTime time) { return now - time < 1s; });
      const bool trips = static_cast<std::uint32_t>(recent) >= limit.connections;
      ASSERT_EQ(watch.count(now), trips ? std::optional(now + 1s) : std::nullopt) << round << ' ' << i;
      if (trips) {
        times.clear();
      } else {
        times.push_back(now);
      }
    }
  }
}

}  // namespace
}  // namespace xsd::policy
