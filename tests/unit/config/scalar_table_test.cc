// SPDX-License-Identifier: Apache-2.0
//
// cfg_5: sixty scalars that people write, in each kind of field. What is accepted is listed here; everything
// else must be an error, with its place, and never be taken for something else.
#include "config_test.h"

#include <set>

namespace xsd::config {
namespace {

constexpr std::string_view kScalars[] = {
    "0",         "1",         "7",       "022",     "0x10",  "0o17",
    "-1",        "+1",        "1.5",     "1e3",     "65535", "65536",
    "yes",       "no",        "on",      "off",     "true",  "false",
    "True",      "NO",        "y",       "n",       "null",  "~",
    "''",        "\"\"",      "1:30",    "10s",     "250ms", "5m",
    "1h",        "1d",        "10 s",    "s",       "10S",   "1w",
    "64K",       "16M",       "1GiB",    "64KB",    "1k",    "50/s",
    "unlimited", "UNLIMITED", "none",    "forever", "50%",   "/bin/cat",
    "bin/cat",   "tcp://*:7", "*",       "nobody",  "a b",   "\"1\"",
    "'no'",      "100:200",   "200:100", "-20",     "777",   "99999999999999999999",
};

// The scalars of the table that a field takes.
std::set<std::string_view> accepted(std::string_view key, bool program) {
  std::set<std::string_view> out;
  for (const std::string_view scalar : kScalars) {
    std::string text(key);
    text.append(": ").append(scalar).append("\n");
    if (key != "service") text += "service: x\n";
    if (key != "listen" && key != "port") text += "listen: tcp://127.0.0.1:7\n";
    if (program && key != "user") text += "user: nobody\n";
    if (key != "server" && key != "plugin") text += program ? "server: /bin/true\n" : "plugin: echo\n";
    const Decoded decoded = decode_text(text);
    bool has_error = false;
    for (const Diagnostic& diagnostic : decoded.diagnostics) {
      if (diagnostic.severity != Severity::Error) continue;
      has_error = true;
      EXPECT_EQ(diagnostic.where.line, 1U) << text << diagnostic.message;
      EXPECT_GE(diagnostic.where.column, 1U) << text;
    }
    if (!has_error) out.insert(scalar);
    EXPECT_EQ(has_error, decoded.services.empty() || decoded.services[0].definition == nullptr) << text;
  }
  return out;
}

using Set = std::set<std::string_view>;
const Set kBooleans{"yes", "no", "true", "false", "True", "NO", "'no'"};
const Set kDurations{"10s", "250ms", "5m", "1h", "1d"};
const Set kPaths{"/bin/cat"};

TEST(ScalarTable, has_sixty_scalars) {
  EXPECT_EQ(std::size(kScalars), 60U);
  EXPECT_EQ(std::set<std::string_view>(std::begin(kScalars), std::end(kScalars)).size(), 60U);
}

TEST(ScalarTable, takes_booleans) {
  for (const std::string_view key : {"disable", "no_new_privs", "groups"})
    EXPECT_EQ(accepted(key, true), kBooleans) << key;
  EXPECT_EQ(accepted("wait", true), kBooleans);
}

TEST(ScalarTable, takes_durations) {
  EXPECT_EQ(accepted("stop_timeout", true), kDurations);
  Set idle = kDurations;
  idle.insert({"unlimited", "UNLIMITED"});
  EXPECT_EQ(accepted("idle_timeout", false), idle);
}

TEST(ScalarTable, takes_numbers) {
  EXPECT_EQ(accepted("backlog", true), (Set{"1", "7", "65535", "777", "\"1\""}));
  EXPECT_EQ(accepted("instances", true),
            (Set{"0", "1", "7", "65535", "65536", "777", "\"1\"", "unlimited", "UNLIMITED"}));
  EXPECT_EQ(accepted("nice", true), (Set{"0", "1", "7", "-1", "-20", "\"1\""}));
  EXPECT_EQ(accepted("umask", true), (Set{"0", "1", "7", "022", "777", "\"1\""}));
}

TEST(ScalarTable, takes_limits) {
  const Set numbers{"0",     "1",         "7",         "65535", "65536",  "777",
                    "\"1\"", "unlimited", "UNLIMITED", "1:30",  "100:200"};
  EXPECT_EQ(accepted("rlimit_nofile", true), numbers);
  Set sizes = numbers;
  sizes.insert({"64K", "16M", "1GiB", "1k", "5m"});
  EXPECT_EQ(accepted("rlimit_as", true), sizes);
  Set seconds = numbers;
  seconds.insert({"10s", "5m", "1h", "1d"});
  EXPECT_EQ(accepted("rlimit_cpu", true), seconds);
}

TEST(ScalarTable, takes_paths) {
  for (const std::string_view key : {"server", "directory", "chroot"})
    EXPECT_EQ(accepted(key, true), kPaths) << key;
}

TEST(ScalarTable, takes_endpoints_and_ports) {
  EXPECT_EQ(accepted("listen", false), (Set{"tcp://*:7"}));
  const Set ports = accepted("port", false);
  for (const std::string_view number : {"1", "7", "65535", "777", "\"1\""})
    EXPECT_TRUE(ports.contains(number)) << number;
  for (const std::string_view other :
       {"0", "022", "-1", "65536", "1.5", "1:30", "100:200", "50/s", "~", "''", "*", "a b"}) {
    EXPECT_FALSE(ports.contains(other)) << other;
  }
}

TEST(ScalarTable, takes_words) {
  EXPECT_EQ(accepted("stderr", true), Set{"null"});  // a word here
  EXPECT_EQ(accepted("on_remove", true), Set{});
  EXPECT_EQ(accepted("socket_type", false), Set{});
}

TEST(ScalarTable, takes_no_scalar_for_a_list_or_map) {
  for (const std::string_view key :
       {"flags", "server_args", "passenv", "env", "log_on_success", "log_on_failure"}) {
    const Set taken = accepted(key, true);
    EXPECT_EQ(taken, Set{}) << key;
  }
  EXPECT_EQ(accepted("settings", false), (Set{"null", "~"}));  // an empty map
}

TEST(ScalarTable, takes_names) {
  for (const std::string_view key : {"user", "group"}) {
    const Set taken = accepted(key, true);
    EXPECT_TRUE(taken.contains("nobody")) << key;
    EXPECT_TRUE(taken.contains("0")) << key;
    for (const std::string_view bad :
         {"022", "-1", "1:30", "a b", "/bin/cat", "~", "null", "''", "99999999999999999999", "50/s"}) {
      EXPECT_FALSE(taken.contains(bad)) << key << " " << bad;
    }
  }
  const Set names = accepted("service", false);
  for (const std::string_view bad : {"a b", "~", "null", "''", "*", "50%"})
    EXPECT_FALSE(names.contains(bad)) << bad;
}

}  // namespace
}  // namespace xsd::config
