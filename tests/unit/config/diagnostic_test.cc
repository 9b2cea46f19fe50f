// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/diagnostic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace xsd::config {
namespace {

std::string shown(std::string_view text, Position where, std::string message = "wrong") {
  DiagnosticSink sink("conf.d/echo.yaml", text);
  sink.error(where, std::move(message));
  return format_diagnostic(sink.all().at(0));
}

TEST(Diagnostic, shows_line_and_caret) {
  EXPECT_EQ(shown("service: echo\nport: 99999\nwait: no\n", {2, 7}),
            "conf.d/echo.yaml:2:7: error: wrong\n"
            "port: 99999\n"
            "      ^\n");
}

TEST(Diagnostic, names_only_the_file_without_a_place) {
  EXPECT_EQ(shown("a: b\n", {}), "conf.d/echo.yaml: error: wrong\n");
}

TEST(Diagnostic, says_warning) {
  DiagnosticSink sink("f", "a\n");
  sink.warning({1, 1}, "odd");
  EXPECT_FALSE(sink.has_errors());
  EXPECT_EQ(format_diagnostic(sink.all().at(0)), "f:1:1: warning: odd\na\n^\n");
}

TEST(Diagnostic, keeps_tabs_in_front_of_the_caret) {
  EXPECT_EQ(shown("\ta:\t1\n", {1, 5}), "conf.d/echo.yaml:1:5: error: wrong\n\ta:\t1\n\t  \t^\n");
}

TEST(Diagnostic, counts_characters_not_bytes) {
  EXPECT_EQ(shown("größe: €€ x\n", {1, 11}),
            "conf.d/echo.yaml:1:11: error: wrong\ngröße: €€ x\n          ^\n");
}

TEST(Diagnostic, caret_stands_behind_the_end_at_most) {
  EXPECT_EQ(shown("ab\n", {1, 3}), "conf.d/echo.yaml:1:3: error: wrong\nab\n  ^\n");
  EXPECT_EQ(shown("ab\n", {1, 40}), "conf.d/echo.yaml:1:40: error: wrong\nab\n  ^\n");
}

TEST(Diagnostic, shows_no_line_where_there_is_none) {
  EXPECT_EQ(shown("ab\n\ncd", {2, 1}), "conf.d/echo.yaml:2:1: error: wrong\n");
  EXPECT_EQ(shown("ab\n", {7, 1}), "conf.d/echo.yaml:7:1: error: wrong\n");
  EXPECT_EQ(shown("ab\n\ncd", {3, 1}), "conf.d/echo.yaml:3:1: error: wrong\ncd\n^\n");
}

TEST(Diagnostic, leaves_out_line_end_and_byte_order_mark) {
  EXPECT_EQ(shown("\xEF\xBB\xBF"
                  "ab\r\ncd\r\n",
                  {1, 2}),
            "conf.d/echo.yaml:1:2: error: wrong\nab\n ^\n");
}

TEST(Diagnostic, shows_controls_and_broken_bytes_as_question_marks) {
  EXPECT_EQ(shown("a\x1b[31m\xff\xc2\x85\xe2\x80\xae\x7f\\b\n", {1, 13}),
            "conf.d/echo.yaml:1:13: error: wrong\n"
            "a?[31m????\\b\n"
            "            ^\n");
}

TEST(Diagnostic, escapes_the_file_name) {
  Diagnostic diagnostic;
  diagnostic.file = "a\nb\x1b.yaml";
  diagnostic.message = "wrong";
  EXPECT_EQ(format_diagnostic(diagnostic), "a\\nb\\x1b.yaml: error: wrong\n");
}

TEST(Diagnostic, cuts_a_long_line_around_the_column) {
  const std::string line = std::string(300, 'a') + "X" + std::string(300, 'b');
  EXPECT_EQ(shown(line, {1, 301}), "conf.d/echo.yaml:1:301: error: wrong\n..." + std::string(77, 'a') + "X" +
                                       std::string(76, 'b') + "...\n" + std::string(80, ' ') + "^\n");
  EXPECT_EQ(shown(line, {1, 1}), "conf.d/echo.yaml:1:1: error: wrong\n" + std::string(154, 'a') + "...\n^\n");
  const std::string exact(160, 'c');
  EXPECT_EQ(shown(exact, {1, 160}),
            "conf.d/echo.yaml:1:160: error: wrong\n" + exact + "\n" + std::string(159, ' ') + "^\n");
}

TEST(Diagnostic, cuts_between_characters) {
  std::string line;
  for (int i = 0; i < 200; ++i)
    line += "€";
  for (std::uint32_t column = 1; column <= 200; ++column) {
    const std::string text = shown(line, {1, column});
    EXPECT_EQ(text.find('?'), std::string::npos) << column;
    const std::size_t begin = text.find('\n') + 1;
    EXPECT_LE(text.find('\n', begin) - begin, 160U) << column;
  }
}

TEST(Diagnostic, of_a_very_long_line_shows_nothing_far_out) {
  const std::string line(1 << 20, 'a');
  DiagnosticSink sink("f", line);
  sink.error({1, 900000}, "wrong");
  sink.error({1, 10}, "wrong");
  EXPECT_EQ(sink.all().at(0).source_line, "");
  EXPECT_LT(sink.all().at(1).source_line.size(), 200U);
}

TEST(Diagnostic, as_json_is_one_line) {
  DiagnosticSink sink("a\"b.yaml", "x\n");
  sink.error({1, 2}, "unknown key 'r\xc3\xa9'\n");
  sink.warning({}, "odd");
  EXPECT_EQ(format_diagnostic_json(sink.all().at(0)),
            "{\"file\":\"a\\\"b.yaml\",\"line\":1,\"column\":2,\"severity\":\"error\",\"message\":\"unknown "
            "key 'r\xc3\xa9'\\n\"}\n");
  EXPECT_EQ(
      format_diagnostic_json(sink.all().at(1)),
      "{\"file\":\"a\\\"b.yaml\",\"line\":0,\"column\":0,\"severity\":\"warning\",\"message\":\"odd\"}\n");
}

TEST(DiagnosticSink, keeps_a_hundred_of_each_and_counts_all) {
  DiagnosticSink sink("f", "a\n");
  for (int i = 0; i < 1000; ++i)
    sink.warning({1, 1}, "odd");
  EXPECT_FALSE(sink.is_full()) << "with warnings only";
  for (int i = 0; i < 101; ++i)
    sink.error({1, 1}, "wrong");
  EXPECT_TRUE(sink.is_full());
  for (int i = 101; i < 1000; ++i)
    sink.error({1, 1}, {});
  EXPECT_EQ(sink.error_count(), 1000U);
  const auto errors = std::count_if(sink.all().begin(), sink.all().end(),
                                    [](const Diagnostic& d) { return d.severity == Severity::Error; });
  EXPECT_EQ(errors, 101);
  EXPECT_EQ(sink.all().size(), 202U);
  EXPECT_EQ(format_diagnostic(sink.all().back()), "f: error: too many errors; the others are not shown\n");
}

TEST(DiagnosticSink, keeps_notes_apart_from_faults) {
  DiagnosticSink sink("f", "text\n");
  sink.note({1, 2}, "by the way");
  EXPECT_FALSE(sink.has_errors());
  ASSERT_EQ(sink.all().size(), 1U);
  EXPECT_EQ(format_diagnostic(sink.all()[0]), "f:1:2: note: by the way\ntext\n ^\n");
  EXPECT_EQ(format_diagnostic_json(sink.all()[0]),
            "{\"file\":\"f\",\"line\":1,\"column\":2,\"severity\":\"note\",\"message\":\"by the way\"}\n");
}

TEST(DiagnosticSink, keeps_all_for_a_report) {
  DiagnosticSink sink("f", "text\n", DiagnosticSink::Extent::All);
  for (std::uint32_t i = 1; i <= 500; ++i)
    sink.error({i, 1}, "wrong");
  EXPECT_EQ(sink.error_count(), 500U);
  EXPECT_FALSE(sink.is_full());
  ASSERT_EQ(sink.all().size(), 500U);
  EXPECT_EQ(format_diagnostic(sink.all().back()), "f:500:1: error: wrong\n");
}

}  // namespace
}  // namespace xsd::config
