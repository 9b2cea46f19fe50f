// SPDX-License-Identifier: Apache-2.0
//
// --import from the outside: what is printed where, the exit status, and that the daemon serves what is
// written.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string block(const std::string& name, std::uint16_t port, const std::string& more) {
  return "service " + name +
         "\n{\n\ttype = UNLISTED\n\tsocket_type = stream\n\tprotocol = tcp\n\twait = no\n" +
         "\tuser = " + current_user() + "\n\tport = " + std::to_string(port) + "\n" + more + "}\n";
}

TEST(Import, writes_a_file_that_is_served) {
  const TempFolder folder;
  const std::uint16_t first = free_port();
  const std::uint16_t second = free_port();
  folder.write("xinetd.conf", "defaults\n{\n\tbind = 127.0.0.1\n\tlog_on_success = PID HOST\n}\nincludedir " +
                                  folder.string("xinetd.d") + "\n");
  folder.write("xinetd.d/hello", block("hello", first, "\tserver = /bin/echo\n\tserver_args = hello %{x}\n"));
  folder.write("xinetd.d/twice", block("hello", second, "\tserver = /bin/echo\n\tserver_args = second\n"));
  folder.write("xinetd.d/not.this", "service never\n");
  const RunResult result = run_xsd({"--import", "xinetd", folder.string("xinetd.conf")});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out,
              StartsWith("# from " + folder.string("xinetd.conf") + "\nservices:\n  - service: hello\n"));
  EXPECT_THAT(result.err, HasSubstr("'not.this'"));
  EXPECT_THAT(result.err, HasSubstr("xinetd.d/twice:1:1: note: the id 'hello' is taken, this service gets "
                                    "'hello-2'\n"));
  EXPECT_THAT(result.err, EndsWith("2 services, 5 notes, 0 warnings, 0 not translated\n"));

  folder.write("conf.d/xinetd.yaml", result.out);
  const RunResult checked = run_xsd({"--check", "-c", folder.string("conf.d")});
  EXPECT_EQ(checked.status, 0) << checked.out;
  Daemon daemon(folder);
  EXPECT_EQ(ask(first), "hello %{x}\n");
  EXPECT_EQ(ask(second), "second\n");
  EXPECT_TRUE(daemon.wait_log("hello-2: start"));
}

TEST(Import, exits_with_1_if_something_is_left_out) {
  const TempFolder folder;
  folder.write("inetd.conf",
               "echo stream tcp4 nowait root internal\nrstatd/1-3 dgram rpc/udp wait root /x x\nprose\n");
  const RunResult result = run_xsd({"--import", "inetd", folder.string("inetd.conf")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("services:\n  - service: echo\n"));
  EXPECT_THAT(result.err,
              HasSubstr("inetd.conf:2:18: error: services of the RPC port mapper are not supported\n"));
  EXPECT_THAT(result.err, EndsWith("1 service, 0 notes, 0 warnings, 2 not translated\n"));

  const RunResult json = run_xsd({"--import", "inetd", "--log-format", "json", folder.string("inetd.conf")});
  EXPECT_EQ(json.status, 1);
  EXPECT_THAT(json.err, HasSubstr("\"line\":3,\"column\":1,\"severity\":\"error\""));
}

TEST(Import, says_what_is_missing) {
  const RunResult gone = run_xsd({"--import", "xinetd", "/no/such/file"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.err, HasSubstr("/no/such/file: error: cannot open: No such file or directory\n"));
  const RunResult nothing = run_xsd({"--import", "xinetd"});
  EXPECT_EQ(nothing.status, 2);
  const RunResult later = run_xsd({"--import", "systemd", "x.socket"});
  EXPECT_EQ(later.status, 2);
  EXPECT_THAT(later.err, HasSubstr("socket units of systemd are not read yet"));
}

TEST(Import, fails_if_the_file_cannot_be_written) {
  const TempFolder folder;
  folder.write("inetd.conf", "echo stream tcp4 nowait root internal\n");
  const RunResult result = run({"/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh", xsd_binary(), "--import",
                                "inetd", folder.string("inetd.conf")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, EndsWith("xsd: standard output: No space left on device\n"));
}

}  // namespace
}  // namespace xsd::test
