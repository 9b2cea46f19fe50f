// SPDX-License-Identifier: Apache-2.0
//
// The loadable plugins that ship, from the folder they are built into, in the real daemon: in workers, and
// hosted by the daemon itself (`--workers 0`), which root's daemon would not. And logd as the log of the
// daemon that it lives in.
#include <csignal>

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

class ShippedPlugins : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    folder.write("xsd.yaml", "daemon:\n  plugin_dirs: [" XSD_PLUGIN_BUILD_DIR
                             "]\n  stop_timeout: 100ms\ninclude: [conf.d/*.yaml]\n");
    folder.make_folder("conf.d");
    folder.make_folder("logs");
    fs::permissions(folder / "logs", fs::perms::all);  // whoever it is that writes there
    if (!as_nobody()) return;
    if (const std::string why = why_not_as_nobody(); !why.empty()) GTEST_SKIP() << why;
    folder.give_to(kNobody, kNobody);
  }
  DaemonOptions options() const {
    DaemonOptions made{.config = folder / "xsd.yaml"};
    if (!GetParam()) made.arguments = {"--workers", "0"};
    if (as_nobody()) made.start.in_child = become_nobody;
    return made;
  }
  bool as_nobody() const { return !GetParam() && is_root(); }
  void write_chat(std::uint16_t port, const std::string& settings) {
    folder.write("conf.d/chat.yaml", "service: chat\nplugin: chat\nlisten: [\"" + tcp(port) +
                                         "\"]\nsettings: {" + settings + "}\n");
  }
  const std::string& log() const { return log_; }
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
  std::string log_ = folder.string("logs/records");
};

INSTANTIATE_TEST_SUITE_P(, ShippedPlugins, testing::Bool(),
                         [](const auto& one) { return one.param ? "in_a_worker" : "in_the_daemon"; });

TEST_P(ShippedPlugins, chat_brings_two_together) {
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

TEST_P(ShippedPlugins, chat_goes_on_through_a_reload_of_others) {
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

TEST_P(ShippedPlugins, logd_collects_from_both_sockets) {
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

TEST_P(ShippedPlugins, logd_rotates) {
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

TEST_P(ShippedPlugins, logd_has_written_everything_when_the_daemon_has_stopped) {
  const std::uint16_t port = free_port();
  write_logd(port, ", sync: yes");
  Daemon daemon(folder, options());
  Client stream(port);
  EXPECT_TRUE(stream.send("<13>a: one\n<13>a: without an end"));
  EXPECT_TRUE(wait_line(" a one"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(wait_line(" a without an end"));
}

TEST_P(ShippedPlugins, faults_in_settings_have_their_place) {
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

// ---- the daemon's own log

class OwnLog : public ShippedPlugins {
 protected:
  void SetUp() override {
    ShippedPlugins::SetUp();
    if (IsSkipped()) return;
    write_echo();
  }
  void write_echo(std::string_view more = "") {
    folder.write("conf.d/echo.yaml", echo_service("echo", echo_, more));
  }
  void write_main(std::string_view level) {
    folder.write("xsd.yaml", "daemon:\n  plugin_dirs: [" XSD_PLUGIN_BUILD_DIR
                             "]\n  stop_timeout: 100ms\n  log: {target: {udp: \"127.0.0.1:" +
                                 std::to_string(port_) + "\"}, level: " + std::string(level) +
                                 "}\ninclude: [conf.d/*.yaml]\n");
  }
  DaemonOptions options() const {
    DaemonOptions made = ShippedPlugins::options();
    made.log_to_file = false;
    return made;
  }
  /// Its summary is not where the harness looks for it.
  static void hup(Daemon& daemon) {
    ASSERT_TRUE(daemon.signal(SIGHUP));
    EXPECT_TRUE(daemon.wait_notification("RELOADING=1"));
    EXPECT_TRUE(daemon.wait_notification("READY=1"));
  }
  std::size_t count(std::string_view part) const {
    return fs::exists(log()) ? count_lines(read_file(log()), part) : 0;
  }
  /// Nobody has anything to do, or it would be a loop.
  void expect_quiet(const Daemon& daemon) const {
    const std::vector<pid_t> all{daemon.pid(), server_of(daemon.pid()), role_of(daemon.pid(), "logger"),
                                 worker_of(daemon.pid(), "logd")};
    const auto work_done = [&all] {
      Milliseconds sum{0};
      for (const pid_t pid : all)
        sum += pid > 0 ? cpu_time(pid) : Milliseconds(0);
      return sum;
    };
    EXPECT_TRUE(eventually([&] {  // what is on its way arrives first
      const std::size_t size = read_file(log()).size();
      const Milliseconds before = work_done();
      return holds_for(Milliseconds(500), [&] { return read_file(log()).size() == size; }) &&
             work_done() - before <= Milliseconds(30);
    }));
  }

  const std::uint16_t port_ = free_port();
  const std::uint16_t echo_ = free_port();
};

INSTANTIATE_TEST_SUITE_P(, OwnLog, testing::Bool(),
                         [](const auto& one) { return one.param ? "in_a_worker" : "in_the_daemon"; });

TEST_P(OwnLog, is_collected_by_the_daemons_own_logd) {
  for (const char* const level : {"info", "debug"}) {
    write_main(level);
    write_logd(port_);
    if (as_nobody()) folder.give_to(kNobody, kNobody);
    Daemon daemon(folder, options());
    const std::size_t before = count("echo: end");
    for (int i = 0; i < 20; ++i)
      EXPECT_TRUE(echoes(echo_));
    EXPECT_TRUE(eventually([&] { return count("echo: end") == before + 20; })) << count("echo: end");
    EXPECT_EQ(count("echo: start"), count("echo: end"));
    EXPECT_TRUE(wait_line("started: 2 services, 0 failed, 0 disabled"));
    expect_quiet(daemon);

    write_echo("instances: " + std::string(level == std::string("info") ? "30" : "31") + "\n");
    ASSERT_TRUE(daemon.signal(SIGHUP));
    EXPECT_TRUE(daemon.wait_notification("RELOADING=1"));
    EXPECT_TRUE(daemon.wait_notification("READY=1"));
    EXPECT_TRUE(
        eventually([&] { return count("reload: started 0, stopped 0, changed 1, kept 1, failed 0") > 0; }));
    expect_quiet(daemon);
    EXPECT_EQ(daemon.stop(), 0);
    EXPECT_EQ(daemon.error_output(), "");
  }
}

// What nobody waits for any more is nothing to tell of.
TEST_P(OwnLog, makes_no_loop_when_logd_goes) {
  write_main("debug");
  write_logd(port_);
  if (as_nobody()) folder.give_to(kNobody, kNobody);
  Daemon daemon(folder, options());
  EXPECT_TRUE(wait_line("started: 2 services, 0 failed, 0 disabled"));
  folder.remove("conf.d/logd.yaml");
  hup(daemon);
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(echo_));
  expect_quiet(daemon);
  EXPECT_EQ(count("echo: start"), 0U);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(daemon.error_output(), "");
}

// It tells of its trouble, and has then one line more to write.
TEST_P(OwnLog, makes_no_loop_when_logd_has_trouble) {
  write_main("debug");
  write_logd(port_);
  if (as_nobody()) folder.give_to(kNobody, kNobody);
  Daemon daemon(folder, options());
  EXPECT_TRUE(wait_line("started: 2 services, 0 failed, 0 disabled"));
  fs::rename(folder / "logs", folder / "moved");
  log_ = folder.string("moved/records");  // still open
  const std::string trouble = "logd: cannot open";
  EXPECT_TRUE(eventually([&] { return echoes(echo_) && count(trouble) > 0; }));
  EXPECT_TRUE(holds_for(Milliseconds(1500), [&] { return echoes(echo_) && count(trouble) == 1; }));
  expect_quiet(daemon);
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
