// SPDX-License-Identifier: Apache-2.0
//
// xinetd's files to the tree that the same would be in YAML: what was meant, and what is said about the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xsd/config/xinetd_reader.h"
#include "xsd/config/yaml_writer.h"

namespace xsd::config {
namespace {

struct Read {
  XinetdFile file;
  std::string said;  ///< LINE:COL: severity: message
};

Read read(std::string_view text) {
  DiagnosticSink sink("x", text);
  Read out{read_xinetd_file(text, sink), {}};
  for (const Diagnostic& one : sink.all()) {
    out.said += std::to_string(one.where.line) + ":" + std::to_string(one.where.column) +
                (one.severity == Severity::Error ? ": error: " : ": warning: ") + one.message + "\n";
  }
  return out;
}

std::string services_of(std::string_view text) {
  return write_yaml(*read(text).file.root.find("services"));
}

std::string one(std::string_view attributes) {
  return "service s\n{\n" + std::string(attributes) + "}\n";
}

/// The members of the only service but its name.
std::string members_of(std::string_view attributes) {
  XinetdFile file = read(one(attributes)).file;
  YamlNode& service = file.root.members.back().value.items.at(0);
  service.members.erase(service.members.begin());
  return service.members.empty() ? "" : write_yaml(service);
}

std::string said_of(std::string_view attributes) {
  return read(one(attributes)).said;
}

TEST(XinetdReader, reads_what_everybody_writes) {
  const std::string_view text =
      "# default: on\n"
      "service rsync\n"
      "{\n"
      "\tdisable\t= no\n"
      "\tflags\t\t= IPv6 REUSE\n"
      "\tsocket_type     = stream\n"
      "\twait            = no\n"
      "\tuser            = root\n"
      "\tserver          = /usr/bin/rsync\n"
      "\tserver_args     = --daemon  --config=/etc/rsyncd.conf\n"
      "\tlog_on_failure  += USERID\n"
      "}\n"
      "includedir /etc/xinetd.d\n";
  const Read out = read(text);
  EXPECT_EQ(out.said, "");
  EXPECT_EQ(write_yaml(out.file.root),
            "services:\n"
            "  - service: rsync\n"
            "    disable: no\n"
            "    flags: [IPv6, REUSE]\n"
            "    socket_type: stream\n"
            "    wait: no\n"
            "    user: root\n"
            "    server: /usr/bin/rsync\n"
            "    server_args: [\"--daemon\", \"--config=/etc/rsyncd.conf\"]\n"
            "    log_on_failure+: [USERID]\n");
  ASSERT_EQ(out.file.includes.size(), 1U);
  EXPECT_EQ(out.file.includes[0].path, "/etc/xinetd.d");
  EXPECT_TRUE(out.file.includes[0].is_folder);
  EXPECT_EQ(out.file.includes[0].where, (Position{13, 12}));
}

TEST(XinetdReader, spells_out_what_xinetd_takes_for_granted) {
  EXPECT_EQ(write_yaml(xinetd_defaults()),
            "instances: unlimited\n"
            "cps: [50, 10]\n"
            "passenv: [\"*\"]\n"
            "no_new_privs: false\n"
            "rlimit_nofile: hard\n"
            "log_on_success: []\n"
            "log_on_failure: []\n");
  const Read out = read("defaults\n{\n instances = 60\n log_on_success = PID\n log_on_success = HOST\n}\n");
  EXPECT_EQ(out.said, "");
  EXPECT_TRUE(out.file.has_defaults);
  EXPECT_EQ(write_yaml(*out.file.root.find("defaults")),
            "instances: 60\n"
            "log_on_success: [PID, HOST]\n"
            "cps: [50, 10]\n"
            "passenv: [\"*\"]\n"
            "no_new_privs: false\n"
            "rlimit_nofile: hard\n"
            "log_on_failure: []\n");
}

TEST(XinetdReader, tells_programs_their_names_as_xinetd_does) {
  Read out = read(
      "service a\n{\n server = /usr/bin/a%{b\n server_args = -x\n flags = REUSE\n}\n"
      "service b\n{\n server = /usr/bin/b\n}\n"
      "service c\n{\n server = /usr/bin/c\n flags = nameinargs\n server_args = d e\n}\n"
      "service d\n{\n type = INTERNAL\n}\n");
  for (YamlNode::Member& part : out.file.root.members)
    name_programs(part.value);
  EXPECT_EQ(write_yaml(*out.file.root.find("services")),
            "[{service: a, server: \"/usr/bin/a%{b\", server_args: [\"a%%{b\", \"-x\"], flags: [REUSE, "
            "NAMEINARGS]}, "
            "{service: b, server: /usr/bin/b, flags: [NAMEINARGS], server_args: [b]}, "
            "{service: c, server: /usr/bin/c, flags: [nameinargs], server_args: [d, e]}, "
            "{service: d, type: [INTERNAL]}]\n");
}

TEST(XinetdReader, applies_a_limit_with_a_comment_behind_it) {
  EXPECT_EQ(members_of("per_source = 10 # the most of one address\n"), "per_source: 10\n");
  EXPECT_EQ(said_of("per_source = 10 # the most of one address\n"),
            "3:17: warning: a comment wants a line of its own: xinetd takes these words for values of "
            "'per_source' and drops it, here it applies\n");
  EXPECT_EQ(members_of("instances = 50 //at most\n"), "instances: 50\n");
  EXPECT_EQ(members_of("cps = 25 30 #slow\n"), "cps: [25, 30]\n");
  EXPECT_EQ(members_of("flags = REUSE # NODELAY\n"), "flags: [REUSE]\n");
  // These keep theirs.
  EXPECT_EQ(members_of("server_args = -c #1 //x\n"), "server_args: [\"-c\", \"#1\", //x]\n");
  EXPECT_EQ(members_of("server = //usr/bin/x\n"), "server: //usr/bin/x\n");
}

TEST(XinetdReader, ignores_what_xinetd_ignores_and_says_so) {
  EXPECT_EQ(members_of("port = 1 2\nkafel_rule = /x\nmdns = yes\nenabled = s\n"), "");
  EXPECT_EQ(said_of("port = 1 2\nkafel_rule = /x\nmdns = yes\nenabled = s\nbind =\ninstance = 4\n"),
            "3:1: warning: 'port' wants one value, not 2; the line has no effect\n"
            "4:1: warning: 'kafel_rule' is no attribute of xinetd's; the line has no effect\n"
            "5:1: warning: 'mdns' is no attribute of xinetd's; the line has no effect\n"
            "6:1: warning: 'enabled' belongs into 'defaults'; the line has no effect\n"
            "7:1: warning: 'bind' wants one value, not none; the line has no effect\n"
            "8:1: warning: 'instance' is no attribute of xinetd's, did you mean 'instances'?; the line has "
            "no effect\n");
  EXPECT_EQ(members_of("nice = 1\nnice = 2\n"), "nice: 1\n");
  EXPECT_EQ(said_of("nice = 1\nnice = 2\n"),
            "4:1: warning: 'nice' is set already, and the first one counts; the line has no effect\n");
  EXPECT_EQ(said_of("nice += 2\n"),
            "3:1: warning: 'nice' is no set, nothing can be added to it or removed from it; the line has no "
            "effect\n");
  EXPECT_EQ(read("defaults\n{\n disable = yes\n}\n").said,
            "3:2: warning: 'disable' belongs into a service; the line has no effect\n");
}

TEST(XinetdReader, edits_sets_as_xinetd_does) {
  EXPECT_EQ(members_of("only_from = a b\nonly_from += c\nonly_from -= a\n"), "only_from: [b, c]\n");
  EXPECT_EQ(members_of("only_from += c\nonly_from -= a\nonly_from += d\n"),
            "only_from+: [c, d]\nonly_from-: [a]\n");
  EXPECT_EQ(members_of("only_from += c\nonly_from = d\n"), "only_from: [d]\n");
  EXPECT_EQ(members_of("only_from =\n"), "only_from: []\n");
  EXPECT_EQ(members_of("only_from = 10.0.0.0 # home\n"), "only_from: [\"10.0.0.0\"]\n");
}

TEST(XinetdReader, reads_the_environment) {
  EXPECT_EQ(members_of("env = A=1 B=x=y\nenv += A=2\n"), "env: {A: \"2\", B: \"x=y\"}\n");
  EXPECT_EQ(members_of("env = \"PYTHONUNBUFFERED=1\"\n"), "env: {PYTHONUNBUFFERED: \"1\"}\n");
  EXPECT_EQ(said_of("env = A B=1\n"), "3:7: error: 'env' wants NAME=value, not 'A'\n");
}

TEST(XinetdReader, reads_what_has_a_form_of_its_own) {
  EXPECT_EQ(members_of("redirect = db 3306\n"), "redirect: db:3306\n");
  EXPECT_EQ(members_of("redirect = ::1 ssh\n"), "redirect: \"[::1]:ssh\"\n");
  EXPECT_EQ(members_of("server_args = %{x} 100%\n"), "server_args: [\"%%{x}\", \"100%\"]\n");
  EXPECT_EQ(members_of("user = 1000\n"), "user: 1000\ngroup: 1000\n");
  EXPECT_EQ(members_of("user = 1000\ngroup = ctf\n"), "user: 1000\ngroup: ctf\n");
  EXPECT_EQ(members_of("PER_SOURCE = UNLIMITED\n"), "per_source: unlimited\n");
}

TEST(XinetdReader, takes_what_was_meant_where_a_blank_is_missing) {
  EXPECT_EQ(members_of("nice=3\n"), "nice: 3\n");
  EXPECT_EQ(members_of("nice= 3\n"), "nice: 3\n");
  EXPECT_EQ(members_of("log_type =FILE /x\n"), "log_type: [FILE, /x]\n");
  EXPECT_EQ(members_of("only_from +=a\nonly_from+=b\n"), "only_from+: [a, b]\n");
  EXPECT_EQ(said_of("nice=3\nlog_type =FILE /x\n"),
            "3:1: warning: a blank is missing before the operator: xinetd does not take this block\n");
}

TEST(XinetdReader, loses_no_service_without_saying_so) {
  // A brace that is missing ends nothing but its own block.
  EXPECT_EQ(services_of("service a\n{\n port = 1\n\nservice b\n{\n port = 2\n}\n"),
            "[{service: a, port: 1}, {service: b, port: 2}]\n");
  EXPECT_EQ(read("service a\n{\n port = 1\n\nservice b\n{\n port = 2\n}\n").said,
            "5:1: warning: '}' is missing before this line: taken as the end of service 'a', where xinetd "
            "goes on to the next '}'\n");
  EXPECT_EQ(read("service a\n{\n port = 1\n").said,
            "3:1: warning: '}' is missing before this line: taken as the end of service 'a', where xinetd "
            "goes on to the next '}'\n");
  EXPECT_EQ(read("service a {\n port = 1\n}\n").said,
            "1:11: warning: '{' wants a line of its own: xinetd does not take this block\n");
  EXPECT_EQ(services_of("service a { port = 1 }\nservice b\n{ port = 2\n}\n"),
            "[{service: a, port: 1}, {service: b, port: 2}]\n");
  // Errors stand in their service.
  EXPECT_EQ(read("service a\n port = 1\n}\nservice b\n{\n}\n").said,
            "2:2: error: '{' is missing after the head of service 'a'\n");
  EXPECT_EQ(services_of("service a\n port = 1\n}\nservice b\n{\n}\n"),
            "[{service: a, port: 1}, {service: b}]\n");
  EXPECT_EQ(said_of("socket_type stream\n"),
            "3:1: error: an attribute is written 'name = value', and 'socket_type' has no operator\n");
  EXPECT_EQ(read("service\n{\n}\n").said, "1:1: error: the name of the service is missing\n");
  EXPECT_EQ(read("includedir\n").said, "1:1: error: the name of the folder is missing\n");
}

TEST(XinetdReader, says_what_stands_in_no_block) {
  EXPECT_EQ(read("\xD9\x83 prose\n\nand more\n# no\nservice a\n{\n}\n}\n").said,
            "1:1: warning: these 2 lines stand in no block and have no effect\n"
            "8:1: warning: this line stands in no block and has no effect\n");
  EXPECT_EQ(read("#defaults\n{\n instances = 4\n}\nservice a\n{\n}\n").said,
            "2:1: warning: a block without 'service' or 'defaults' before it: what stands in it has no "
            "effect\n");
  EXPECT_EQ(read("Defaults\t//name\n{\n}\nincludedir /x \t//the folder\nincludedir /y z\n").said,
            "5:15: warning: 'z' and what follows has no effect\n");
  EXPECT_EQ(read("defaults\n{\n}\ndefaults\n{\n}\n").said,
            "4:1: warning: a second 'defaults' has no effect\n");
}

TEST(XinetdReader, takes_no_longer_for_lists_that_nobody_writes) {
  const auto many = [](const std::string& begin, const std::string& end) {
    std::string text;
    for (int i = 0; i < 60000; ++i)
      text.append(" ").append(begin).append(std::to_string(i)).append(end);
    return text + "\n";
  };
  EXPECT_EQ(members_of("only_from =" + many("a", "") + "only_from -=" + many("b", "") +
                       "only_from -=" + many("A", "") + "only_from += c\n"),
            "only_from: [c]\n");
  // More than may be.
  const XinetdFile file = read(one("env =" + many("V", "=1"))).file;
  EXPECT_GT(file.root.find("services")->items.at(0).find("env")->members.size(), 1000U);
}

TEST(XinetdReader, reads_line_ends_and_bytes_of_all_kinds) {
  EXPECT_EQ(services_of("\xEF\xBB\xBFservice a\r\n{\r\n\tport\t=\t1\r\n}"), "[{service: a, port: 1}]\n");
  EXPECT_EQ(said_of("# caf\xE9\nserver_args = \xE9t\xE9\n"),
            "4:15: error: '\\xe9t\\xe9' is not UTF-8 without controls\n");
  EXPECT_EQ(said_of("server_args = a\xEF\xBB\xBF\n"),
            "3:15: error: a byte order mark stands in 'a\xEF\xBB\xBF'\n");
}

TEST(XinetdReader, refuses_names_that_yaml_cannot_say) {
  using namespace std::string_literals;
  const Read out = read("service a\0b\n{\n}\nservice c\n{\n}\n"s);
  EXPECT_EQ(out.said, "1:9: error: 'a\\x00b' is not UTF-8 without controls\n");
  EXPECT_EQ(out.file.faulty_services, (std::vector{true, false}));
  EXPECT_EQ(read("includedir /x\xC2\x85\n").said,
            "1:12: error: '/x\\xc2\\x85' is not UTF-8 without controls\n");
  EXPECT_TRUE(read("include /x\0y\n"s).file.includes.empty());
}

}  // namespace
}  // namespace xsd::config
