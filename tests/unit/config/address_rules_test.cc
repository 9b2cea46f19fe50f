// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/address_rules.h"
#include "xsd/config/diagnostic.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace xsd::config {
namespace {

using Kind = AddressRule::Kind;
using Name = AddressSet::NameKind;

AddressRule parsed(std::string_view text) {
  auto rule = parse_address_rule(text);
  EXPECT_TRUE(rule.has_value()) << text << ": " << (rule ? "" : rule.error().text());
  return rule ? *rule : AddressRule{};
}

std::string fault(std::string_view text) {
  const auto rule = parse_address_rule(text);
  return rule ? "none: " + to_string(*rule) : rule.error().text();
}

/// The networks of an entry, as "10.0.0.0/8 11.0.0.0/8".
std::string networks(std::string_view text) {
  const AddressRule rule = parsed(text);
  EXPECT_EQ(rule.kind, Kind::Network) << text;
  EXPECT_EQ(rule.text, "") << text;
  std::string out;
  for (const net::Prefix& prefix : rule.prefixes)
    out += (out.empty() ? "" : " ") + prefix.to_string();
  return out;
}

TEST(AddressRules, reads_networks) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"192.0.2.7", "192.0.2.7/32"},
      {"10.0.0.1", "10.0.0.1/32"},
      {"255.255.255.255", "255.255.255.255/32"},
      // zeros at the end
      {"128.138.209.0", "128.138.209.0/24"},
      {"10.1.0.0", "10.1.0.0/16"},
      {"127.0.0.0", "127.0.0.0/8"},
      {"0.0.0.0", "0.0.0.0/0"},
      {"0.0.0.1", "0.0.0.1/32"},
      {"0.1.0.0", "0.1.0.0/16"},
      // lengths
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"127.0.0.0/8", "127.0.0.0/8"},
      {"172.16.0.0/12", "172.16.0.0/12"},
      {"192.168.1.11/32", "192.168.1.11/32"},
      {"10.0.0.0/32", "10.0.0.0/32"},
      {"10.1.2.3/8", "10.0.0.0/8"},
      {"255.255.255.255/1", "128.0.0.0/1"},
      // braces
      {"10.1.{2,3}", "10.1.2.0/24 10.1.3.0/24"},
      {"10.1.2.{3,4}", "10.1.2.3/32 10.1.2.4/32"},
      {"10.1.2.{4,3,4}", "10.1.2.3/32 10.1.2.4/32"},
      {"10.1.2.{0,255}", "10.1.2.0/32 10.1.2.255/32"},
      {"10.0.{0}", "10.0.0.0/24"},
      {"10.{1,16}", "10.1.0.0/16 10.16.0.0/16"},
      {"{10,127}", "10.0.0.0/8 127.0.0.0/8"},
      // IPv6
      {"::1", "::1/128"},
      {"::", "::/128"},
      {"::/0", "::/0"},
      {"2001:DB8::1", "2001:db8::1/128"},
      {"2001:db8::/128", "2001:db8::/128"},
      {"2001:db8::/32", "2001:db8::/32"},
      {"2001:db8::1/33", "2001:db8::/33"},
      {"2001:db8:0:0:0:0:0:0", "2001:db8::/128"},
      {"1234:1234:1234:1234:1234:1234:255.255.255.255", "1234:1234:1234:1234:1234:1234:ffff:ffff/128"},
      // IPv4 in IPv6
      {"::ffff:192.0.2.7", "192.0.2.7/32"},
      {"::ffff:10.1.0.0", "10.1.0.0/32"},
      {"::ffff:10.1.0.0/104", "10.0.0.0/8"},
      {"::ffff:0:0/96", "0.0.0.0/0"},
  };
  for (const auto& [text, meaning] : kCases)
    EXPECT_EQ(networks(text), meaning) << text;
}

TEST(AddressRules, reads_names_and_files) {
  const std::string label(63, 'x');
  const std::string longest = label + "." + label + "." + label + "." + label.substr(2);
  ASSERT_EQ(longest.size(), AddressSet::kLongestName);
  const struct {
    std::string text;
    Kind kind;
    std::string meaning;
  } kCases[] = {
      {"host.example.org", Kind::Host, "host.example.org"},
      {"Host.Example.ORG.", Kind::Host, "host.example.org"},
      {"a_b.c-d.e", Kind::Host, "a_b.c-d.e"},
      {"1.2.3.example.org", Kind::Host, "1.2.3.example.org"},
      {"10.x", Kind::Host, "10.x"},
      {longest, Kind::Host, longest},
      {"localhost", Kind::HostOrNetwork, "localhost"},
      {"Localnet.", Kind::HostOrNetwork, "localnet"},
      {"3com", Kind::HostOrNetwork, "3com"},
      {".example.org", Kind::Domain, ".example.org"},
      {".Example.org.", Kind::Domain, ".example.org"},
      {".org", Kind::Domain, ".org"},
      {"." + longest, Kind::Domain, "." + longest},
      {"file:/etc/xsd/office.list", Kind::File, "/etc/xsd/office.list"},
      {"FILE:/a b#c", Kind::File, "/a b#c"},
  };
  for (const auto& c : kCases) {
    const AddressRule rule = parsed(c.text);
    EXPECT_EQ(rule.kind, c.kind) << c.text;
    EXPECT_EQ(rule.text, c.meaning) << c.text;
    EXPECT_TRUE(rule.prefixes.empty()) << c.text;
  }
}

TEST(AddressRules, writes_what_it_reads) {
  for (const std::string_view text :
       {"192.0.2.7", "0.0.0.0/0", "10.1.0.0/16", "10.1.0.0/32", "10.1.2.0/32", "10.1.2.2/31", "10.1.{2,3}",
        "10.1.2.{0,4,255}", "{10,127}", "::1", "::", "::/0", "2001:db8::/32", "2001:db8::", "localhost",
        "host.example.org", ".example.org", "file:/etc/x"}) {
    EXPECT_EQ(to_string(parsed(text)), text);
  }
  EXPECT_EQ(to_string(parsed("10.1.0.0")), "10.1.0.0/16");
  EXPECT_EQ(to_string(parsed("10.1.2.{3}")), "10.1.2.3");
  EXPECT_EQ(to_string(parsed("10.1.2.{0}")), "10.1.2.0/32");
  EXPECT_EQ(to_string(parsed("10.1.{0}")), "10.1.0.0/24");
  EXPECT_EQ(to_string(parsed("192.0.2.7/32")), "192.0.2.7");
  EXPECT_EQ(to_string(parsed("2001:db8::1/128")), "2001:db8::1");
  EXPECT_EQ(to_string(parsed("::ffff:10.1.0.0/128")), "10.1.0.0/32");
}

TEST(AddressRules, says_what_is_wrong) {
  using namespace std::string_literals;
  const std::string x64(64, 'x');
  const std::pair<std::string, std::string> kCases[] = {
      {"", "the entry is empty"},
      {"10.0.0.1 10.0.0.2", "'10.0.0.1 10.0.0.2' has a blank in it: each address is an entry of its own"},
      // less than four parts
      {"10", "'10' is not a whole IPv4 address: write '10.0.0.0/8'"},
      {"10.1", "'10.1' is not a whole IPv4 address: write '10.1.0.0/16'"},
      {"10.1.2", "'10.1.2' is not a whole IPv4 address: write '10.1.2.0/24'"},
      {"10.1.", "'10.1.' is not a whole IPv4 address: write '10.1.0.0/16'"},
      {"10.1.*", "'10.1.*' is not a whole IPv4 address: write '10.1.0.0/16'"},
      {"10.*.*.*", "'10.*.*.*' is not a whole IPv4 address: write '10.0.0.0/8'"},
      {"10.1/12", "'10.1/12' is not a whole IPv4 address: write '10.1.0.0/12'"},
      {"10.1/99", "'10.1/99' is not a whole IPv4 address: write '10.1.0.0/16'"},
      {"10.1.2.3.", "'10.1.2.3.' is not a whole IPv4 address: write '10.1.2.3/32'"},
      // bad parts
      {"10.1.2.256", "'256' in '10.1.2.256' is not a number from 0 to 255"},
      {"999999999999999999999",
       "'999999999999999999999' in '999999999999999999999' is not a number from 0 to 255"},
      {"10.1.2.x", "'x' in '10.1.2.x' is not a number from 0 to 255"},
      {"10.1.2.3-9", "'3-9' in '10.1.2.3-9' is not a number from 0 to 255"},
      {"10.1.2.3-9.", "'3-9' in '10.1.2.3-9.' is not a number from 0 to 255"},
      {"10.1.2.3x/24", "'3x' in '10.1.2.3x/24' is not a number from 0 to 255"},
      {"10.*.2.3", "'*' in '10.*.2.3' is not a number from 0 to 255"},
      {"10..1", "'' in '10..1' is not a number from 0 to 255"},
      {"010.0.0.1", "'010' in '010.0.0.1' has a leading zero"},
      {"10.0.0.1.2", "'10.0.0.1.2' has more than the four parts of an IPv4 address"},
      // lengths
      {"10.0.0.0/33", "the length '33' in '10.0.0.0/33' is not a number from 0 to 32"},
      {"10.0.0.0/", "the length is missing behind '/' in '10.0.0.0/'"},
      {"10.0.0.0/-1", "the length '-1' in '10.0.0.0/-1' is not a number from 0 to 32"},
      {"10.0.0.0/8/8", "the length '8/8' in '10.0.0.0/8/8' is not a number from 0 to 32"},
      {"10.0.0.0/08", "the length '08' in '10.0.0.0/08' has a leading zero"},
      {"10.0.0.0/255.0.0.0", "'255.0.0.0' is a netmask, not a length: write '10.0.0.0/8'"},
      {"10.0.0.0/255.0.255.0",
       "the length '255.0.255.0' in '10.0.0.0/255.0.255.0' is not a number from 0 to 32"},
      {"::/129", "the length '129' in '::/129' is not a number from 0 to 128"},
      {"::/255.0.0.0", "the length '255.0.0.0' in '::/255.0.0.0' is not a number from 0 to 128"},
      {"::1/", "the length is missing behind '/' in '::1/'"},
      {"host.example/24", "'/24' may stand behind an address only, not behind 'host.example'"},
      {".example/24", "'/24' may stand behind an address only, not behind '.example'"},
      // braces
      {"10.1.{2,3", "'}' is missing in '10.1.{2,3'"},
      {"10.1.2,3}", "'{' is missing in front of '}' in '10.1.2,3}'"},
      {"10.1.}2{", "'{' is missing in front of '}' in '10.1.}2{'"},
      {"10.0.0.1,10.0.0.2", "the comma in '10.0.0.1,10.0.0.2' may stand in braces only, as in '10.1.{2,3}'"},
      {"::1,::2", "the comma in '::1,::2' may stand in braces only, as in '10.1.{2,3}'"},
      {"10.1.{2,3}.4", "'.4' in '10.1.{2,3}.4' makes no sense behind the braces, which end the address"},
      {"10.1.{2,3}/24", "'/24' in '10.1.{2,3}/24' makes no sense behind the braces, which end the address"},
      {"10.1{2,3}", "the dot in front of the braces is missing in '10.1{2,3}'"},
      {"10.1.2.3.{4}", "'10.1.2.3.{4}' has more than the four parts of an IPv4 address"},
      {"10.1.{}", "'' in '10.1.{}' is not a number from 0 to 255"},
      {"10.1.{2,}", "'' in '10.1.{2,}' is not a number from 0 to 255"},
      {"10.1.{2,256}", "'256' in '10.1.{2,256}' is not a number from 0 to 255"},
      {"10.x.{2}", "'x' in '10.x.{2}' is not a number from 0 to 255"},
      {".{2}", "'' in '.{2}' is not a number from 0 to 255"},
      {"2001:db8::{1,2}", "the braces in '2001:db8::{1,2}' are for IPv4 addresses only"},
      // IPv6
      {"::g", "'::g' is no IPv6 address"},
      {"::1::", "'::1::' is no IPv6 address"},
      {"10.0.0.1:22", "'10.0.0.1:22' is no IPv6 address"},
      {"2001:db8:/32", "'2001:db8:' is no IPv6 address"},
      {"::1\0x"s, "'::1\\x00x' is no IPv6 address"},
      {std::string(46, ':'), "'" + std::string(46, ':') + "' is no IPv6 address"},
      {"fe80::1%eth0", "the zone '%eth0' in 'fe80::1%eth0' has no meaning here: leave it out"},
      {"[::1]", "'[::1]' is no address: write '::1'"},
      {"[2001:db8::]/32", "'[2001:db8::]/32' is no address: write '2001:db8::/32'"},
      // names
      {"*", "'*' is no address: write '0.0.0.0/0' and '::/0' for everybody"},
      {"*.example.org", "'*.example.org' is no name: write '.example.org' for all of that domain"},
      {"a.*.org", "'a.*.org' is neither an address nor a name: '*' is in none"},
      {"b\xC3\xBC"
       "cher.example",
       "'b\xC3\xBC"
       "cher.example' is neither an address nor a name: '\xC3\xBC' is in none"},
      {"a\xFF", "'a\\xff' is neither an address nor a name: '\\xff' is in none"},
      {"host;x", "'host;x' is neither an address nor a name: ';' is in none"},
      {".", "'.' names no domain"},
      {"..", "'..' names no domain"},
      {"a..b", "a part of the name 'a..b' is empty"},
      {"..b", "a part of the name '..b' is empty"},
      {"a..", "a part of the name 'a..' is empty"},
      {"-a.b", "'-a' in '-a.b' begins or ends with '-', as no part of a name does"},
      {"a-.b", "'a-' in 'a-.b' begins or ends with '-', as no part of a name does"},
      {"host.1", "'host.1' is neither an address nor a name: '1' at its end is a number"},
      {".1", "'.1' is neither an address nor a name: '1' at its end is a number"},
      {x64 + ".org", "'" + x64 + "' is longer than the 63 bytes of a part of a name"},
      {std::string(254, 'x'), "'" + std::string(200, 'x') + "...' is longer than the 253 bytes of a name"},
      // files
      {"/etc/hosts.list", "'/etc/hosts.list' is no address: write 'file:/etc/hosts.list'"},
      {"file:", "the path is missing behind 'file:'"},
      {"file:x", "a file of addresses wants an absolute path, not 'x'"},
      {"file:/etc/", "'/etc/' names a folder, not a file"},
      {"file:/a\0b"s, "the path '/a\\x00b' has a zero byte in it"},
  };
  for (const auto& [text, message] : kCases)
    EXPECT_EQ(fault(text), message) << text;
}

TEST(AddressRules, doubts_that_the_unspecified_address_is_meant) {
  EXPECT_EQ(doubt_about(parsed("::"), "::"),
            "'::' is one address, which no peer has: write '::/0' for every IPv6 address");
  for (const std::string_view text : {"::/0", "::1", "0.0.0.0", "localhost", "file:/x"})
    EXPECT_EQ(doubt_about(parsed(text), text), "") << text;
}

TEST(AddressRules, doubts_that_a_network_is_meant_where_an_address_is_written) {
  EXPECT_EQ(doubt_about(parsed("192.0.2.7/24"), "192.0.2.7/24"),
            "'192.0.2.7/24' is all of '192.0.2.0/24': write that, or '192.0.2.7' for the one address");
  EXPECT_EQ(doubt_about(parsed("2001:db8::1/32"), "2001:db8::1/32"),
            "'2001:db8::1/32' is all of '2001:db8::/32': write that, or '2001:db8::1' for the one address");
  for (const std::string_view text :
       {"192.0.2.0/24", "192.0.2.7/32", "2001:DB8::/32", "0.0.0.0/0", "10.1.{2,3}"})
    EXPECT_EQ(doubt_about(parsed(text), text), "") << text;
}

// ---- Files

struct Read {
  AddressSet set;
  std::vector<std::string> problems;
};

Read read_file(std::string_view text, std::uint32_t base = 0) {
  Read read;
  DiagnosticSink sink("list", text);
  parse_address_file(text, base, read.set, sink);
  for (const Diagnostic& diagnostic : sink.all())
    read.problems.push_back(format_diagnostic(diagnostic));
  return read;
}

/// "1 10.0.0.0/8", "3 .example.org": networks first.
std::vector<std::string> content(const AddressSet& set) {
  std::vector<std::string> out;
  for (const auto& [prefix, entry] : set.networks())
    out.push_back(std::to_string(entry) + " " + prefix.to_string());
  for (const AddressSet::Name& name : set.names())
    out.push_back(std::to_string(name.entry) + " " + std::string(set.text_of(name)));
  return out;
}

TEST(AddressFile, is_lines_of_entries) {
  const Read read = read_file(
      "\xEF\xBB\xBF# office\r\n"
      "10.1.0.0\r\n"
      "\r\n"
      "  \t 10.1.2.{3,4} \t # two\n"
      "Host.Example.org#none\n"
      "   # 10.0.0.1\n"
      ".example.org\n"
      "localnet\n"
      "2001:db8::/32");
  EXPECT_EQ(read.problems, std::vector<std::string>{});
  EXPECT_EQ(content(read.set),
            (std::vector<std::string>{"2 10.1.0.0/16", "4 10.1.2.3/32", "4 10.1.2.4/32", "9 2001:db8::/32",
                                      "5 host.example.org", "7 .example.org", "8 localnet"}));
  EXPECT_EQ(read.set.names()[0].kind, Name::Host);
  EXPECT_EQ(read.set.names()[1].kind, Name::Domain);
  EXPECT_EQ(read.set.names()[2].kind, Name::HostOrNetwork);
}

TEST(AddressFile, may_be_empty) {
  for (const std::string_view text : {"", "\n", "\r\n", "#", " ", "\xEF\xBB\xBF"}) {
    const Read read = read_file(text);
    EXPECT_EQ(read.set.size(), 0U);
    EXPECT_TRUE(read.problems.empty());
  }
}

TEST(AddressFile, goes_on_numbering_where_it_is_told_to) {
  AddressSet set;
  add_rule(parsed("10.0.0.1"), 7, set);
  DiagnosticSink sink("list", "");
  parse_address_file("a\n\n10.0.0.2\n", 100, set, sink);
  EXPECT_EQ(content(set), (std::vector<std::string>{"7 10.0.0.1/32", "103 10.0.0.2/32", "101 a"}));
}

TEST(AddressFile, names_line_and_column_of_each_fault) {
  const Read read = read_file(
      "10.0.0.1\n"
      "  10.0.0.256 # no\r\n"
      "10.0.0.1 ; SBL\n"
      "\tfile:/etc/other\n"
      "::\n"
      "host example\n"
      "10.0.0.2\r10.0.0.3\n");
  EXPECT_EQ(
      read.problems,
      (std::vector<std::string>{
          "list:2:3: error: '256' in '10.0.0.256' is not a number from 0 to 255\n  10.0.0.256 # no\n  ^\n",
          "list:3:10: error: '; SBL' stands behind the entry of this line: a comment begins with '#'\n"
          "10.0.0.1 ; SBL\n         ^\n",
          "list:4:2: error: a file of addresses cannot name another one\n\tfile:/etc/other\n\t^\n",
          "list:5:1: warning: '::' is one address, which no peer has: write '::/0' for every IPv6 address\n"
          "::\n^\n",
          "list:6:6: error: 'example' stands behind the entry of this line: a comment begins with '#'\n"
          "host example\n     ^\n",
          "list:7:1: error: '10.0.0.2\\r10.0.0.3' is neither an address nor a name: '\\r' is in none\n"
          "10.0.0.2?10.0.0.3\n^\n"}));
}

TEST(AddressFile, stops_after_twenty_errors) {
  std::string text;
  for (unsigned i = 0; i < 19; ++i)
    text += "10.1\n";
  EXPECT_EQ(read_file(text).problems.size(), 19U);
  for (unsigned i = 0; i < 100; ++i)
    text += "10.1\n";
  const Read read = read_file(text);
  ASSERT_EQ(read.problems.size(), 21U);
  EXPECT_EQ(read.problems[19],
            "list:20:1: error: '10.1' is not a whole IPv4 address: write '10.1.0.0/16'\n10.1\n^\n");
  EXPECT_EQ(read.problems[20], "list: error: too many errors; the rest of the file is not looked at\n");
}

TEST(AddressFile, warns_twenty_times_at_most) {
  std::string text;
  for (unsigned i = 0; i < 1000; ++i)
    text += "::\n";
  const Read read = read_file(text);
  EXPECT_EQ(read.problems.size(), 20U);
  EXPECT_EQ(read.set.size(), 1000U);
}

TEST(AddressFile, has_four_million_networks_at_most) {
  std::string line = "10.1.2.{0";
  for (unsigned i = 1; i < 256; ++i)
    line += "," + std::to_string(i);
  line += "}\n";
  std::string text;
  constexpr std::size_t kLines = kMaxAddressFileEntries / 256;
  static_assert(kLines * 256 == kMaxAddressFileEntries);
  for (std::size_t i = 0; i < kLines; ++i)
    text += line;
  const Read full = read_file(text);
  EXPECT_EQ(full.set.size(), kMaxAddressFileEntries);
  EXPECT_TRUE(full.problems.empty());
  DiagnosticSink sink("list", "");
  AddressSet set;
  parse_address_file(text + "#\na\n", 0, set, sink);
  ASSERT_EQ(sink.all().size(), 1U);
  EXPECT_EQ(one_line(sink.all()[0]), "list:15627:1: a file of addresses has at most 4000000 entries");
}

TEST(AddressFile, has_a_size_at_most) {
  const std::string text(kMaxAddressFileSize + 1, ' ');
  DiagnosticSink sink("list", "");
  AddressSet set;
  parse_address_file(text, 0, set, sink);
  ASSERT_EQ(sink.all().size(), 1U);
  EXPECT_EQ(sink.all()[0].message, "a file of addresses has at most 256M bytes");
}

}  // namespace
}  // namespace xsd::config
