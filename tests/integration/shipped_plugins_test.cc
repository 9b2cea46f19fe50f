// SPDX-License-Identifier: Apache-2.0
//
// The loadable plugins that ship, from the folder they are built into, in the real daemon. It hosts them
// itself
// (`--workers 0`), which root's daemon would not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ShippedPlugins : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("xsd.yaml", "daemon:\n  plugin_dirs: [" XSD_PLUGIN_BUILD_DIR
                             "]\n  stop_timeout: 100ms\ninclude: [conf.d/*.yaml]\n");
    folder.make_folder("conf.d");
    folder.make_folder("logs");
    if (!is_root()) return;
    if (const std::string why = why_not_as_nobody(); !why.empty()) GTEST_SKIP() << why;
    folder.give_to(kNobody, kNobody);
  }
  DaemonOptions options() const {
    DaemonOptions made{.config = folder / "xsd.yaml", .arguments = {"--workers", "0"}};
    if (is_root()) made.start.in_child = become_nobody;
    return made;
  }
  void write_chat(std::uint16_t port, const std::string& settings) {
    folder.write("conf.d/chat.yaml", "service: chat\nplugin: chat\nlisten: [\"" + tcp(port) +
                                         "\"]\nsettings: {" + settings + "}\n");
  }
  std::string log() const { return folder.string("logs/records"); }
  /// TCP and UDP.
  void write_logd(std::uint16_t port, std::string_view more = "") {
    folder.write("conf.d/logd.yaml", "service: logd\nplugin: logd\nlisten: [\"" + tcp(port) + "\", \"" +
                                         udp(port) + "\"]\nsettings: {file: " + log() + std::string(more) +
                                         "}\n");
  }
  bool wait_line(const std::string& end) const {
    return eventually([&] { return fs::exists(log()) && contains(read_file(log()), end + "\n"); });
  }

  TempFolder folder;
};

TEST_F(ShippedPlugins, chat_brings_two_together) {
  const std::uint16_t port = free_port();
  write_chat(port, "announce: no, greeting: welcome, max_users: 2");
  Daemon daemon(folder, options());
  Client a(port);
  Client b(port);
  EXPECT_EQ(a.receive_line(), "welcome");
  EXPECT_EQ(b.receive_line(), "welcome");
  EXPECT_TRUE(a.send("hello\n"));
  EXPECT_EQ(b.receive_line(), "hello");
  EXPECT_EQ(ask(port), "too many users\n");
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(ShippedPlugins, chat_goes_on_through_a_reload_of_others) {
  const std::vector<std::uint16_t> ports = free_ports(2);
  write_chat(ports[0], "announce: no");
  Daemon daemon(folder, options());
  Client a(ports[0]);
  Client b(ports[0]);
  EXPECT_TRUE(a.send("one\n"));
  EXPECT_EQ(b.receive_line(), "one");
  write_logd(ports[1]);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 0, changed 0, kept 1"));
  EXPECT_TRUE(a.send("two\n"));
  EXPECT_EQ(b.receive_line(), "two");
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(ShippedPlugins, logd_collects_from_both_sockets) {
  const std::uint16_t port = free_port();
  write_logd(port);
  Daemon daemon(folder, options());
  UdpClient datagrams(port);
  EXPECT_TRUE(datagrams.send("<34>Oct 11 22:14:15 host su: by datagram"));
  EXPECT_TRUE(wait_line("Z auth.crit host su by datagram"));
  Client stream(port);
  EXPECT_TRUE(stream.send("<34>1 - host su - - - by line\n36 <34>1 - host su - - - by octet count"));
  EXPECT_TRUE(wait_line("Z auth.crit host su by line"));
  EXPECT_TRUE(wait_line("Z auth.crit host su by octet count"));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(ShippedPlugins, logd_rotates) {
  const std::uint16_t port = free_port();
  write_logd(port, ", rotate_size: 4K, rotate_keep: 2");
  Daemon daemon(folder, options());
  Client stream(port);
  for (int i = 0; i < 300; ++i)
    EXPECT_TRUE(stream.send("<13>a: number " + std::to_string(i) + "\n"));
  EXPECT_TRUE(wait_line(" a number 299"));
  EXPECT_TRUE(fs::exists(log() + ".1"));
  EXPECT_TRUE(fs::exists(log() + ".2"));
  EXPECT_FALSE(fs::exists(log() + ".3"));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(ShippedPlugins, logd_has_written_everything_when_the_daemon_has_stopped) {
  const std::uint16_t port = free_port();
  write_logd(port, ", sync: yes");
  Daemon daemon(folder, options());
  Client stream(port);
  EXPECT_TRUE(stream.send("<13>a: one\n<13>a: without an end"));
  EXPECT_TRUE(wait_line(" a one"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(wait_line(" a without an end"));
}

TEST_F(ShippedPlugins, faults_in_settings_have_their_place) {
  write_chat(free_port(), "max_users: many");
  folder.write("conf.d/logd.yaml",
               plugin_service("logd", "logd", free_port(), "settings:\n  file: /nowhere/log\n  rotate: 5\n"));
  const RunResult result = run_xsd({"--check", "-c", folder.string("xsd.yaml")});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.out, HasSubstr("chat.yaml:"));
  EXPECT_THAT(result.out, HasSubstr("max_users"));
  EXPECT_THAT(result.out, HasSubstr("'rotate'"));
  folder.write("conf.d/logd.yaml",
               plugin_service("logd", "logd", free_port(), "settings:\n  file: /nowhere/log\n"));
  EXPECT_THAT(run_xsd({"--check", "-c", folder.string("xsd.yaml")}).out,
              HasSubstr("its folder was not found"));
}

}  // namespace
}  // namespace xsd::test
