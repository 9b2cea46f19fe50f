// SPDX-License-Identifier: Apache-2.0
#include "logd/log_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace logd {
namespace {

std::string line(std::string_view bytes, std::string_view peer = "192.0.2.7", bool cut = false) {
  std::string out;
  append_line(out, "TIME", parse_syslog(bytes), peer, cut);
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

TEST(LogLine, shows_all_of_a_record) {
  EXPECT_EQ(line("<34>1 - host su 123 ID47 [a b=\"c\"] hello"),
            "TIME auth.crit host su[123]#ID47 [a b=\"c\"] hello\n");
  EXPECT_EQ(line("<34>1 - host su - - - hello"), "TIME auth.crit host su hello\n");
  EXPECT_EQ(line("<191>hello"), "TIME local7.debug 192.0.2.7 - hello\n");
  EXPECT_EQ(line("<0>", ""), "TIME kern.emerg localhost -\n");
}

TEST(LogLine, marks_what_is_malformed_or_cut) {
  EXPECT_EQ(line("hello\nworld"), "TIME malformed 192.0.2.7 - hello\\nworld\n");
  EXPECT_EQ(line("<13>hello", "192.0.2.7", true), "TIME user.notice 192.0.2.7 - hello \\cut\n");
  EXPECT_EQ(line("<13>hello \\cut"), "TIME user.notice 192.0.2.7 - hello \\\\cut\n");
}

TEST(LogLine, is_one_line_whatever_the_bytes_are) {
  std::string bytes = "<13>";
  for (int byte = 0; byte < 256; ++byte)
    bytes += static_cast<char>(byte);
  bytes += '.';
  const std::string out = line(bytes);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
  EXPECT_TRUE(std::all_of(out.begin(), out.end() - 1, [](char c) { return c >= ' ' && c < 0x7f; })) << out;
}

TEST(LogLine, escapes) {
  EXPECT_EQ(escaped(std::string_view("a\\b\n\r\t\0\x1b\x7f", 9)), "a\\\\b\\n\\r\\t\\x00\\x1b\\x7f");
  EXPECT_EQ(escaped("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"), "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(escaped("\xC2\x9B"), "\\xc2\\x9b");           // C1: CSI
  EXPECT_EQ(escaped("\xE2\x80\xA8"), "\\xe2\\x80\\xa8");  // LINE SEPARATOR
  EXPECT_EQ(escaped("\xE2\x80\xAE"), "\\xe2\\x80\\xae");  // RIGHT-TO-LEFT OVERRIDE
  EXPECT_EQ(escaped("\xE2\x81\xA6"), "\\xe2\\x81\\xa6");  // LEFT-TO-RIGHT ISOLATE
  EXPECT_EQ(escaped("\xC0\xAF\xED\xA0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80");
  EXPECT_EQ(escaped("\xE2\x82"), "\\xe2\\x82");
}

TEST(LogLine, keeps_the_columns_whatever_a_unix_peer_calls_itself) {
  EXPECT_EQ(line("<13>x", "/tmp/a b\n"), "TIME user.notice /tmp/a\\x20b\\n - x\n");
}

TEST(LogLine, writes_times_in_utc) {
  std::string out;
  append_time(out, 1795309847, 123999999);
  EXPECT_EQ(out, "2026-11-22T01:10:47.123Z");
  out.clear();
  append_time(out, -1, 0);
  EXPECT_EQ(out, "1969-12-31T23:59:59.000Z");
}

}  // namespace
}  // namespace logd
