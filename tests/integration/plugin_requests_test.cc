// SPDX-License-Identifier: Apache-2.0
//
// What plugins ask of the daemon: programs, connections for other services, counters; from a worker, from
// shards and with `--workers 0` (then not as root). The plugin is programs/asking_plugin.c.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr uid_t kNobody = 65534;

void become_nobody() {
  become_user(kNobody);
}

bool is_of_the_locale(const std::string& line) {
  return line.starts_with("LANG=") || line.starts_with("LC_") || line.starts_with("TZ=");
}

class PluginRequests : public testing::TestWithParam<const char*> {
 protected:
  bool has_workers() const { return std::string_view(GetParam()) != "in_the_daemon"; }
  bool has_shards() const { return std::string_view(GetParam()) == "in_shards"; }
  bool as_nobody() const { return !has_workers() && is_root(); }

  void SetUp() override {
    if (as_nobody() && run_xsd({"--version"}, {.in_child = become_nobody}).status != 0)
      GTEST_SKIP() << "the build folder is closed to others";
    folder_.write("plugins/asking.so", read_file(program("asking.so")));
    folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins]}\ninclude: [conf.d/*.yaml]\n");
    write_asking();
    folder_.write("conf.d/cat.yaml", target("cat", "instances: 1\n"));
    options_.start.environment = {"PATH=/usr/bin:/bin"};
    if (!has_workers()) options_.arguments = {"--workers", "0"};
    if (as_nobody()) options_.start.in_child = become_nobody;
    if (as_nobody()) folder_.give_to(kNobody, kNobody);
  }
  std::string user() const { return has_workers() && is_root() ? "user: nobody\n" : ""; }
  /// `programs`: lines to add to those; `more`: to the service.
  void write_asking(const std::string& programs = "", const std::string& more = "") const {
    folder_.write("conf.d/ask.yaml", "service: ask\nplugin: asking\nlisten: " + tcp(port_) + "\n" + user() +
                                         "programs:\n"
                                         "  cat: /bin/cat\n"
                                         "  env: /usr/bin/env\n"
                                         "  id: [/usr/bin/id, -u]\n"
                                         "  pwd: /bin/pwd\n"
                                         "  fail: [/bin/sh, -c, 'echo to the log >&2; exit 3']\n"
                                         "  wait: [/bin/sh, -c, 'echo pid $$; exec sleep 100']\n" +
                                         programs +
                                         "hand_over: [cat, missing, ask]\n"
                                         "env: {FROM_FILE: here, GREETING: replaced}\n"
                                         "stop_timeout: 5s\n" +
                                         more + (has_shards() ? "shards: 2\n" : ""));
  }
  std::string target(const std::string& name, const std::string& more) const {
    return "service: " + name + "\nserver: /bin/cat\nlisten: " + tcp(cat_port_) + "\n" + user() + more;
  }
  /// What comes back for this line, until the end.
  std::string answer(const std::string& line) const { return ask(port_, line + "\n"); }
  /// A client whose program waits, and its pid.
  pid_t start_waiting(Client& client) const {
    EXPECT_TRUE(client.send("run wait\n"));
    return pid_of(client.receive_line());
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t cat_port_ = free_port();
  DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

INSTANTIATE_TEST_SUITE_P(, PluginRequests, testing::Values("in_a_worker", "in_shards", "in_the_daemon"),
                         [](const auto& one) { return one.param; });

// ---- programs

TEST_P(PluginRequests, a_program_has_the_environment_that_was_asked_for) {
  Daemon daemon(folder_, options_);
  std::vector<std::string> lines;
  for (const std::string& line :
       split_lines(answer("run env GREETING=hello REMOTE_ADDR=192.0.2.7 PROTO=mine"))) {
    if (!is_of_the_locale(line)) lines.push_back(line);
  }
  EXPECT_THAT(lines, UnorderedElementsAre("PATH=/usr/bin:/bin", "FROM_FILE=here", "GREETING=hello",
                                          "REMOTE_ADDR=192.0.2.7", "PROTO=mine", "XSD_SERVICE=ask",
                                          "ended error=0 exit=0 signal=0"));
}

TEST_P(PluginRequests, a_program_runs_as_the_user_of_its_service) {
  Daemon daemon(folder_, options_);
  const uid_t wanted = is_root() ? kNobody : getuid();
  EXPECT_THAT(answer("run id"), HasSubstr(std::to_string(wanted) + "\n"));
}

TEST_P(PluginRequests, a_program_runs_no_longer_than_its_service_says) {
  write_asking("", "max_duration: 500ms\n");
  Daemon daemon(folder_, options_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  const pid_t pid = start_waiting(client);
  ASSERT_GT(pid, 0);
  EXPECT_EQ(client.receive_line(), "ended error=0 exit=0 signal=15");
  EXPECT_GE(elapsed(begin), Milliseconds(500));
  EXPECT_FALSE(is_alive(pid));
}

TEST_P(PluginRequests, a_program_starts_where_it_was_asked_to) {
  Daemon daemon(folder_, options_);
  EXPECT_THAT(answer("in /usr pwd"), HasSubstr("/usr\n"));
  EXPECT_THAT(answer("run pwd"), StartsWith("/\n"));
}

// Row spn_1 of reliability.md. With `--workers 0` the plugin that leaks is in the process that starts
// programs.
TEST_P(PluginRequests, a_program_has_three_descriptors_whatever_plugins_leave_open) {
  folder_.write("plugins/leak_descriptors.so", read_file(XSD_BAD_PLUGINS "/leak_descriptors.so"));
  const std::uint16_t leak = free_port();
  const std::uint16_t world = free_port();
  folder_.write("conf.d/leak.yaml", "service: leak\nplugin: leak_descriptors\nlisten: " + tcp(leak) + "\n");
  folder_.write("conf.d/world.yaml", "service: world\nserver: " + program("show_world") +
                                         "\nlisten: " + tcp(world) + "\n" + user());
  write_asking("  world: " + program("show_world") + "\n");
  if (as_nobody()) folder_.give_to(kNobody, kNobody);
  Daemon daemon(folder_, options_);
  ASSERT_TRUE(echoes(leak));
  const pid_t leaky = has_workers() ? worker_of(daemon.pid(), "leak_descriptors") : daemon.pid();
  std::size_t left_open = 0;
  for (const auto& [fd, target] : open_fds(leaky))
    left_open += target == "/dev/null" ? 1 : 0;
  ASSERT_GE(left_open, 20U);
  EXPECT_EQ(parse_world(answer("run world"))["fds"], "0 1 2");
  EXPECT_EQ(ask_world(world)["fds"], "0 1 2");
}

TEST_P(PluginRequests, bytes_go_in_and_out_and_the_end_is_told) {
  Daemon daemon(folder_, options_);
  const std::string body(100'000, 'x');
  const std::string got = ask(port_, "run cat\n" + body);
  EXPECT_EQ(std::count(got.begin(), got.end(), 'x'), 100'000 + 1);  // and one of "exit"
  EXPECT_THAT(got, HasSubstr("ended error=0 exit=0 signal=0\n"));
}

TEST_P(PluginRequests, an_exit_status_is_told_and_standard_error_goes_to_the_log) {
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("run fail"), "ended error=0 exit=3 signal=0\n");
  EXPECT_TRUE(daemon.wait_log("to the log"));
}

TEST_P(PluginRequests, what_is_not_declared_or_not_allowed_is_an_error) {
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("run nothing"), "error 2\n");
  EXPECT_EQ(answer("run cat PATH=/tmp"), "error 22\n");
  EXPECT_EQ(answer("run cat LD_PRELOAD=/tmp/x"), "error 22\n");
  EXPECT_EQ(answer("run cat XSD_SERVICE=other"), "error 22\n");
  EXPECT_EQ(answer("run cat A-B=x"), "error 22\n");
  EXPECT_EQ(answer("run cat A=x A=y"), "error 22\n");
  EXPECT_EQ(answer("in tmp cat"), "error 22\n");
  EXPECT_EQ(answer("to other"), "error 13\n");
}

TEST_P(PluginRequests, a_program_that_cannot_start_is_told_of) {
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("in /not/there pwd"), "ended error=2 exit=0 signal=0\n");
  EXPECT_TRUE(daemon.wait_log("program 'pwd': chdir /not/there"));
}

TEST_P(PluginRequests, a_program_whose_client_goes_gets_term) {
  Daemon daemon(folder_, options_);
  Client client(port_);
  const pid_t pid = start_waiting(client);
  ASSERT_GT(pid, 0);
  EXPECT_EQ(status_field(pid, "PPid"), std::to_string(daemon.pid()));
  client.reset();  // an orderly end is one of its direction only
  EXPECT_TRUE(eventually([&] { return !is_alive(pid); }));
}

TEST_P(PluginRequests, programs_are_limited_by_max_processes) {
  folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins], max_processes: 1}\ninclude: [conf.d/*.yaml]\n");
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_GT(start_waiting(client), 0);
  EXPECT_EQ(answer("run id"), "ended error=11 exit=0 signal=0\n");
}

TEST_P(PluginRequests, programs_end_with_the_daemon) {
  Daemon daemon(folder_, options_);
  Client client(port_);
  const pid_t pid = start_waiting(client);
  ASSERT_GT(pid, 0);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_FALSE(is_alive(pid));
}

TEST_P(PluginRequests, programs_end_with_a_service_that_is_removed) {
  Daemon daemon(folder_, options_);
  Client client(port_);
  const pid_t pid = start_waiting(client);
  ASSERT_GT(pid, 0);
  folder_.remove("conf.d/ask.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(eventually([&] { return !is_alive(pid); }));
}

TEST_P(PluginRequests, leave_no_descriptors_behind) {
  Daemon daemon(folder_, options_);
  (void)answer("run fail");
  const std::size_t before = settled_fd_count(daemon);
  for (int i = 0; i < 20; ++i) {
    (void)answer("run fail");
    (void)ask(port_, "to missing\n");
  }
  EXPECT_EQ(settled_fd_count(daemon), before);
  EXPECT_EQ(zombie_count(daemon.pid()), 0U);
}

// ---- connections for others

TEST_P(PluginRequests, a_connection_is_handed_over_with_what_was_not_read) {
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "to cat\nthe rest"), "the rest");
  const auto starts = wait_records(daemon, "cat", "start", 1);
  ASSERT_THAT(starts, SizeIs(1));
  EXPECT_THAT(starts[0].at("from"), StartsWith("127.0.0.1:"));
  const auto ends = wait_records(daemon, "ask", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("error"), "handed over");
}

TEST_P(PluginRequests, the_other_service_may_refuse) {
  Daemon daemon(folder_, options_);
  Client first(cat_port_);
  ASSERT_TRUE(echoes(first));
  EXPECT_EQ(ask(port_, "to cat\nthe rest"), "");
  const auto refusals = wait_records(daemon, "cat", "refuse", 1);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].at("reason"), "instances");
}

TEST_P(PluginRequests, a_service_that_cannot_take_it_is_a_refusal) {
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "to missing\n"), "");
  EXPECT_EQ(ask(port_, "to ask\n"), "");
  const auto refusals = wait_records(daemon, "ask", "refuse", 2);
  ASSERT_THAT(refusals, SizeIs(2));
  EXPECT_EQ(refusals[0].at("reason"), "protocol");
  EXPECT_EQ(answer("run id").empty(), false);
}

// ---- counters, and what a worker's end means

TEST_P(PluginRequests, counters_are_shown_in_the_state) {
  Daemon daemon(folder_, options_);
  (void)answer("run id");
  (void)answer("run id");
  EXPECT_THAT(daemon.state("state: ask:"), Contains(HasSubstr(" metrics: asked=2")));
}

TEST_P(PluginRequests, the_end_of_a_worker_ends_its_programs_and_keeps_its_counters) {
  if (!has_workers()) GTEST_SKIP() << "there is no worker";
  if (has_shards()) GTEST_SKIP() << "the second client has another worker";
  Daemon daemon(folder_, options_);
  Client client(port_);
  const pid_t pid = start_waiting(client);
  ASSERT_GT(pid, 0);
  (void)ask(port_, "crash\n");
  EXPECT_TRUE(eventually([&] { return !is_alive(pid); }));
  EXPECT_TRUE(eventually([&] { return answer("run id") != ""; }));
  EXPECT_THAT(daemon.state("state: ask:"), Contains(HasSubstr(" metrics: asked=")));
  EXPECT_THAT(daemon.state("state: ask:"), testing::Not(Contains(HasSubstr(" metrics: asked=1"))));
}

TEST_P(PluginRequests, the_end_of_a_shard_ends_only_its_programs) {
  if (!has_shards()) GTEST_SKIP() << "there are no shards";
  Daemon daemon(folder_, options_);
  const std::vector<pid_t> before = roles_of(daemon.pid(), "worker");
  Client clients[] = {Client(port_), Client(port_)};
  const pid_t programs[] = {start_waiting(clients[0]), start_waiting(clients[1])};
  ASSERT_GT(programs[0], 0);
  ASSERT_GT(programs[1], 0);
  EXPECT_EQ(ask(port_, "crash\n"), "");
  ASSERT_TRUE(daemon.wait_log("connections lost"));
  EXPECT_TRUE(eventually([&] { return is_alive(programs[0]) != is_alive(programs[1]); }));
  EXPECT_TRUE(eventually([&] { return answer("run id") != ""; }));
  EXPECT_EQ(daemon.log_lines("connections lost").size(), 1U) << "the other one did not get the bad client";
  EXPECT_NE(is_alive(programs[0]), is_alive(programs[1]));
}

}  // namespace
}  // namespace xsd::test
