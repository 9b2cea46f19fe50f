// SPDX-License-Identifier: Apache-2.0
#include "plugins/httpd/conditions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace httpd {
namespace {

constexpr std::int64_t kModified = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";

std::string chosen(std::vector<Field> fields, Method method = Method::Get, std::uint64_t size = 100) {
  Request request;
  request.method = method;
  request.fields = fields;
  const Selection selection = select(request, {size, kModified, "\"tag\""}, kModified + 100);
  switch (selection.outcome) {
    case Selection::Outcome::Whole:
      return "whole " + std::to_string(selection.length);
    case Selection::Outcome::Part:
      return std::to_string(selection.first) + "+" + std::to_string(selection.length);
    case Selection::Outcome::NotModified:
      return "304";
    case Selection::Outcome::PreconditionFailed:
      return "412";
    case Selection::Outcome::Unsatisfiable:
      return "416";
  }
  return {};
}

TEST(Conditions, none) {
  EXPECT_EQ(chosen({}), "whole 100");
  EXPECT_EQ(chosen({}, Method::Head), "whole 100");
}

TEST(Conditions, tags) {
  EXPECT_EQ(chosen({{"If-None-Match", "\"tag\""}}), "304");
  EXPECT_EQ(chosen({{"if-none-match", "W/\"tag\""}}), "304");
  EXPECT_EQ(chosen({{"If-None-Match", "\"a,b\" , \"tag\""}}), "304");
  EXPECT_EQ(chosen({{"If-None-Match", "\"a\""}, {"If-None-Match", "\"tag\""}}, Method::Head), "304");
  EXPECT_EQ(chosen({{"If-None-Match", "*"}}), "304");
  EXPECT_EQ(chosen({{"If-None-Match", "\"other\""}}), "whole 100");
  EXPECT_EQ(chosen({{"If-None-Match", "tag"}}), "whole 100");
  EXPECT_EQ(chosen({{"If-None-Match", "\"tag"}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Match", "\"tag\""}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Match", "*"}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Match", "W/\"tag\""}}), "412");
  EXPECT_EQ(chosen({{"If-Match", "\"other\""}}), "412");
  EXPECT_EQ(chosen({{"If-Match", ""}}), "412");
}

TEST(Conditions, dates) {
  EXPECT_EQ(chosen({{"If-Modified-Since", kDate}}), "304");
  EXPECT_EQ(chosen({{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}), "304");
  EXPECT_EQ(chosen({{"If-Modified-Since", "Sun Nov  6 08:49:37 1994"}}), "304");
  EXPECT_EQ(chosen({{"If-Modified-Since", kEarlier}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Modified-Since", "yesterday"}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Unmodified-Since", kDate}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Unmodified-Since", kEarlier}}), "412");
}

TEST(Conditions, tags_are_stronger_than_dates) {
  EXPECT_EQ(chosen({{"If-Modified-Since", kDate}, {"If-None-Match", "\"other\""}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Unmodified-Since", kEarlier}, {"If-Match", "\"tag\""}}), "whole 100");
  EXPECT_EQ(chosen({{"If-Match", "\"other\""}, {"If-None-Match", "\"tag\""}}), "412");
}

TEST(Conditions, ranges) {
  EXPECT_EQ(chosen({{"Range", "bytes=0-9"}}), "0+10");
  EXPECT_EQ(chosen({{"Range", "BYTES=90-"}}), "90+10");
  EXPECT_EQ(chosen({{"Range", "bytes=99-99"}}), "99+1");
  EXPECT_EQ(chosen({{"Range", "bytes=90-1000"}}), "90+10");
  EXPECT_EQ(chosen({{"Range", "bytes=1-99999999999999999999999"}}), "1+99");
  EXPECT_EQ(chosen({{"Range", "bytes=-10"}}), "90+10");
  EXPECT_EQ(chosen({{"Range", "bytes=-1000"}}), "0+100");
  EXPECT_EQ(chosen({{"Range", "bytes=100-"}}), "416");
  EXPECT_EQ(chosen({{"Range", "bytes=-0"}}), "416");
  EXPECT_EQ(chosen({{"Range", "bytes=0-"}}, Method::Get, 0), "416");
  EXPECT_EQ(chosen({{"Range", "bytes=-1"}}, Method::Get, 0), "whole 0");
}

TEST(Conditions, ranges_that_do_not_count) {
  for (const char* const text : {"bytes=9-0", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "lines=0-9", "0-9",
                                 "bytes=0-1,5-6", "bytes=--1", "bytes=0x1-2", "bytes 0-1"})
    EXPECT_EQ(chosen({{"Range", text}}), "whole 100") << text;
  EXPECT_EQ(chosen({{"Range", "bytes=0-1"}, {"Range", "bytes=0-1"}}), "whole 100");
  EXPECT_EQ(chosen({{"Range", "bytes=0-1"}}, Method::Head), "whole 100");
  EXPECT_EQ(chosen({{"Range", "bytes=0-1"}, {"If-None-Match", "\"tag\""}}), "304");
}

TEST(Conditions, a_range_of_a_file_that_has_changed_is_the_whole) {
  const Field range{"Range", "bytes=0-9"};
  EXPECT_EQ(chosen({range, {"If-Range", "\"tag\""}}), "0+10");
  EXPECT_EQ(chosen({range, {"If-Range", "W/\"tag\""}}), "whole 100");
  EXPECT_EQ(chosen({range, {"If-Range", "\"other\""}}), "whole 100");
  EXPECT_EQ(chosen({range, {"If-Range", kDate}}), "0+10");
  EXPECT_EQ(chosen({range, {"If-Range", kEarlier}}), "whole 100");
  Request request;
  request.method = Method::Get;
  const std::vector<Field> fields = {range, {"If-Range", kDate}};
  request.fields = fields;
  // Within the second that the date names.
  EXPECT_EQ(select(request, {100, kModified, "\"tag\""}, kModified).outcome, Selection::Outcome::Whole);
}

}  // namespace
}  // namespace httpd
