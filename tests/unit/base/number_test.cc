// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/number.h"

#include <gtest/gtest.h>

namespace xsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ParseUnsigned, takes_decimal_digits_only) {
  EXPECT_EQ(parse_unsigned("0"), 0U);
  EXPECT_EQ(parse_unsigned("18446744073709551615"), 18446744073709551615ULL);
  for (const char* const wrong :
       {"", "022", "-1", "+1", "1e3", "0x10", " 1", "1 ", "1.0", "18446744073709551616", "1_000"}) {
    EXPECT_FALSE(parse_unsigned(wrong)) << wrong;
  }
}

TEST(ParseSigned, takes_a_minus_sign) {
  EXPECT_EQ(parse_signed("-20"), -20);
  EXPECT_EQ(parse_signed("9223372036854775807"), 9223372036854775807LL);
  for (const char* const wrong : {"", "-", "--1", "-01", "9223372036854775808"})
    EXPECT_FALSE(parse_signed(wrong)) << wrong;
}

TEST(ParseOctal, takes_modes) {
  EXPECT_EQ(parse_octal("022"), 022U);
  EXPECT_EQ(parse_octal("77"), 077U);
  EXPECT_EQ(parse_octal("07777"), 07777U);
  for (const char* const wrong : {"", "8", "0o22", "17777", "077777", "-1"})
    EXPECT_FALSE(parse_octal(wrong)) << wrong;
}

TEST(ParseBoolean, takes_four_words_in_any_case) {
  EXPECT_EQ(parse_boolean("Yes"), true);
  EXPECT_EQ(parse_boolean("TRUE"), true);
  EXPECT_EQ(parse_boolean("no"), false);
  EXPECT_EQ(parse_boolean("False"), false);
  for (const char* const wrong : {"", "y", "on", "1", "off"})
    EXPECT_FALSE(parse_boolean(wrong)) << wrong;
}

TEST(IsDigits, wants_at_least_one_and_no_other) {
  EXPECT_TRUE(is_digits("0"));
  EXPECT_TRUE(is_digits("007"));
  for (const char* const wrong : {"", "-1", "1 ", "1a", "\xd9\xa1"})
    EXPECT_FALSE(is_digits(wrong)) << wrong;
}

TEST(ParseDuration, takes_a_number_with_a_unit) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("10s"), seconds(10));
  EXPECT_EQ(parse_duration("5m"), minutes(5));
  EXPECT_EQ(parse_duration("1h"), hours(1));
  EXPECT_EQ(parse_duration("10000d"), hours(240000));
  for (const char* const wrong :
       {"", "10", "s", "10 s", "10S", "1.5s", "-1s", "10001d", "1h30m", "1us", "1:30"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(ParseSize, takes_powers_of_1024) {
  EXPECT_EQ(parse_size("64K"), 65536U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("1m"), 1048576U);
  EXPECT_EQ(parse_size("1000"), 1000U);
  for (const char* const wrong : {"", "K", "1KB", "1.5G", "16777216T", "1 K", "-1K"})
    EXPECT_FALSE(parse_size(wrong)) << wrong;
}

TEST(FormatDuration, reads_back) {
  for (const char* const text : {"0s", "250ms", "10s", "5m", "1h", "1d", "90s", "1001ms"}) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(parse_duration(format_duration(*duration)), duration) << text;
  }
  EXPECT_EQ(format_duration(seconds(90)), "90s");
  EXPECT_EQ(format_duration(seconds(120)), "2m");
}

TEST(FormatSize, reads_back) {
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1000ULL, 1024ULL, 65536ULL, 3ULL << 30, 1ULL << 40}) {
    EXPECT_EQ(parse_size(format_size(bytes)), bytes);
  }
  EXPECT_EQ(format_size(65536), "64K");
}

}  // namespace
}  // namespace xsd
