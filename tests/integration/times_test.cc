// SPDX-License-Identifier: Apache-2.0
//
// start_timeout and idle_timeout of programs, and max_duration of all that comes from one, in both ways to
// find it: by a cgroup, and by walking from the main process.
#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Milliseconds kSlack{1000};

class Times : public testing::Test {
 protected:
  void write(const std::vector<std::string>& argv, std::string_view more,
             std::string_view name = "prog") const {
    folder_.write("conf.d/" + std::string(name) + ".yaml", program_on(name, {tcp(port_)}, argv, more));
  }
  void write_shell(std::string_view script, std::string_view more) const {
    write({"/bin/sh", "-c", std::string(script)}, more);
  }
  /// The only end of the service is by a time, with this signal.
  static void expect_timed_out(const Daemon& daemon, std::string_view signal) {
    const auto ends = wait_records(daemon, "prog", "end", 1);
    ASSERT_THAT(ends, SizeIs(1));
    ASSERT_TRUE(ends[0].contains("reason") && ends[0].contains("signal"));
    EXPECT_EQ(ends[0].at("reason"), "timeout");
    EXPECT_EQ(ends[0].at("signal"), signal);
  }
  static bool has_active(Daemon& daemon, int count) {
    return contains(daemon.state("state: prog:").back(), " active=" + std::to_string(count) + " ");
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

// ---- start_timeout

TEST_F(Times, end_a_program_that_says_nothing_at_first) {
  write({"/bin/sleep", "100"}, "start_timeout: 500ms\n");
  Daemon daemon(folder_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  ASSERT_TRUE(client.send("what the client sends does not count\n"));
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_GE(elapsed(begin), Milliseconds(500));
  expect_timed_out(daemon, "15");
}

TEST_F(Times, leave_a_program_that_has_said_something) {
  write_shell("echo first; exec cat", "start_timeout: 300ms\n");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_EQ(client.receive_line(), "first");
  EXPECT_TRUE(holds_for(Milliseconds(600), [&] { return client.wait_end(Milliseconds(1)) == Ending::Open; }));
  EXPECT_TRUE(echoes(client));
}

// ---- idle_timeout

TEST_F(Times, end_a_program_on_whose_connection_nothing_moves) {
  write({"/bin/cat"}, "idle_timeout: 500ms\n");
  Daemon daemon(folder_);
  Client client(port_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(echoes(client));
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_GE(elapsed(begin), Milliseconds(490));
  EXPECT_LE(elapsed(begin), Milliseconds(500) + kSlack);
  expect_timed_out(daemon, "15");
}

TEST_F(Times, leave_a_program_whose_client_sends_slowly) {
  write_shell("exec cat > /dev/null", "idle_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  while (elapsed(begin) < Milliseconds(2500)) {
    ASSERT_TRUE(client.send("x"));
    ASSERT_EQ(client.wait_end(Milliseconds(200)), Ending::Open);
  }
  EXPECT_NE(client.wait_end(), Ending::Open) << "and now it is silent";
  expect_timed_out(daemon, "15");
}

TEST_F(Times, leave_a_program_that_sends_slowly) {
  write_shell("for i in 1 2 3 4 5 6 7; do echo $i; sleep 0.3; done", "idle_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_EQ(client.receive_until_eof(), "1\n2\n3\n4\n5\n6\n7\n");
  const auto ends = wait_records(daemon, "prog", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("exit"), "0");
  EXPECT_FALSE(ends[0].contains("reason"));
}

TEST_F(Times, end_a_program_whose_client_reads_no_more) {
  write_shell("exec cat /dev/zero", "idle_timeout: 500ms\n");
  Daemon daemon(folder_);
  ClientOptions options;
  options.receive_buffer = 4096;
  Client client(port_, options);
  expect_timed_out(daemon, "15");
}

TEST_F(Times, of_a_running_program_do_not_change_with_a_reload) {
  write({"/bin/cat"}, "idle_timeout: 1h\n");
  Daemon daemon(folder_);
  Client before(port_);
  EXPECT_TRUE(echoes(before));
  write({"/bin/cat"}, "idle_timeout: 400ms\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  Client between(port_);
  EXPECT_TRUE(echoes(between));
  write({"/bin/cat"}, "");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  Client after(port_);
  EXPECT_TRUE(echoes(after));
  EXPECT_NE(between.wait_end(), Ending::Open);
  EXPECT_TRUE(echoes(before));
  EXPECT_TRUE(echoes(after));
}

TEST_F(Times, give_everything_back) {
  write({"/bin/sleep", "100"}, "start_timeout: 100ms\nidle_timeout: 1h\nlingering: 100ms\ninstances: 10\n");
  Daemon daemon(folder_);
  const std::size_t before = settled_fd_count(daemon);
  for (int round = 0; round < 3; ++round) {
    std::vector<Client> clients;
    for (int i = 0; i < 10; ++i)
      clients.emplace_back(port_);
    for (Client& client : clients)
      EXPECT_NE(client.wait_end(), Ending::Open);
    EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
  }
  EXPECT_THAT(records(daemon, "prog", "refuse"), IsEmpty());
  EXPECT_THAT(wait_records(daemon, "prog", "end", 30), SizeIs(30));
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before; }));
}

TEST_F(Times, leave_nothing_of_a_program_that_cannot_be_started) {
  const std::string copy = copy_program(folder_, "hold", "bin/gone");
  write({copy}, "idle_timeout: 1h\nstart_timeout: 1h\nmax_duration: 1h\nlingering: 1h\n");
  Daemon daemon(folder_);
  const std::size_t before = settled_fd_count(daemon);
  folder_.remove("bin/gone");
  for (std::size_t failure = 1; failure <= 2; ++failure) {
    Client client(port_);
    EXPECT_NE(client.wait_end(), Ending::Open);
    EXPECT_THAT(wait_records(daemon, "prog", "end", failure), Each(testing::Contains(testing::Key("error"))));
  }
  EXPECT_TRUE(has_active(daemon, 0));
  EXPECT_EQ(settled_fd_count(daemon), before);
  for (const char* const place : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(place, none))
      EXPECT_FALSE(entry.path().filename().string().starts_with("xsd-" + std::to_string(daemon.pid()) + "-"));
  }
}

TEST_F(Times, cost_nothing_where_they_are_not_asked_for) {
  write({"/bin/cat"}, "");
  Daemon daemon(folder_);
  const std::size_t before = settled_fd_count(daemon);
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(settled_fd_count(daemon), before + 1) << "the pidfd";
}

// ---- max_duration

enum class Way : std::uint8_t { Group, Walk };

/// In a mount namespace of our own: no cgroup is to be found.
void hide_control_groups() {
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", "/sys/fs/cgroup", "tmpfs", 0, nullptr) != 0)
    _exit(1);
  // A mount that is covered is still in the list.
  for (const char* const place : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"})
    (void)umount2(place, MNT_DETACH);
}

class Duration : public Times, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    if (GetParam() == Way::Walk && !is_root()) return;  // there is none anyway
    if (GetParam() == Way::Group && !is_root()) GTEST_SKIP() << "making a cgroup needs root";
  }
  DaemonOptions options() const {
    DaemonOptions options;
    if (GetParam() == Way::Walk && is_root()) options.start.in_child = hide_control_groups;
    return options;
  }
  std::vector<std::string> escape(std::string_view what, int count = 1) const {
    return {program("escape"), folder_.string("pids"), std::string(what), std::to_string(count)};
  }
  std::vector<pid_t> escaped() const {
    std::vector<pid_t> pids;
    for (const std::string& line : split_lines(folder_.read("pids")))
      pids.push_back(std::atoi(line.c_str()));
    return pids;
  }
  static bool is_grouped(pid_t pid) {
    return contains(read_file("/proc/" + std::to_string(pid) + "/cgroup"), "/xsd-");
  }
  /// Empty if the way that is to be tested is the one that is used.
  static std::string why_not_this_way(pid_t pid) {
    if (is_grouped(pid) == (GetParam() == Way::Group)) return {};
    return GetParam() == Way::Group ? "no cgroup can be made here" : "the program is in a cgroup";
  }
  static bool are_gone(const std::vector<pid_t>& pids) {
    return std::none_of(pids.begin(), pids.end(), is_alive);
  }
};
INSTANTIATE_TEST_SUITE_P(By, Duration, testing::Values(Way::Group, Way::Walk), [](const auto& parameter) {
  return parameter.param == Way::Group ? "group" : "walk";
});

TEST_P(Duration, ends_a_program_that_ignores_term) {
  write({program("ignore_term"), folder_.string("member")},
        "max_duration: 500ms\nstop_timeout: 500ms\ninstances: 1\n");
  Daemon daemon(folder_, options());
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  ASSERT_GT(pid, 0);
  if (const std::string why = why_not_this_way(pid); !why.empty()) GTEST_SKIP() << why;
  const std::vector<pid_t> pids{pid, std::atoi(folder_.read("member").c_str())};
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
  EXPECT_GE(elapsed(begin), Milliseconds(1000));
  EXPECT_LE(elapsed(begin), Milliseconds(1000) + kSlack);
  expect_timed_out(daemon, "9");
  EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
  Client next(port_);
  EXPECT_GT(pid_of(next.receive_line()), 0) << "its slot came back";
}

TEST_P(Duration, ends_with_term_who_heeds_it) {
  write({"/bin/cat"}, "max_duration: 500ms\nstop_timeout: 1h\n");
  Daemon daemon(folder_, options());
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  EXPECT_NE(client.wait_end(), Ending::Open);
  expect_timed_out(daemon, "15");
  EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
}

TEST_P(Duration, ends_those_that_got_away) {
  write(escape("stay", 5), "max_duration: 500ms\nstop_timeout: 500ms\n");
  Daemon daemon(folder_, options());
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  ASSERT_GT(pid, 0);
  if (const std::string why = why_not_this_way(pid); !why.empty()) GTEST_SKIP() << why;
  const std::vector<pid_t> pids = escaped();
  ASSERT_THAT(pids, SizeIs(5));
  EXPECT_TRUE(std::all_of(pids.begin(), pids.end(), is_alive));
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
  EXPECT_LE(elapsed(begin), Milliseconds(1000) + kSlack);
  expect_timed_out(daemon, "15");  // of the main process, which heeds TERM
  EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
}

TEST_P(Duration, ends_more_than_are_remembered_at_a_time) {
  write(escape("stay", 400), "max_duration: 1h\nstop_timeout: 200ms\n");
  Daemon daemon(folder_, options());
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  ASSERT_GT(pid, 0);
  if (const std::string why = why_not_this_way(pid); !why.empty()) GTEST_SKIP() << why;
  const std::vector<pid_t> pids = escaped();
  ASSERT_THAT(pids, SizeIs(400));
  // TERM would end the main process first, and those that were not seen yet would lose their link to it.
  EXPECT_EQ(kill(pid, SIGSTOP), 0);
  ASSERT_TRUE(eventually([&] { return process_state(pid) == 'T'; }));
  folder_.remove("conf.d/prog.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
  EXPECT_TRUE(eventually([&] { return !is_alive(pid); }));
}

TEST_P(Duration, counts_for_what_the_main_process_has_left_behind) {
  if (GetParam() == Way::Walk) GTEST_SKIP() << "only a cgroup tells of it";
  write(escape("leave", 2), "max_duration: 700ms\nstop_timeout: 300ms\ninstances: 1\n");
  Daemon daemon(folder_, options());
  const SteadyTime begin = std::chrono::steady_clock::now();
  const pid_t pid = pid_of(ask(port_));
  ASSERT_GT(pid, 0);
  const std::vector<pid_t> pids = escaped();
  ASSERT_THAT(pids, SizeIs(2));
  if (!is_grouped(pids[0])) GTEST_SKIP() << "no cgroup can be made here";
  const auto ends = wait_records(daemon, "prog", "end", 1);
  EXPECT_EQ(ends.at(0).at("exit"), "0");
  EXPECT_TRUE(has_active(daemon, 1)) << "the instance lasts as long as its tree";
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
  EXPECT_GE(elapsed(begin), Milliseconds(1000));
  EXPECT_LE(elapsed(begin), Milliseconds(1000) + kSlack);
  EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
  EXPECT_THAT(daemon.log(), HasSubstr("prog: what process " + std::to_string(pid) +
                                      " has left behind is ended (max_duration)"));
}

TEST_P(Duration, is_over_when_all_have_ended) {
  if (GetParam() == Way::Walk) GTEST_SKIP() << "only a cgroup tells of it";
  write(escape("leave", 1), "max_duration: 1h\ninstances: 1\n");
  Daemon daemon(folder_, options());
  const std::size_t before = settled_fd_count(daemon);
  ASSERT_GT(pid_of(ask(port_)), 0);
  const std::vector<pid_t> pids = escaped();
  ASSERT_THAT(pids, SizeIs(1));
  if (!is_grouped(pids[0])) GTEST_SKIP() << "no cgroup can be made here";
  EXPECT_TRUE(has_active(daemon, 1));
  EXPECT_EQ(kill(pids[0], SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
  EXPECT_EQ(settled_fd_count(daemon), before);
}

TEST_P(Duration, covers_the_whole_tree_when_the_daemon_stops) {
  write(escape("stay", 3), "max_duration: 1h\nstop_timeout: 300ms\n");
  Daemon daemon(folder_, options());
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  ASSERT_GT(pid, 0);
  if (const std::string why = why_not_this_way(pid); !why.empty()) GTEST_SKIP() << why;
  const std::vector<pid_t> pids = escaped();
  ASSERT_THAT(pids, SizeIs(3));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
}

TEST_P(Duration, covers_the_whole_tree_when_the_service_goes) {
  write(escape("stay", 3), "max_duration: 1h\nstop_timeout: 300ms\n");
  Daemon daemon(folder_, options());
  const std::size_t before = settled_fd_count(daemon);
  Client client(port_);
  ASSERT_GT(pid_of(client.receive_line()), 0);
  const std::vector<pid_t> pids = escaped();
  ASSERT_THAT(pids, SizeIs(3));
  folder_.remove("conf.d/prog.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) < before; })) << "the listening socket's too";
}

TEST_P(Duration, ends_many_at_once) {
  constexpr std::size_t kClients = 40;
  write({program("ignore_term")}, "max_duration: 1s\nstop_timeout: 300ms\n");
  Daemon daemon(folder_, options());
  std::vector<Client> clients;
  std::vector<pid_t> pids;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(port_);
    pids.push_back(pid_of(clients.back().receive_line()));
  }
  EXPECT_TRUE(eventually([&] { return are_gone(pids); }));
  const auto ends = wait_records(daemon, "prog", "end", kClients);
  EXPECT_THAT(ends, SizeIs(kClients));
  EXPECT_THAT(ends, Each(testing::Contains(testing::Pair("reason", "timeout"))));
  EXPECT_TRUE(eventually([&] { return has_active(daemon, 0); }));
}

}  // namespace
}  // namespace xsd::test
