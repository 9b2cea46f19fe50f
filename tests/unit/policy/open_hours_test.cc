// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/open_hours.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace xsd::policy {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

OpenHours hours(std::initializer_list<std::string_view> texts, TimeZone zone = {}) {
  std::vector<config::AccessWindow> windows;
  for (const std::string_view text : texts)
    windows.push_back(*config::parse_access_window(text));
  return {AccessSchedule(windows), std::move(zone)};
}

// A Sunday.
const WallTime kMidnight = sys_days(std::chrono::year(2026) / 11 / 29);

TEST(OpenHours, follow_the_clock) {
  OpenHours open = hours({"8:00-17:59"});
  EXPECT_FALSE(open.is_open(kMidnight));
  EXPECT_EQ(open.time_left(kMidnight), 8h);
  EXPECT_FALSE(open.is_open(kMidnight + 8h - 1ns));
  EXPECT_TRUE(open.is_open(kMidnight + 8h));
  EXPECT_TRUE(open.is_open(kMidnight + 18h - 1ns));
  EXPECT_FALSE(open.is_open(kMidnight + 18h));
  EXPECT_EQ(open.time_left(kMidnight + 18h), 14h);
}

TEST(OpenHours, follow_a_clock_that_is_set) {
  OpenHours open = hours({"8:00-17:59"});
  EXPECT_TRUE(open.is_open(kMidnight + 12h));
  EXPECT_FALSE(open.is_open(kMidnight + 7h)) << "back behind the answer";
  EXPECT_TRUE(open.is_open(kMidnight + 24h * 365 + 9h)) << "beyond the end of the answer";
  EXPECT_FALSE(open.is_open(kMidnight - 24h * 365));
}

TEST(OpenHours, are_those_of_their_zone) {
  const WallTime late = kMidnight + 23h + 30min;
  EXPECT_TRUE(hours({"Mon 0:00-24:00"}, *TimeZone::from_rule("CET-1")).is_open(late)) << "it is Monday there";
  EXPECT_FALSE(hours({"Mon 0:00-24:00"}).is_open(late));
}

TEST(OpenHours, that_never_change_are_asked_once) {
  OpenHours always = hours({"0:00-24:00"});
  EXPECT_TRUE(always.is_open(kMidnight));
  EXPECT_GT(always.time_left(kMidnight), 24h * 365 * 100);
  OpenHours never = hours({});
  EXPECT_FALSE(never.is_open(WallTime::min()));
  EXPECT_FALSE(never.is_open(kMidnight));
}

}  // namespace
}  // namespace xsd::policy
