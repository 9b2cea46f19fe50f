// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/yaml_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "xsd/config/source_file.h"

namespace xsd::config {
namespace {

/// The tree in one line: scalars bare, quoted ones in quotes, nothing as `-`, members and items with their
/// places if asked for.
std::string drawn(const YamlNode& node, bool with_places = false) {
  const auto place = [&](Position where) {
    return with_places ? "@" + std::to_string(where.line) + "." + std::to_string(where.column)
                       : std::string();
  };
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::Null:
      out = "-" + node.scalar;
      break;
    case YamlNode::Kind::Scalar:
      out = node.quoted ? "\"" + node.scalar + "\"" : node.scalar;
      break;
    case YamlNode::Kind::List:
      for (const YamlNode& item : node.items)
        out += (out.empty() ? "" : ", ") + drawn(item, with_places);
      out = "[" + out + "]";
      break;
    case YamlNode::Kind::Map:
      for (const YamlNode::Member& member : node.members) {
        out += (out.empty() ? "" : ", ") + member.key + place(member.where) + ": " +
               drawn(member.value, with_places);
      }
      out = "{" + out + "}";
      break;
  }
  return out + place(node.where);
}

std::string tree_of(std::string_view text, bool with_places = false) {
  DiagnosticSink sink("f", text);
  const std::optional<YamlNode> root = read_yaml(text, sink);
  if (!sink.all().empty() || !root)
    return sink.all().empty() ? "nothing" : format_diagnostic(sink.all().front());
  return drawn(*root, with_places);
}

/// All diagnostics as text. Anything has to be refused (or read) well within two seconds, sanitizers and a
/// busy machine included.
std::string faults_of(std::string_view text) {
  const auto begin = std::chrono::steady_clock::now();
  DiagnosticSink sink("f", text);
  const std::optional<YamlNode> root = read_yaml(text, sink);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  std::string out;
  for (const Diagnostic& diagnostic : sink.all())
    out += format_diagnostic(diagnostic);
  EXPECT_TRUE(root || sink.has_errors());
  return out;
}

/// The first line of the first diagnostic, behind "f:".
std::string fault_of(std::string_view text) {
  const std::string all = faults_of(text);
  return all.empty() ? all : all.substr(2, all.find('\n') - 2);
}

std::string repeat(std::string_view piece, std::size_t count) {
  std::string out;
  out.reserve(piece.size() * count);
  for (; count > 0; --count)
    out += piece;
  return out;
}

// ---- what is read ----

TEST(YamlReader, reads_a_service_file) {
  EXPECT_EQ(
      tree_of(
          "service: echo\nplugin: echo\nlisten: [tcp://127.0.0.1:7, \"udp://*:7\"]\nenv: {A: '1', B: }\n"),
      "{service: echo, plugin: echo, listen: [tcp://127.0.0.1:7, \"udp://*:7\"], env: {A: \"1\", B: -}}");
}

TEST(YamlReader, reads_block_lists_and_nested_maps) {
  EXPECT_EQ(tree_of("services:\n- service: a\n  settings:\n    x: [1, [2]]\n-\n  service: b\n"),
            "{services: [{service: a, settings: {x: [1, [2]]}}, {service: b}]}");
}

TEST(YamlReader, keeps_scalars_as_written) {
  EXPECT_EQ(tree_of("[010, 1e3, no, 1:30, +1, 0x1f, TRUE, .inf]"),
            "[010, 1e3, no, 1:30, +1, 0x1f, TRUE, .inf]");
}

TEST(YamlReader, tells_text_from_words) {
  EXPECT_EQ(tree_of("a: 'null'\nb: \"~\"\nc: |\n  12\nd: >-\n  x\n  y\n"),
            "{a: \"null\", b: \"~\", c: \"12\n\", d: \"x y\"}");
}

TEST(YamlReader, knows_what_is_nothing) {
  EXPECT_EQ(tree_of("a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: nULL\ng: ''\n"),
            "{a: -, b: -~, c: -null, d: -Null, e: -NULL, f: nULL, g: \"\"}");
  EXPECT_EQ(tree_of("a:\nnull: 1\n~: 2\n"), "{a: -, null: 1, ~: 2}");
  EXPECT_EQ(tree_of("a:\nnull b: 1\n"), "{a: -, null b: 1}");
  EXPECT_EQ(tree_of("a: null # c\nb: [null , ~]\n"), "{a: -null, b: [-null, -~]}");
  EXPECT_EQ(tree_of("[a,,~]"), "[a, -, -~]");
}

TEST(YamlReader, takes_an_empty_document_for_nothing) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "\xEF\xBB\xBF", " ", "#"}) {
    EXPECT_EQ(tree_of(text), "-") << text;
  }
}

TEST(YamlReader, reads_the_escapes_of_double_quotes) {
  EXPECT_EQ(tree_of(R"(["\x41\u00e9\U0001F600", "a\tb\n", 'it''s \n', "a\
   b"])"),
            "[\"Aé😀\", \"a\tb\n\", \"it's \\n\", \"ab\"]");
}

TEST(YamlReader, accepts_carriage_returns_and_a_byte_order_mark) {
  EXPECT_EQ(tree_of("\xEF\xBB\xBF"
                    "a: b\r\nc:\r\n- d\r\n",
                    true),
            "{a@1.1: b@1.4, c@2.1: [d@3.3]@3.1}@1.1");
}

TEST(YamlReader, needs_no_line_end_at_the_end) {
  for (const char* text : {"a", "'a'", "a: b", "- a", "[a]"}) {
    EXPECT_EQ(faults_of(text), "") << text;
  }
  EXPECT_EQ(tree_of("a: |\n  b"), "{a: \"b\n\"}");
}

TEST(YamlReader, gives_places_in_characters) {
  EXPECT_EQ(tree_of("ä: [é, €: 'ö']\n  \nb:\n  - ü: x\n", true),
            "{ä@1.1: [é@1.5, {€@1.8: \"ö\"@1.11}@1.8]@1.4, b@3.1: [{ü@4.5: x@4.8}@4.5]@4.3}@1.1");
}

TEST(YamlReader, shows_what_is_missing_where_it_should_be) {
  EXPECT_EQ(tree_of("a:\n\n# c\nb:\n", true), "{a@1.1: -@1.1, b@4.1: -@4.1}@1.1");
  EXPECT_EQ(tree_of("- a\n-\n# c\n\n- # d\n", true), "[a@1.3, -@2.1, -@5.1]@1.1");
}

TEST(YamlReader, finds_members) {
  DiagnosticSink sink("f", "");
  const std::optional<YamlNode> root = read_yaml("a: 1\nb: 2\n", sink);
  ASSERT_TRUE(root);
  ASSERT_NE(root->find("b"), nullptr);
  EXPECT_EQ(root->find("b")->scalar, "2");
  EXPECT_EQ(root->find("B"), nullptr);
  EXPECT_EQ(root->find(""), nullptr);
}

TEST(YamlReader, describes_nodes) {
  YamlNode node;
  EXPECT_EQ(describe(node), "nothing");
  node.kind = YamlNode::Kind::List;
  EXPECT_EQ(describe(node), "a list");
  node.kind = YamlNode::Kind::Map;
  EXPECT_EQ(describe(node), "a map");
  node.kind = YamlNode::Kind::Scalar;
  node.scalar = "it's\n";
  EXPECT_EQ(describe(node), "'it\\'s\\n'");
  node.scalar.assign(1000, 'x');
  EXPECT_LT(describe(node).size(), 80U);
}

// ---- bytes ----

TEST(YamlReader, takes_or_refuses_each_byte_in_a_value) {
  constexpr char kHex[] = "0123456789abcdef";
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string hex{kHex[byte >> 4U], kHex[byte & 15U]};
    const std::string text = std::string("a: 'x") + static_cast<char>(byte) + "y'\n";
    std::string expected;
    if (byte >= 0x80) {
      expected = "1:6: error: byte 0x" + hex + " is not UTF-8";
    } else if (byte == '\r') {
      expected = "1:6: error: a carriage return without a line feed";
    } else if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F) {
      expected = "1:6: error: control character U+00" + hex + " is not allowed";
    } else if (byte == '\'') {
      expected = "1:7: error: unexpected text after the value";
    }
    EXPECT_EQ(fault_of(text), expected) << byte;
  }
}

TEST(YamlReader, refuses_what_is_not_text) {
  EXPECT_EQ(fault_of("a: \xc0\xaf\n"), "1:4: error: byte 0xc0 is not UTF-8");
  EXPECT_EQ(fault_of("é: \xed\xa0\x80\n"), "1:4: error: byte 0xed is not UTF-8");
  EXPECT_EQ(fault_of("a: é\n\xe2\x82"), "2:1: error: byte 0xe2 is not UTF-8");
  EXPECT_EQ(fault_of("a: \xc2\x80\n"), "1:4: error: control character U+0080 is not allowed");
  EXPECT_EQ(fault_of("a: \xc2\x9f\n"), "1:4: error: control character U+009f is not allowed");
  EXPECT_EQ(fault_of("a: \xc2\xa0x\n"), "");
  EXPECT_EQ(fault_of("a: \xEF\xBB\xBFx\n"),
            "1:4: error: a byte order mark is allowed at the start of the file only");
  EXPECT_EQ(fault_of(std::string_view("\xFF\xFE"
                                      "a\0",
                                      4)),
            "1:1: error: this is UTF-16; save it as UTF-8");
  EXPECT_EQ(fault_of(std::string_view("\x7f"
                                      "ELF\x02\0\0",
                                      7)),
            "1:1: error: control character U+007f is not allowed");
}

TEST(YamlReader, refuses_what_escapes_make_of_text) {
  for (const char* escape : {"\\0", "\\x00", "\\e", "\\u0085", "\\x7f", "\\N", "\\_", "\\uFEFF", "\\a"}) {
    EXPECT_EQ(
        fault_of("a: \"x" + std::string(escape) + "\"\n"),
        "1:4: error: an escape in this text gives what is not allowed: a control character, '\\N' or '\\_'")
        << escape;
  }
  EXPECT_EQ(fault_of("a: \"\\r\\n\\t\\u00a0\\L\"\n"), "");
  EXPECT_EQ(fault_of("a: \"b \\q\"\n"),
            "1:7: error: a backslash cannot stand before 'q'; text in single quotes has no escapes");
  EXPECT_EQ(fault_of("a: \"b \\é\"\n"),
            "1:7: error: a backslash cannot stand before 'é'; text in single quotes has no escapes");
  EXPECT_EQ(fault_of("a: \"\\xzz\"\n"), "1:5: error: this escape gives no character");
  EXPECT_EQ(fault_of("a: \"\\ud800\"\n"), "1:5: error: this escape gives no character");
}

// ---- faults ----

TEST(YamlReader, reports_all_equal_keys_in_file_order) {
  EXPECT_EQ(faults_of("service: a\nport: 1\nenv:\n  B: 1\n  A: 2\n  B: 3\nport: 2\n'port': 3\n"),
            "f:6:3: error: 'B' is given twice; the first is in line 4\n  B: 3\n  ^\n"
            "f:7:1: error: 'port' is given twice; the first is in line 2\nport: 2\n^\n"
            "f:8:1: error: 'port' is given twice; the first is in line 2\n'port': 3\n^\n");
}

TEST(YamlReader, keeps_the_first_of_equal_keys) {
  const std::string text = "a: 1\nb: 2\na: 3\nc: 4\na: 5\nd: 6\n";
  DiagnosticSink sink("f", text);
  const std::optional<YamlNode> root = read_yaml(text, sink);
  ASSERT_TRUE(root);
  EXPECT_EQ(drawn(*root), "{a: 1, b: 2, c: 4, d: 6}");
  EXPECT_EQ(sink.error_count(), 2U);
}

TEST(YamlReader, reports_equal_keys_above_a_syntax_fault) {
  EXPECT_EQ(faults_of("a: 1\na: 2\nb: {c: 1, c: 2, d: [x\n"),
            "f:2:1: error: 'a' is given twice; the first is in line 1\na: 2\n^\n"
            "f:3:11: error: 'c' is given twice; the first is in line 3\nb: {c: 1, c: 2, d: [x\n          ^\n"
            "f:3:20: error: '[' is not closed\nb: {c: 1, c: 2, d: [x\n                   ^\n");
}

TEST(YamlReader, compares_keys_exactly) {
  EXPECT_EQ(tree_of("a: 1\nA: 2\n'a ': 3\n"), "{a: 1, A: 2, a : 3}");
}

TEST(YamlReader, finds_quotes_that_are_not_closed) {
  EXPECT_EQ(faults_of("a: b\nlisten: 'tcp://*:7\nuser: it\n"),
            "f:2:9: error: this quote is not closed\nlisten: 'tcp://*:7\n        ^\n");
  for (const char* end : {"", "\n", "\n\n", " \n# \"\n  "}) {
    EXPECT_EQ(fault_of(std::string("a: 'it''s") + end), "1:4: error: this quote is not closed");
    EXPECT_EQ(fault_of(std::string("- 'x") + end), "1:3: error: this quote is not closed");
    EXPECT_EQ(fault_of(std::string("k: [a, 'x") + end), "1:8: error: this quote is not closed");
    EXPECT_EQ(fault_of(std::string("'x") + end), "1:1: error: this quote is not closed");
  }
  EXPECT_EQ(fault_of("a: |\n  'x\nb: \"y\\\"\n"), "3:4: error: this quote is not closed");
  EXPECT_EQ(fault_of("a: \"x\n--- y\"\n"),
            "2:1: error: a document marker inside of quotes; is a quote above not closed?");
}

TEST(YamlReader, finds_tabs_that_indent) {
  EXPECT_EQ(faults_of("a:\n  b: 1\n\tc: 2\n"), "f:3:1: error: a tab cannot indent; use spaces\n\tc: 2\n^\n");
  EXPECT_EQ(faults_of("a:\n  \tb: 1\n"), "f:2:3: error: a tab cannot indent; use spaces\n  \tb: 1\n  ^\n");
  EXPECT_EQ(fault_of("a:\n\t- b\n"), "2:1: error: a tab cannot indent; use spaces");
  EXPECT_EQ(fault_of("a: |\n\tb\n"), "2:1: error: a tab cannot indent; use spaces");
  EXPECT_EQ(tree_of("a:\t[b,\n\tc]\t# d\n"), "{a: [b, c]}");
}

TEST(YamlReader, refuses_what_makes_yaml_hard_to_read) {
  EXPECT_EQ(fault_of("a: &x 1\n"), "1:4: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of("a: & 1\n"), "1:4: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of("a:\n- &x\n  b: 1\n"),
            "2:3: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of("&a b: c\n"), "1:1: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of("a: &a [*a]\n"),
            "1:4: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of("listen: *:7\n"),
            "1:9: error: aliases are not allowed; quote a value that begins with '*'");
  EXPECT_EQ(fault_of("listen: *\n"),
            "1:9: error: aliases are not allowed; quote a value that begins with '*'");
  EXPECT_EQ(fault_of("[a, *b c]\n"),
            "1:5: error: aliases are not allowed; quote a value that begins with '*'");
  EXPECT_EQ(fault_of("a: !!str 1\n"), "1:4: error: tags are not allowed; quote a value that begins with '!'");
  EXPECT_EQ(fault_of("a: ! 1\n"), "1:4: error: tags are not allowed; quote a value that begins with '!'");
  EXPECT_EQ(fault_of("- !<tag:x> 1\n"),
            "1:3: error: tags are not allowed; quote a value that begins with '!'");
  EXPECT_EQ(fault_of("- !<tag\n"), "1:3: error: tags are not allowed; quote a value that begins with '!'");
  EXPECT_EQ(fault_of("a:\n  <<: {b: 1}\n"), "2:3: error: merge keys are not allowed");
  EXPECT_EQ(tree_of("'<<': 1\nb: <<\n"), "{<<: 1, b: <<}");
  EXPECT_EQ(fault_of("a: 1\n---\nb: 2\n"), "2:1: error: a second document is not allowed");
  EXPECT_EQ(fault_of("a: 1\n...\nb: 2\n"),
            "3:1: error: unexpected text after the end; is it indented like the lines above?");
  EXPECT_EQ(fault_of("%YAML 1.2\n---\na: 1\n"),
            "1:1: error: '%' cannot begin a line: YAML directives are not allowed");
  EXPECT_EQ(fault_of("# x\n%TAG ! a\n"),
            "2:1: error: '%' cannot begin a line: YAML directives are not allowed");
}

TEST(YamlReader, wants_plain_keys) {
  EXPECT_EQ(fault_of("[a]: b\n"), "1:1: error: a key must be plain text, not a list");
  EXPECT_EQ(fault_of("? {a: b}\n: c\n"), "1:3: error: a key must be plain text, not a map");
  EXPECT_EQ(fault_of("? - a\n: c\n"), "1:3: error: a key must be plain text, not a list");
  EXPECT_EQ(fault_of("x: {: a}\n"), "1:5: error: a key is missing here");
  EXPECT_EQ(fault_of(": a\n"), "1:1: error: a key is missing here");
}

TEST(YamlReader, says_what_is_expected) {
  EXPECT_EQ(
      fault_of("service:load\nport: 1\n"),
      "2:5: error: unexpected ':'; is a blank missing behind the ':' of the line above, or is this line "
      "indented otherwise?");
  EXPECT_EQ(fault_of("a: b: c\n"), "1:5: error: unexpected ':'; quote a value that contains ': '");
  EXPECT_EQ(fault_of("a: \"b\" c\n"), "1:8: error: unexpected text after the value");
  EXPECT_EQ(fault_of("a: [b] c\n"), "1:8: error: unexpected text after the value");
  EXPECT_EQ(fault_of("a: b\nplugin echo\n"), "2:1: error: expected 'key: value'");
  EXPECT_EQ(fault_of("a: b\n- c\n"),
            "2:1: error: expected 'key: value'; is it indented like the lines above?");
  EXPECT_EQ(fault_of("- a\nb: c\n"),
            "2:1: error: unexpected text after the end; is it indented like the lines above?");
  EXPECT_EQ(fault_of("  a: b\nc: d\n"),
            "2:1: error: unexpected text after the end; is it indented like the lines above?");
  EXPECT_EQ(fault_of("a: - b\n"),
            "1:4: error: unexpected '-'; each entry of such a list begins on a line of its own");
  EXPECT_EQ(fault_of("a: b]\nc: ]\n"), "2:4: error: unexpected ']'");
  EXPECT_EQ(fault_of("a: [b}\n"), "1:6: error: unexpected '}'");
  EXPECT_EQ(fault_of("a: [b,\n  c\n"), "1:4: error: '[' is not closed");
  EXPECT_EQ(fault_of("- [b,\n  c\n"), "1:3: error: '[' is not closed");
  EXPECT_EQ(fault_of("a: {b: c\n"), "1:4: error: '{' is not closed");
  EXPECT_EQ(fault_of("a: [b, c\nd: e\n"), "2:2: error: expected ',' or ']'; the list begins in line 1");
  EXPECT_EQ(fault_of("a: {b: 'c' d}\n"), "1:12: error: expected ',' or '}'");
  EXPECT_EQ(fault_of("a: @b\n"), "1:4: error: unexpected '@'; quote a value that begins with it");
  EXPECT_EQ(fault_of("a: [-w, %{remote_addr}]\n"),
            "1:9: error: unexpected '%'; quote a value that begins with it");
  EXPECT_EQ(fault_of("a: > b\n"),
            "1:6: error: text behind '|' or '>' begins in the next line; quote a value that begins with one "
            "of them");
}

TEST(YamlReader, tells_to_quote_addresses_in_brackets) {
  const std::string hint = "; quote an address in brackets: \"tcp://[::1]:7\"";
  EXPECT_EQ(fault_of("listen: [tcp://[::1]:7]\n"), "1:16: error: expected ',' or ']'" + hint);
  EXPECT_EQ(fault_of("listen: [[::1]:7]\n"), "1:10: error: a key must be plain text, not a list" + hint);
  EXPECT_EQ(fault_of("listen: [::1]:7\n"), "1:14: error: unexpected text after the value" + hint);
  EXPECT_EQ(fault_of("listen:\n- [fe80::1%eth0]:7\n"), "2:17: error: unexpected text after the value" + hint);
  EXPECT_EQ(fault_of("listen: [\"tcp://[::1]:7\" 'x']\n"), "1:26: error: expected ',' or ']'");
  EXPECT_EQ(tree_of("listen: tcp://[::1]:7\n"), "{listen: tcp://[::1]:7}");
  EXPECT_EQ(tree_of("listen: [\"tcp://[::1]:7\"]\n"), "{listen: [\"tcp://[::1]:7\"]}");
}

// ---- limits ----

std::string nested(std::size_t depth) {
  return repeat("[", depth) + "x" + repeat("]", depth) + "\n";
}

TEST(YamlReader, nests_thirty_two_deep) {
  EXPECT_EQ(faults_of(nested(32)), "");
  EXPECT_EQ(fault_of(nested(33)), "1:33: error: nested deeper than 32");
  EXPECT_EQ(fault_of("a:\n- " + nested(31)), "2:33: error: nested deeper than 32");
  EXPECT_EQ(fault_of(repeat("- ", 33) + "x\n"), "1:65: error: nested deeper than 32");
  std::string stairs;
  for (std::size_t i = 0; i < 33; ++i)
    stairs += std::string(i, ' ') + "a:\n";
  EXPECT_EQ(fault_of(stairs), "33:33: error: nested deeper than 32");
}

TEST(YamlReader, counts_keys_and_values) {
  // The list itself is one of them.
  EXPECT_EQ(faults_of(repeat("- a\n", kMaxNodes - 1)), "");
  EXPECT_EQ(fault_of(repeat("- a\n", kMaxNodes)), "65536:3: error: more than 65536 keys and values");
  std::string keys;
  for (int i = 0; i < 50000; ++i)
    keys += "k" + std::to_string(i) + ": v\n";
  EXPECT_EQ(fault_of(keys), "32768:9: error: more than 65536 keys and values");
}

TEST(YamlReader, bounds_the_file) {
  EXPECT_EQ(faults_of("a: " + std::string(kMaxFileSize - 3, 'x')), "");
  EXPECT_EQ(faults_of("a: " + std::string(kMaxFileSize - 2, 'x')), "f: error: larger than 1 MiB\n");
  EXPECT_EQ(faults_of("a: '" + std::string(50 << 20, 'x') + "'"), "f: error: larger than 1 MiB\n");
  EXPECT_EQ(faults_of(repeat("\n", 69999)), "");
  EXPECT_EQ(fault_of(repeat("\n", 70000)), "70000:1: error: more than 70000 lines");
}

TEST(YamlReader, takes_flow_lists_of_some_thousand_entries) {
  EXPECT_EQ(faults_of("a: [" + repeat("192.0.2.255, ", 16000) + "]\n"), "");
  EXPECT_EQ(faults_of("a: [" + repeat("\"2001:db8::255\", ", 4000) + "]\n"), "");
  // In front of a possible key the library has to hold all of it before it tells us anything.
  EXPECT_EQ(fault_of("x: y\na:\n- [" + repeat("192.0.2.255, ", 17000) + "]\n"),
            "3:1: error: too much behind this for one value; write a long list with one '- entry' a line");
}

TEST(YamlReader, takes_many_flow_lists) {
  EXPECT_EQ(faults_of(repeat("- [" + repeat("a,", 1000) + "]\n", 60)), "");
}

TEST(YamlReader, takes_a_megabyte_of_comments_and_text) {
  EXPECT_EQ(faults_of(repeat("# what follows is commented out because of ticket 4711\n", 18000) + "a: b\n"),
            "");
  EXPECT_EQ(
      faults_of("a: |\n" + repeat("  a banner has lines of about this length, as terminals have\n", 15000)),
      "");
  EXPECT_EQ(faults_of("a: 'x" + std::string(kMaxFileSize - 7, 'x') + "'\n"), "");
}

TEST(YamlReader, survives_hostile_input) {
  const std::string deep = "1:1: error: nested deeper than 32 behind this";
  const std::string much =
      "1:1: error: too much behind this for one value; write a long list with one '- entry' a line";
  EXPECT_EQ(fault_of(repeat("[", 100000)), deep);
  EXPECT_EQ(fault_of(repeat("{", 100000)), deep);
  EXPECT_EQ(fault_of(repeat("[", kMaxFileSize)), deep);
  EXPECT_EQ(fault_of(repeat("{a: ", 50000)), deep);
  EXPECT_EQ(fault_of(repeat("[a,", 100000)), deep);
  EXPECT_EQ(fault_of(repeat("- ", 100000)), "1:65: error: nested deeper than 32");
  EXPECT_EQ(fault_of(repeat("? ", 100000)), "1:3: error: a key must be plain text, not a map");
  EXPECT_EQ(fault_of(repeat(": ", 100000)), "1:1: error: a key is missing here");
  EXPECT_EQ(fault_of(repeat("a: ", 100000)), "1:5: error: unexpected ':'; quote a value that contains ': '");
  EXPECT_EQ(fault_of("{" + repeat("? a,", 100000)), much);
  EXPECT_EQ(fault_of("[" + repeat("a,", 500000) + "]"), much);
  EXPECT_EQ(fault_of(repeat("'a' ", 200000)), much);
  EXPECT_EQ(fault_of(repeat("&a ", 300000)), much);
  EXPECT_EQ(fault_of(repeat("!!a ", 200000)), much);
  EXPECT_EQ(fault_of(repeat("- &a 1\n", 50000)),
            "1:3: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of("a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]\n"),
            "1:4: error: anchors are not allowed; quote a value that begins with '&'");
  EXPECT_EQ(fault_of(repeat("%TAG ! tag:x\n", 60000)),
            "1:1: error: '%' cannot begin a line: YAML directives are not allowed");
  EXPECT_EQ(fault_of("'" + std::string(1000000, 'x')), "1:1: error: this quote is not closed");
  EXPECT_EQ(fault_of("\"" + std::string(1000000, '\t')), "1:1: error: this quote is not closed");
  EXPECT_EQ(fault_of(std::string(1000000, 'k') + ": v\n"),
            "1:1000001: error: unexpected ':'; quote a value that contains ': '");
  EXPECT_EQ(fault_of(std::string(1000000, ' ') + "a: ["), "1:1000004: error: '[' is not closed");
  EXPECT_EQ(fault_of(repeat("]", 100000)), "1:1: error: unexpected ']'");
  for (const char blank : {' ', '\t'}) {
    EXPECT_EQ(faults_of(std::string(1000000, blank)), "");
  }
}

TEST(YamlReader, reports_at_most_a_hundred_equal_keys) {
  const std::string text = repeat("a: b\n", 30000);
  DiagnosticSink sink("f", text);
  EXPECT_TRUE(read_yaml(text, sink));
  EXPECT_EQ(sink.error_count(), 29999U);
  EXPECT_EQ(sink.all().size(), 101U);
}

}  // namespace
}  // namespace xsd::config
