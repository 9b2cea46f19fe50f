// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/rate.h"

#include <gtest/gtest.h>

namespace xsd::config {
namespace {

std::string error(std::string_view text) {
  const auto parsed = parse_rate(text);
  return parsed ? "accepted as " + to_string(*parsed) : parsed.error().text();
}

TEST(Rate, is_read_and_written) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_rate("50/s").value(), (Rate{50, 1s}));
  EXPECT_EQ(parse_rate("600/m").value(), (Rate{600, 1min}));
  EXPECT_EQ(parse_rate("10/h").value(), (Rate{10, 1h}));
  EXPECT_EQ(parse_rate("5/d").value(), (Rate{5, 24h}));
  for (const char* text : {"1/s", "1000000000/s", "7/m", "1/h", "1000000000/d"})
    EXPECT_EQ(to_string(parse_rate(text).value()), text);
}

TEST(Rate, says_what_is_wrong) {
  EXPECT_EQ(error(""), "'' is no rate: write one as 50/s, or with /m, /h or /d");
  EXPECT_EQ(error("50"), "'50' is no rate: write '50/s', or with /m, /h or /d");
  EXPECT_EQ(error("fast"), "'fast' is no rate: write one as 50/s, or with /m, /h or /d");
  EXPECT_EQ(error("50/"), "'' is no period of a rate: write /s, /m, /h or /d");
  EXPECT_EQ(error("50/S"), "'S' is no period of a rate: write /s, /m, /h or /d");
  EXPECT_EQ(error("50/sec"), "'sec' is no period of a rate: write /s, /m, /h or /d");
  EXPECT_EQ(error("50/s/s"), "'s/s' is no period of a rate: write /s, /m, /h or /d");
  for (const char* count :
       {"", "0", "-1", "050", "1.5", "1e3", " 5", "5 ", "1000000001", "99999999999999999999"}) {
    EXPECT_EQ(error(std::string(count) + "/s"),
              "'" + std::string(count) + "' is no count of a rate: write a number from 1 to 1000000000");
  }
}

}  // namespace
}  // namespace xsd::config
