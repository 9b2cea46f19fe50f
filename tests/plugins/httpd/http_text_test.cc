// SPDX-License-Identifier: Apache-2.0
#include "plugins/httpd/http_text.h"

#include <gtest/gtest.h>

#include <ctime>

#include "plugins/httpd/media_types.h"

namespace httpd {
namespace {

TEST(HttpText, dates_are_written_and_read) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(http_date(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(http_date(INT64_MIN), "Mon, 01 Jan 0001 00:00:00 GMT");
  for (std::int64_t time = -3'000'000'000; time < 6'000'000'000; time += 40'000'001) {
    char text[64];
    std::tm parts{};
    const time_t seconds = time;
    gmtime_r(&seconds, &parts);
    (void)std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    EXPECT_EQ(http_date(time), text);
    EXPECT_EQ(parse_http_date(text, 0), time);
  }
}

TEST(HttpText, old_forms_of_dates) {
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", 784111777), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994", 0), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov 16 08:49:37 1994", 0), 784111777 + 864000);
  // 2026: "94" is in the past, "70" in the future.
  EXPECT_EQ(http_date(*parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", 1795309847)).substr(12, 4), "1994");
  EXPECT_EQ(http_date(*parse_http_date("Sunday, 06-Nov-70 08:49:37 GMT", 1795309847)).substr(12, 4), "2070");
}

TEST(HttpText, what_is_no_date) {
  for (const char* const text :
       {"", "0", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 6 Nov 1994 08:49:37 GMT", ", 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "Sun, 00 Nov 1994 08:49:37 GMT"})
    EXPECT_EQ(parse_http_date(text, 0), std::nullopt) << text;
}

TEST(HttpText, lists_and_numbers) {
  std::string_view list = " a ,, b\t,";
  std::string_view element;
  EXPECT_TRUE(next_element(list, element));
  EXPECT_EQ(element, "a");
  EXPECT_TRUE(next_element(list, element));
  EXPECT_EQ(element, "b");
  EXPECT_FALSE(next_element(list, element));
  EXPECT_EQ(parse_digits("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_digits("18446744073709551616"), UINT64_MAX);
  EXPECT_EQ(parse_digits("0007"), 7U);
  EXPECT_EQ(parse_digits(""), std::nullopt);
  EXPECT_EQ(parse_digits("1 "), std::nullopt);
  EXPECT_TRUE(same_word("Content-LENGTH", "content-length"));
  EXPECT_FALSE(same_word("a", "ab"));
}

TEST(MediaTypes, by_the_end_of_the_name) {
  EXPECT_EQ(media_type_of("/a.html"), "text/html; charset=utf-8");
  EXPECT_EQ(media_type_of("/A.PNG"), "image/png");
  EXPECT_EQ(media_type_of("/a.tar.gz"), "application/gzip");
  for (const char* const path : {"/a", "/a.html/b", "/a.", "/a.unknown", "/a.webmanifestx", ""})
    EXPECT_EQ(media_type_of(path), "application/octet-stream") << path;
}

}  // namespace
}  // namespace httpd
