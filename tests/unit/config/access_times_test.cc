// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/access_times.h"

#include <gtest/gtest.h>

#include <random>

namespace xsd::config {
namespace {

constexpr std::uint8_t kMonday = 1;
constexpr std::uint8_t kFriday = 1 << 4;
constexpr std::uint8_t kSaturday = 1 << 5;
constexpr std::uint8_t kSunday = 1 << 6;

AccessWindow window(std::string_view text) {
  const auto parsed = parse_access_window(text);
  EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().text());
  return parsed.value_or(AccessWindow{});
}

std::string error(std::string_view text) {
  const auto parsed = parse_access_window(text);
  return parsed ? "accepted as " + to_string(*parsed) : parsed.error().text();
}

TEST(AccessWindow, is_read_in_all_its_forms) {
  EXPECT_EQ(window("8:00-18:00"), (AccessWindow{kEveryDay, 480, 1080}));
  EXPECT_EQ(window("08:05-18:59"), (AccessWindow{kEveryDay, 485, 1139}));
  EXPECT_EQ(window("22:00-06:00"), (AccessWindow{kEveryDay, 1320, 360}));
  EXPECT_EQ(window("0:00-24:00"), (AccessWindow{kEveryDay, 0, 1440}));
  EXPECT_EQ(window("Mon-Fri 08:00-18:00"), (AccessWindow{0x1f, 480, 1080}));
  EXPECT_EQ(window("Sat,Sun 10:00-12:00"), (AccessWindow{kSaturday | kSunday, 600, 720}));
  EXPECT_EQ(window("Fri-Mon 22:00-6:00"), (AccessWindow{kFriday | kSaturday | kSunday | kMonday, 1320, 360}));
  EXPECT_EQ(window("MONDAY,fri-SUN 1:00-2:00"),
            (AccessWindow{kMonday | kFriday | kSaturday | kSunday, 60, 120}));
  EXPECT_EQ(window("Sun   1:00-2:00"), (AccessWindow{kSunday, 60, 120}));
}

TEST(AccessWindow, has_both_ends_in_it) {
  EXPECT_EQ(window("8:00-18:00").length(), 601U);
  EXPECT_EQ(window("8:00-8:01").length(), 2U);
  EXPECT_EQ(window("22:00-06:00").length(), 481U);
  EXPECT_EQ(window("22:00-0:00").length(), 121U);
  EXPECT_EQ(window("22:00-24:00").length(), 120U);
  EXPECT_EQ(window("0:00-24:00").length(), kMinutesOfDay);
  EXPECT_EQ(window("0:00-23:59").length(), kMinutesOfDay);
  EXPECT_EQ(window("12:00-11:59").length(), kMinutesOfDay);
}

TEST(AccessWindow, says_what_is_wrong) {
  EXPECT_EQ(error(""), "the times are missing: write something like 8:00-18:00");
  EXPECT_EQ(error("Mon-Fri"), "'Mon-Fri' has no times: for whole days write 'Mon-Fri 0:00-24:00'");
  EXPECT_EQ(error("Mon "), "'Mon ' has no times: for whole days write 'Mon 0:00-24:00'");
  EXPECT_EQ(error("Mo 8:00-18:00"), "'Mo' is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun");
  EXPECT_EQ(error("Mon,,Tue 8:00-18:00"), "a day is missing");
  EXPECT_EQ(error("Mon- 8:00-18:00"), "a day is missing");
  EXPECT_EQ(error("-Mon 8:00-18:00"), "a day is missing");
  EXPECT_EQ(error(" 8:00-18:00"), "a day is missing");
  EXPECT_EQ(error("Mon-Wed-Fri 8:00-18:00"),
            "'Wed-Fri' is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun");
  EXPECT_EQ(error("Mon-mon 8:00-18:00"), "'Mon-mon' begins and ends on the same day");
  EXPECT_EQ(error("8:00"), "'8:00' is no window: write two times, as in 8:00-18:00");
  EXPECT_EQ(error("8-18"), "'8' is no time: write it as 8:00 or 17:30");
  EXPECT_EQ(error("8:00-18:0"), "'18:0' is no time: write it as 8:00 or 17:30");
  EXPECT_EQ(error("8:00-"), "'' is no time: write it as 8:00 or 17:30");
  EXPECT_EQ(error("008:00-18:00"), "'008:00' is no time: write it as 8:00 or 17:30");
  EXPECT_EQ(error("8:00:00-18:00"), "'8:00:00' is no time: write it as 8:00 or 17:30");
  EXPECT_EQ(error("8:00-18:60"), "'18:60' is no time: the day is from 0:00 to 24:00");
  EXPECT_EQ(error("8:00-24:01"), "'24:01' is no time: the day is from 0:00 to 24:00");
  EXPECT_EQ(error("8:00-25:00"), "'25:00' is no time: the day is from 0:00 to 24:00");
  EXPECT_EQ(error("24:00-8:00"), "a window cannot begin at 24:00: write 0:00");
  EXPECT_EQ(error("8:00-08:00"),
            "'8:00-08:00' begins and ends at the same minute: for the whole day write 0:00-24:00");
  EXPECT_EQ(error("8:00 - 18:00"),
            "'8:00 - 18:00' has a blank in it: write 8:00-18:00, and more than one as a list");
  EXPECT_EQ(error("2:00-9:00 12:00-24:00"),
            "'2:00-9:00 12:00-24:00' has a blank in it: write 8:00-18:00, and more than one as a list");
  EXPECT_EQ(error("Mon 8:00-1\n:00"), "'1\\n:00' is no time: write it as 8:00 or 17:30");
}

TEST(AccessWindow, is_written_as_it_is_read) {
  EXPECT_EQ(to_string(window("8:00-18:00")), "08:00-18:00");
  EXPECT_EQ(to_string(window("monday-friday 8:00-24:00")), "Mon-Fri 08:00-24:00");
  EXPECT_EQ(to_string(window("Fri-Mon 22:00-6:00")), "Mon,Fri-Sun 22:00-06:00");
  EXPECT_EQ(to_string(window("Sat,Sun,Mon 1:00-2:00")), "Mon,Sat,Sun 01:00-02:00");
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    AccessWindow any{static_cast<std::uint8_t>(1 + random() % kEveryDay),
                     static_cast<std::uint16_t>(random() % kMinutesOfDay),
                     static_cast<std::uint16_t>(random() % (kMinutesOfDay + 1))};
    if (any.begin == any.end) continue;
    ASSERT_EQ(window(to_string(any)), any) << to_string(any);
  }
}

}  // namespace
}  // namespace xsd::config
