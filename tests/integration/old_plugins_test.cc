// SPDX-License-Identifier: Apache-2.0
//
// Plugins that were built against the header of a released version of the interface (tests/abi), in workers
// of this daemon.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

class OldPlugins : public testing::Test {
 protected:
  OldPlugins() {
    folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins]}\ninclude: [conf.d/*.yaml]\n");
    folder_.write("file", "of the file\n");
    folder_.write("conf.d/cat.yaml", program_service("cat", cat_, {"/bin/cat"}));
    folder_.write("conf.d/echo.yaml", echo_service("echo", echo_));
  }
  void write_old(const std::string& name, const std::string& more = "") const {
    folder_.write("plugins/" + name + ".so", read_file(XSD_OLD_PLUGINS "/" + name + ".so"));
    folder_.write("conf.d/" + name + ".yaml", plugin_service("old", name, port_, more));
  }
  void write_1_1(const std::string& settings = "") const {
    write_old("plugin_1_1",
              std::string(is_root() ? "user: nobody\n" : "") +
                  "hand_over: [cat]\nprograms: {cat: /bin/cat, false: /bin/false}\nsettings: {file: " +
                  folder_.string("file") + ", names: {a: b, c: d}" + settings + "}\n");
  }
  std::string answer(const std::string& line) const { return ask(port_, line + "\n"); }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t cat_ = free_port();
  const std::uint16_t echo_ = free_port();
  const DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

TEST_F(OldPlugins, one_of_1_0_serves_streams_and_datagrams) {
  write_old("plugin_1_0");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("as ever"), "hello as ever\n");
  EXPECT_TRUE(udp_echoes(port_));
  EXPECT_TRUE(daemon.wait_log("old: started"));
  EXPECT_TRUE(daemon.wait_log("old: closed"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log(), HasSubstr("old: stopped"));
}

TEST_F(OldPlugins, one_of_1_1_has_its_settings) {
  write_1_1(", size: 1M, polite: no");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("settings"), "size=1048576 pause=2000000000 polite=0 names=2 kind=3 a=b\n");
  write_1_1(", size: 13");
  EXPECT_THAT(run_xsd({"--check", "-c", folder_.string("xsd.yaml")}).out, HasSubstr("that brings bad luck"));
}

TEST_F(OldPlugins, one_of_1_1_waits_works_and_sends) {
  write_1_1();
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("work"), "worked 42\n");
  EXPECT_EQ(answer("wait"), "waited 0\n");
  EXPECT_EQ(answer("pieces"), "one two three\n");
  EXPECT_THAT(answer("file"), testing::AnyOf("of the file\nsent 0\n", "of the file\nwaits 0\n"));
  Client aborted(port_);
  ASSERT_TRUE(aborted.send("abort\n"));
  EXPECT_EQ(aborted.wait_end(), Ending::Reset);
}

TEST_F(OldPlugins, one_of_1_1_joins_what_it_connects_to_and_what_it_starts) {
  write_1_1();
  Daemon daemon(folder_, options_);
  // What comes before the two are joined waits.
  Client joined(port_);
  ASSERT_TRUE(joined.send("out " + std::to_string(echo_) + "\nat once\n"));
  EXPECT_EQ(joined.receive_line(), "connected 0");
  EXPECT_EQ(joined.receive_line(), "at once");
  EXPECT_TRUE(echoes(joined, "through two of them\n"));
  joined.half_close();
  EXPECT_EQ(joined.wait_end(), Ending::Closed);
  EXPECT_EQ(ask(port_, "run nothing\n"), "run -2\n");
  Client program(port_);
  ASSERT_TRUE(program.send("run cat\n"));
  EXPECT_EQ(program.receive_line(), "started 0");
  EXPECT_TRUE(echoes(program, "through a program\n"));
  program.half_close();
  EXPECT_EQ(program.wait_end(), Ending::Closed);
  EXPECT_EQ(answer("status false"), "ended 1\n");
  EXPECT_THAT(daemon.state("state: old:"), Contains(HasSubstr("lines=4 programs=1")));
}

TEST_F(OldPlugins, one_of_1_1_hands_over) {
  write_1_1();
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "to cat\nthe rest"), "the rest");
  EXPECT_EQ(answer("to echo"), "to -13\n");
  EXPECT_TRUE(daemon.wait_log("old: handed"));
}

TEST_F(OldPlugins, one_of_1_1_hears_of_urgent_data_and_of_datagrams_together) {
  write_1_1();
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_EQ(::send(client.fd(), "!", 1, MSG_OOB | MSG_NOSIGNAL), 1);
  EXPECT_EQ(client.receive_line(), "urgent");
  EXPECT_TRUE(udp_echoes(port_));
}

TEST_F(OldPlugins, are_listed_with_what_they_say_of_themselves) {
  write_old("plugin_1_0");
  write_old("plugin_1_1");
  const std::string list = run_xsd({"--plugins", "-c", folder_.string("xsd.yaml")}).out;
  EXPECT_THAT(list, testing::ContainsRegex("plugin_1_0 +[^ ]+plugin_1_0.so +- +tcp udp +of version 1.0\n"));
  EXPECT_THAT(list, testing::ContainsRegex("plugin_1_1 +[^ ]+plugin_1_1.so +1.1 +tcp udp +of version 1.1\n"));
}

}  // namespace
}  // namespace xsd::test
