// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/zone_rule.h"

#include <gtest/gtest.h>

#include <string>

namespace xsd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using namespace std::chrono_literals;

sys_seconds utc(int year, unsigned month, unsigned day, seconds time = {}) {
  return sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) + time;
}

ZoneRule rule(std::string_view text) {
  const auto parsed = ZoneRule::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(*ZoneRule::parse("UTC0"));
}

TEST(ZoneRule, counts_what_is_ahead_of_utc) {
  EXPECT_EQ(rule("UTC0").at(utc(2026, 1, 1)).offset, 0s);
  EXPECT_EQ(rule("EST5").at(utc(2026, 1, 1)).offset, -5h);
  EXPECT_EQ(rule("<+0545>-5:45").at(utc(2026, 1, 1)).offset, 5h + 45min);
  EXPECT_EQ(rule("LMT-0:53:28").at(utc(2026, 1, 1)).offset, 53min + 28s);
  EXPECT_EQ(rule("UTC0").at(utc(2026, 1, 1)).until, std::nullopt);
}

TEST(ZoneRule, changes_on_the_days_of_the_rule) {
  const ZoneRule berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
  const sys_seconds begin = utc(2026, 3, 29, 1h);
  const sys_seconds end = utc(2026, 10, 25, 1h);
  EXPECT_EQ(berlin.at(begin - 1s).offset, 1h);
  EXPECT_EQ(berlin.at(begin - 1s).until, begin);
  EXPECT_EQ(berlin.at(begin).offset, 2h);
  EXPECT_EQ(berlin.at(begin).until, end);
  EXPECT_EQ(berlin.at(end).offset, 1h);
  EXPECT_EQ(berlin.at(end).until, utc(2027, 3, 28, 1h));
}

TEST(ZoneRule, has_summer_over_new_year_in_the_south) {
  const ZoneRule sydney = rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
  EXPECT_EQ(sydney.at(utc(2026, 12, 31)).offset, 11h);
  EXPECT_EQ(sydney.at(utc(2026, 7, 1)).offset, 10h);
  EXPECT_EQ(sydney.at(utc(2026, 12, 31)).until, utc(2027, 4, 3, 16h));
}

TEST(ZoneRule, knows_days_by_number) {
  // J60 is the first of March in every year, 59 only in a common one.
  const ZoneRule julian = rule("XXX0YYY,J60/0,J300");
  const ZoneRule numbered = rule("XXX0YYY,59/0,J300");
  EXPECT_EQ(julian.at(utc(2027, 1, 1)).until, utc(2027, 3, 1));
  EXPECT_EQ(julian.at(utc(2028, 1, 1)).until, utc(2028, 3, 1));
  EXPECT_EQ(numbered.at(utc(2027, 1, 1)).until, utc(2027, 3, 1));
  EXPECT_EQ(numbered.at(utc(2028, 1, 1)).until, utc(2028, 2, 29));
}

TEST(ZoneRule, takes_times_outside_the_day) {
  // RFC 8536: Greenland, an hour before the day begins; Gaza, two days after it.
  const ZoneRule nuuk = rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
  EXPECT_EQ(nuuk.at(utc(2026, 1, 1)).until, utc(2026, 3, 29, 1h));
  const ZoneRule gaza = rule("EET-2EEST,M3.4.4/50,M10.4.4/50");
  EXPECT_EQ(gaza.at(utc(2026, 1, 1)).until, utc(2026, 3, 28, 0h));
}

TEST(ZoneRule, may_have_daylight_time_all_year) {
  const ZoneRule all = rule("XXX3EDT4,0/0,J365/23");
  for (int day = 0; day < 800; ++day) {
    const ZoneOffset here = all.at(utc(2027, 1, 1) + std::chrono::days(day));
    ASSERT_EQ(here.offset, -4h);
    ASSERT_EQ(here.until, std::nullopt);
  }
  EXPECT_EQ(all.at(utc(2028, 1, 1, 4h) - 1s).offset, -4h);
  EXPECT_EQ(all.at(utc(2028, 1, 1, 4h)).offset, -4h);
}

TEST(ZoneRule, takes_the_rule_of_the_united_states_without_one) {
  EXPECT_EQ(rule("EST5EDT").at(utc(2026, 1, 1)).until, utc(2026, 3, 8, 7h));
  EXPECT_EQ(rule("EST5EDT").at(utc(2026, 7, 1)).until, utc(2026, 11, 1, 6h));
  EXPECT_EQ(rule("EST5EDT4:30").at(utc(2026, 7, 1)).offset, -4h - 30min);
}

TEST(ZoneRule, holds_for_any_moment) {
  const ZoneRule berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_EQ(berlin.at(sys_seconds::min()).until, std::nullopt);
  EXPECT_EQ(berlin.at(sys_seconds::max()).until, std::nullopt);
  EXPECT_EQ(berlin.at(utc(1912, 7, 1)).offset, 2h);
}

TEST(ZoneRule, refuses_all_else) {
  for (const char* text : {"",
                           "UTC",
                           "UT0",
                           "0",
                           "CET-",
                           "CET-25",
                           "CET-1:60",
                           "CET-1 ",
                           " CET-1",
                           "<CET-1",
                           "<+1>-1",
                           "C1T-1",
                           "CET-1CEST,",
                           "CET-1CEST,M3.5.0",
                           "CET-1CEST,M3.5.0,",
                           "CET-1CEST,M13.5.0,M10.5.0",
                           "CET-1CEST,M0.5.0,M10.5.0",
                           "CET-1CEST,M3.6.0,M10.5.0",
                           "CET-1CEST,M3.5.7,M10.5.0",
                           "CET-1CEST,M3.5,M10.5.0",
                           "CET-1CEST,J0,J365",
                           "CET-1CEST,J1,J366",
                           "CET-1CEST,366,1",
                           "CET-1CEST,M3.5.0/168,M10.5.0",
                           "CET-1CEST,M3.5.0,M10.5.0/3,",
                           "CET-1CEST,M3.5.0,M10.5.0/3x",
                           "CET-1CEST2:00:00:00,M3.5.0,M10.5.0",
                           "CET-1CE",
                           "Europe/Berlin",
                           ":UTC0"}) {
    EXPECT_FALSE(ZoneRule::parse(text)) << text;
  }
}

}  // namespace
}  // namespace xsd
