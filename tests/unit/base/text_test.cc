// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/text.h"

#include <gtest/gtest.h>

#include <array>

namespace xsd {
namespace {

std::string escape(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(AppendEscaped, leaves_plain_text_and_utf8_alone) {
  EXPECT_EQ(escape("plain text 'quoted' äöü €"), "plain text 'quoted' äöü €");
}

TEST(AppendEscaped, shows_controls_and_backslashes) {
  EXPECT_EQ(escape("a\nb\rc\td\\e"), "a\\nb\\rc\\td\\\\e");
  EXPECT_EQ(escape(std::string_view("\0\x1b[31m\x7f", 7)), "\\x00\\x1b[31m\\x7f");
}

TEST(AppendEscaped, shows_bytes_that_are_no_utf8) {
  EXPECT_EQ(escape("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(escape("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
}

TEST(AppendEscaped, shows_code_points_that_break_lines_or_steer_terminals) {
  EXPECT_EQ(escape("\xc2\x85"), "\\xc2\\x85");           // NEL
  EXPECT_EQ(escape("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");  // LINE SEPARATOR
  EXPECT_EQ(escape("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // RIGHT-TO-LEFT OVERRIDE
  EXPECT_EQ(escape("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");  // LEFT-TO-RIGHT ISOLATE
}

TEST(AppendEscaped, makes_one_line_of_any_byte) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    for (const char out : escape({&c, 1}))
      EXPECT_TRUE(static_cast<unsigned char>(out) >= 0x20 && out != 0x7f) << byte;
  }
}

TEST(Quoted, escapes_quotes_and_cuts_long_text) {
  EXPECT_EQ(quoted("it's"), "'it\\'s'");
  EXPECT_EQ(quoted("abcdef", 3), "'abc...'");
  EXPECT_EQ(quoted(""), "''");
}

TEST(AppendJsonString, writes_what_rfc8259_allows) {
  EXPECT_EQ(json("a\"b\\c\n\x01\x7f"), R"("a\"b\\c\n\u0001\u007f")");
  EXPECT_EQ(json("\xff"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(json("\xe2\x80\xa8"), R"("\u2028")");
  EXPECT_EQ(json("\xc2\x85"), R"("\u0085")");
}

TEST(Utf8SequenceLength, knows_the_limits_of_rfc3629) {
  EXPECT_EQ(utf8_sequence_length("a"), 1U);
  EXPECT_EQ(utf8_sequence_length("\xf4\x8f\xbf\xbf"), 4U);
  EXPECT_EQ(utf8_sequence_length("\xf4\x90\x80\x80"), 0U);
  EXPECT_EQ(utf8_sequence_length("\xe2\x82"), 0U);
  EXPECT_EQ(utf8_sequence_length(""), 0U);
}

TEST(EqualsIgnoringCase, folds_ascii_only) {
  EXPECT_TRUE(equals_ignoring_case("NoDelay", "NODELAY"));
  EXPECT_FALSE(equals_ignoring_case("NoDelay", "NoDela"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\xa4", "\xc3\x84"));
}

TEST(NearestWord, finds_what_was_meant_and_nothing_else) {
  constexpr std::array<std::string_view, 5> kKnown = {"per_source", "server", "server_args", "wait", "user"};
  EXPECT_EQ(nearest_word("per_sorce", kKnown), "per_source");
  EXPECT_EQ(nearest_word("sevrer", kKnown), "server");
  EXPECT_EQ(nearest_word("waiting_for_godot", kKnown), "");
  EXPECT_EQ(nearest_word("Wait", kKnown), "wait");
  EXPECT_EQ(nearest_word("", kKnown), "");
  EXPECT_EQ(nearest_word(std::string(1000, 'x'), kKnown), "");
}

TEST(NextLine, takes_one_line_after_the_other) {
  std::string_view text = "one\n\ntwo\r\nthree";
  EXPECT_EQ(next_line(text), "one");
  EXPECT_EQ(next_line(text), "");
  EXPECT_EQ(next_line(text), "two\r");
  EXPECT_EQ(next_line(text), "three");
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(next_line(text), "");
}

TEST(ByteOrderMark, is_skipped_once) {
  std::string_view text = "\xEF\xBB\xBF\xEF\xBB\xBFx";
  skip_byte_order_mark(text);
  EXPECT_EQ(text, "\xEF\xBB\xBFx");
  std::string_view plain = "\xEF\xBBx";
  skip_byte_order_mark(plain);
  EXPECT_EQ(plain, "\xEF\xBBx");
}

TEST(Trim, takes_blanks_off_both_ends) {
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

}  // namespace
}  // namespace xsd
