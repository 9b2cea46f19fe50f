// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/access_times.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace xsd::policy {
namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using namespace std::chrono_literals;

using Windows = std::vector<config::AccessWindow>;

Windows windows(const std::vector<std::string>& texts) {
  Windows out;
  for (const std::string& text : texts)
    out.push_back(config::parse_access_window(text).value());
  return out;
}

sys_seconds utc(int year, unsigned month, unsigned day, seconds time = {}) {
  return sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) + time;
}

TimeZone zone(std::string_view rule) {
  return TimeZone::from_rule(rule).value();
}

/// "open until T" for what is expected.
testing::AssertionResult is(const AccessSchedule::Answer& answer, bool open,
                            std::optional<sys_seconds> until) {
  if (answer.open == open && answer.until == until) return testing::AssertionSuccess();
  return testing::AssertionFailure() << (answer.open ? "open" : "closed") << " until "
                                     << (answer.until ? answer.until->time_since_epoch().count() : -1);
}

TEST(AccessSchedule, is_open_through_the_last_minute) {
  const AccessSchedule schedule(windows({"8:00-18:00"}));
  const TimeZone here;
  const sys_seconds day = utc(2026, 11, 29);
  EXPECT_TRUE(is(schedule.ask(here, day + 8h - 1ns), false, day + 8h));
  EXPECT_TRUE(is(schedule.ask(here, day + 8h), true, day + 18h + 1min));
  EXPECT_TRUE(is(schedule.ask(here, day + 18h + 59s + 999ms), true, day + 18h + 1min));
  EXPECT_TRUE(is(schedule.ask(here, day + 18h + 1min), false, day + 32h));
}

TEST(AccessSchedule, knows_always_and_never) {
  for (const std::vector<std::string>& texts : {std::vector<std::string>{"0:00-24:00"},
                                                {"12:00-11:59"},
                                                {"Mon-Sat 0:00-24:00", "Sun 0:00-24:00"},
                                                {"6:00-18:00", "18:01-5:59"},
                                                {"6:00-18:00", "18:00-6:00"}}) {
    EXPECT_TRUE(is(AccessSchedule(windows(texts)).ask({}, utc(2026, 11, 29)), true, std::nullopt))
        << texts[0];
  }
  EXPECT_TRUE(is(AccessSchedule({}).ask({}, utc(2026, 11, 29)), false, std::nullopt));
}

TEST(AccessSchedule, counts_the_night_to_the_day_on_which_it_begins) {
  const AccessSchedule schedule(windows({"Fri-Sun 22:00-6:00"}));
  const sys_seconds monday = utc(2026, 11, 30);
  EXPECT_TRUE(is(schedule.ask({}, monday), true, monday + 6h + 1min));
  EXPECT_TRUE(is(schedule.ask({}, monday + 7h), false, monday + days(4) + 22h));
  EXPECT_TRUE(is(schedule.ask({}, monday + days(4)), false, monday + days(4) + 22h));
  EXPECT_TRUE(is(schedule.ask({}, monday + days(4) + 23h), true, monday + days(5) + 6h + 1min));
}

TEST(AccessSchedule, ends_at_midnight_and_not_a_minute_later) {
  const AccessSchedule schedule(windows({"Sun 20:00-24:00"}));
  const sys_seconds sunday = utc(2026, 11, 29);
  EXPECT_TRUE(is(schedule.ask({}, sunday + 20h), true, sunday + 24h));
  EXPECT_TRUE(is(schedule.ask({}, sunday + 24h), false, sunday + days(7) + 20h));
  // With what begins there it is one window.
  const AccessSchedule longer(windows({"Sun 20:00-24:00", "Mon 0:00-1:00"}));
  EXPECT_TRUE(is(longer.ask({}, sunday + 20h), true, sunday + 25h + 1min));
}

TEST(AccessSchedule, goes_by_the_clock_as_it_is_shown) {
  const TimeZone berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
  const AccessSchedule schedule(windows({"Sun 2:15-2:44"}));
  // The 29th of March has no such minutes: at 2:00 it is 3:00.
  const sys_seconds spring = utc(2026, 3, 29);
  EXPECT_TRUE(is(schedule.ask(berlin, spring), false, spring + days(7) + 15min));
  // The 25th of October has them twice.
  const sys_seconds autumn = utc(2026, 10, 25);
  EXPECT_TRUE(is(schedule.ask(berlin, autumn), false, autumn + 15min));
  EXPECT_TRUE(is(schedule.ask(berlin, autumn + 15min), true, autumn + 45min));
  EXPECT_TRUE(is(schedule.ask(berlin, autumn + 45min), false, autumn + 1h + 15min));
  EXPECT_TRUE(is(schedule.ask(berlin, autumn + 1h + 15min), true, autumn + 1h + 45min));
}

TEST(AccessSchedule, is_opened_and_closed_by_a_jump_of_the_clock) {
  const TimeZone berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
  const sys_seconds spring = utc(2026, 3, 29);
  EXPECT_TRUE(is(AccessSchedule(windows({"Sun 2:30-4:00"})).ask(berlin, spring), false, spring + 1h));
  EXPECT_TRUE(is(AccessSchedule(windows({"Sun 1:00-2:30"})).ask(berlin, spring), true, spring + 1h));
  // What ends where the clock jumps into the next window does not end.
  const AccessSchedule joined(windows({"Sun 1:00-1:59", "Sun 3:00-4:00"}));
  EXPECT_TRUE(is(joined.ask(berlin, spring), true, spring + 2h + 1min));
  // Once closed at 2:31, the same window opens again at 2:00.
  const sys_seconds autumn = utc(2026, 10, 25);
  const AccessSchedule schedule(windows({"Sun 1:00-2:30"}));
  EXPECT_TRUE(is(schedule.ask(berlin, autumn + 31min), false, autumn + 1h));
  EXPECT_TRUE(is(schedule.ask(berlin, autumn + 1h), true, autumn + 1h + 31min));
}

TEST(AccessSchedule, answers_at_the_ends_of_time) {
  const AccessSchedule schedule(windows({"8:00-18:00"}));
  const TimeZone berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_TRUE(schedule.ask(berlin, WallTime::min()).until);
  const auto last = schedule.ask(berlin, WallTime::max());
  ASSERT_TRUE(last.until);
  EXPECT_GT(*last.until, std::chrono::floor<seconds>(WallTime::max()));
}

// ---- Against the obvious
// ---------------------------------------------------------------------------------

bool is_open_obviously(const Windows& all, const TimeZone& zone, sys_seconds moment) {
  const sys_seconds local = moment + zone.at(moment).offset;
  const sys_days day = std::chrono::floor<days>(local);
  const auto minute = static_cast<unsigned>((local - day) / minutes(1));
  const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;
  const unsigned yesterday = (weekday + 6) % 7;
  for (const config::AccessWindow& window : all) {
    const bool today_in = (window.days >> weekday & 1U) != 0;
    const bool yesterday_in = (window.days >> yesterday & 1U) != 0;
    if (window.begin < window.end) {
      if (today_in && minute >= window.begin && minute <= window.end) return true;
    } else {
      if (today_in && minute >= window.begin) return true;
      if (yesterday_in && minute <= window.end) return true;
    }
  }
  return false;
}

TEST(AccessSchedule, agrees_with_a_look_at_every_minute) {
  const TimeZone zones[] = {
      {},
      zone("CET-1CEST,M3.5.0,M10.5.0/3"),
      zone("AEST-10AEDT,M10.1.0,M4.1.0/3"),
      zone("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"),
      zone("LHST-10:30LHDT-11,M10.1.0,M4.1.0"),
      // The clock is set every few days, and by half a day.
      zone("XXX12YYY-12,M3.5.1/0,M4.1.0/0"),
  };
  std::mt19937_64 random(1);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  constexpr auto kFarAhead = days(16);
  for (int i = 0; i < 600; ++i) {
    Windows all;
    for (std::uint64_t n = 1 + below(4); n > 0; --n) {
      const bool short_one = below(2) == 0;
      config::AccessWindow window;
      window.days = static_cast<std::uint8_t>(below(3) == 0 ? config::kEveryDay : 1 + below(127));
      window.begin = static_cast<std::uint16_t>(below(config::kMinutesOfDay));
      window.end =
          static_cast<std::uint16_t>(short_one ? std::min<std::uint64_t>(window.begin + 1 + below(90), 1440)
                                               : below(config::kMinutesOfDay + 1));
      if (window.end == window.begin) window.end = window.begin == 0 ? 1 : 0;
      all.push_back(window);
    }
    const TimeZone& here = zones[below(std::size(zones))];
    // Half of them near where clocks are set.
    const sys_seconds from = below(2) == 0
                                 ? utc(2026, below(2) == 0 ? 3 : 10, 24) + seconds(below(10 * 86'400))
                                 : utc(2000, 1, 1) + seconds(below(3'000'000'000));
    const auto answer = AccessSchedule(all).ask(here, from + Duration(below(1'000'000'000)));
    const bool open = is_open_obviously(all, here, from);
    ASSERT_EQ(answer.open, open) << i;
    sys_seconds minute = std::chrono::floor<minutes>(from) + 1min;
    while (minute < from + kFarAhead && is_open_obviously(all, here, minute) == open)
      minute += 1min;
    if (minute < from + kFarAhead) {
      ASSERT_EQ(answer.until, minute) << i;
    } else {
      ASSERT_TRUE(!answer.until || *answer.until >= from + kFarAhead) << i;
    }
  }
}

}  // namespace
}  // namespace xsd::policy
