// SPDX-License-Identifier: Apache-2.0
//
// Programs for connections, many of them: each its own process, nothing left behind, and not more of them
// than allowed (row spn_10 of reliability.md).
#include <csignal>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Instances : public testing::Test {
 protected:
  std::string hold(std::string_view name, std::uint16_t port, std::string_view more = "") const {
    return program_on(name, {tcp(port)}, {program("hold"), barrier_.path()}, more);
  }
  /// A client of a hold service; its program's pid, 0 if it got none.
  static pid_t connect(std::vector<Client>& clients, std::uint16_t port) {
    clients.emplace_back(port);
    return pid_of(clients.back().receive_line());
  }
  static bool is_closed_at_once(std::uint16_t port) {
    Client client(port);
    return client.connected() && client.wait_end() != Ending::Open;
  }

  TempFolder folder_;
  Barrier barrier_{folder_ / "barrier"};
  const std::uint16_t port_ = free_port();
};

TEST_F(Instances, are_processes_of_their_own) {
  folder_.write("conf.d/hold.yaml", hold("hold", port_));
  Daemon daemon(folder_);
  std::vector<Client> clients;
  const pid_t one = connect(clients, port_);
  const pid_t two = connect(clients, port_);
  ASSERT_GT(one, 0);
  ASSERT_GT(two, 0);
  EXPECT_NE(one, two);
  for (const pid_t pid : {one, two}) {
    EXPECT_EQ(status_field(pid, "PPid"), std::to_string(daemon.pid()));
    EXPECT_EQ(getsid(pid), pid);
    EXPECT_EQ(getpgid(pid), pid);
  }
  auto fds_one = open_fds(one);
  auto fds_two = open_fds(two);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    EXPECT_EQ(fds_one[fd], fds_one[0]);
    EXPECT_EQ(fds_two[fd], fds_two[0]);
  }
  EXPECT_NE(fds_one[0], fds_two[0]);
  // The connections are the programs' alone, once the start is over.
  (void)daemon.state();
  for (const auto& [fd, target] : open_fds(daemon.pid())) {
    EXPECT_NE(target, fds_one[0]);
    EXPECT_NE(target, fds_two[0]);
  }
}

TEST_F(Instances, one_that_dies_does_not_disturb_another) {
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}));
  Daemon daemon(folder_);
  Client one(port_);
  Client two(port_);
  EXPECT_TRUE(echoes(one));
  EXPECT_TRUE(echoes(two));
  const auto starts = wait_records(daemon, "cat", "start", 2);
  ASSERT_THAT(starts, SizeIs(2));
  const std::string from = "127.0.0.1:" + std::to_string(one.local_port());
  for (const Record& start : starts) {
    if (start.at("from") == from) (void)kill(std::stoi(start.at("pid")), SIGKILL);
  }
  EXPECT_NE(one.wait_end(), Ending::Open);
  EXPECT_TRUE(echoes(two));
}

TEST_F(Instances, leave_nothing_behind_after_two_hundred_in_a_row) {
  constexpr std::size_t kCount = 200;
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}, "stderr: log\n"));
  Daemon daemon(folder_);
  EXPECT_TRUE(echoes(port_));
  (void)wait_records(daemon, "cat", "end", 1);
  const std::size_t fds = settled_fd_count(daemon);
  for (std::size_t i = 0; i < kCount && !HasFailure(); ++i)
    EXPECT_EQ(ask(port_, "text"), "text");
  const auto ends = wait_records(daemon, "cat", "end", kCount + 1);
  for (const Record& end : ends)
    EXPECT_EQ(end.at("exit"), "0");
  EXPECT_THAT(children_of(daemon.pid(), true), IsEmpty());
  EXPECT_EQ(settled_fd_count(daemon), fds);
}

TEST_F(Instances, a_thousand_that_end_at_once_are_all_reaped_and_recorded) {
  rlimit files{};
  (void)getrlimit(RLIMIT_NOFILE, &files);
  const rlimit raised{files.rlim_max, files.rlim_max};
  (void)setrlimit(RLIMIT_NOFILE, &raised);
  const std::size_t count = files.rlim_max >= 2000 && !is_sanitized() ? 1000 : 300;
  folder_.write("conf.d/hold.yaml", program_on("hold", {tcp(port_)}, {program("hold"), barrier_.path(), "3"},
                                               "instances: unlimited\n"));
  const std::uint16_t echo = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder_);
  const std::size_t fds = settled_fd_count(daemon);
  std::vector<Client> clients;
  clients.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    clients.emplace_back(port_);
  for (Client& client : clients)
    ASSERT_GT(pid_of(client.receive_line()), 0);
  EXPECT_THAT(children_of(daemon.pid()), SizeIs(count));

  barrier_.release();
  EXPECT_TRUE(echoes(echo));
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid()).empty(); }));
  EXPECT_TRUE(eventually([&] { return zombie_count(daemon.pid()) == 0; }, Milliseconds(1000)));
  std::set<std::string> ended;
  for (const Record& end : wait_records(daemon, "hold", "end", count)) {
    EXPECT_EQ(end.at("exit"), "3");
    ended.insert(end.at("pid"));
  }
  EXPECT_THAT(ended, SizeIs(count));
  EXPECT_THAT(children_of(daemon.pid(), true), IsEmpty());
  EXPECT_EQ(settled_fd_count(daemon), fds);
}

TEST_F(Instances, are_refused_above_the_limit_of_their_service) {
  folder_.write("conf.d/hold.yaml", hold("hold", port_, "instances: 2\n"));
  const std::uint16_t other = free_port();
  folder_.write("conf.d/other.yaml", hold("other", other));
  Daemon daemon(folder_);
  std::vector<Client> clients;
  const pid_t first = connect(clients, port_);
  EXPECT_GT(first, 0);
  EXPECT_GT(connect(clients, port_), 0);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(is_closed_at_once(port_));
  EXPECT_GT(connect(clients, other), 0);
  const auto refusals = wait_records(daemon, "hold", "refuse", 3);
  ASSERT_THAT(refusals, SizeIs(3));
  EXPECT_EQ(refusals[0].at("reason"), "instances");
  EXPECT_THAT(refusals[0].at("from"), HasSubstr("127.0.0.1:"));
  // One line for one state, and it names the key.
  const auto warnings = daemon.log_lines("warning: hold: ");
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], HasSubstr("2 of 2"));
  EXPECT_THAT(warnings[0], HasSubstr("instances"));

  EXPECT_EQ(kill(first, SIGKILL), 0);
  (void)wait_records(daemon, "hold", "end", 1);
  EXPECT_GT(connect(clients, port_), 0);
  EXPECT_TRUE(is_closed_at_once(port_));
  EXPECT_THAT(wait_records(daemon, "hold", "refuse", 4), SizeIs(4));
}

TEST_F(Instances, are_told_of_once_when_they_come_and_go_at_the_limit) {
  folder_.write("conf.d/hold.yaml", hold("hold", port_, "instances: 1\n"));
  Daemon daemon(folder_);
  std::vector<Client> clients;
  pid_t pid = connect(clients, port_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  constexpr std::size_t kTimes = 10;
  for (std::size_t i = 1; i <= kTimes; ++i) {
    EXPECT_TRUE(is_closed_at_once(port_));
    EXPECT_EQ(kill(pid, SIGKILL), 0);
    (void)wait_records(daemon, "hold", "end", i);
    pid = connect(clients, port_);
    ASSERT_GT(pid, 0);
  }
  EXPECT_THAT(records(daemon, "hold", "refuse"), SizeIs(kTimes));
  // Two seconds without a refusal would end it.
  const auto most = static_cast<std::size_t>(1 + elapsed(begin) / Milliseconds(2000));
  EXPECT_LE(daemon.log_lines("warning: hold: ").size(), most);
}

TEST_F(Instances, of_a_wait_service_at_its_limit_keep_one_socket_waiting_and_no_other) {
  const std::uint16_t other = free_port();
  folder_.write("conf.d/server.yaml",
                program_on("server", {tcp(port_), tcp(other)}, {program("accept_loop"), "1500"},
                           "wait: true\ninstances: 1\n"));
  Daemon daemon(folder_);
  const pid_t first = pid_of(ask(port_));
  ASSERT_GT(first, 0);
  Client waiting(other);
  EXPECT_TRUE(daemon.wait_log("warning: server: clients wait: 1 of 1 run already (instances)"));
  EXPECT_EQ(pid_of(ask(port_)), first) << "who is served suffers for the other";
  EXPECT_EQ(waiting.ending(), Ending::Open);
  const pid_t second = pid_of(waiting.receive_line());  // once the first has nothing to do any more
  EXPECT_GT(second, 0);
  EXPECT_NE(second, first);
  EXPECT_GT(pid_of(ask(port_)), 0);
  EXPECT_THAT(records(daemon, "server", "refuse"), IsEmpty());
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(Instances, of_a_wait_service_wait_for_other_services_at_the_limit_of_the_daemon) {
  folder_.write("xsd.yaml", "daemon: {max_processes: 1}\ninclude: [conf.d/*.yaml]\n");
  const std::uint16_t other = free_port();
  folder_.write("conf.d/hold.yaml", hold("hold", other));
  folder_.write("conf.d/server.yaml",
                program_on("server", {tcp(port_)}, {program("accept_loop")}, "wait: true\n"));
  Daemon daemon(folder_, {.config = folder_ / "xsd.yaml"});
  std::vector<Client> clients;
  const pid_t pid = connect(clients, other);
  ASSERT_GT(pid, 0);
  Client waiting(port_);
  EXPECT_TRUE(daemon.wait_log("warning: server: clients wait: 1 of 1 run already (daemon: max_processes)"));
  EXPECT_EQ(kill(pid, SIGKILL), 0);
  EXPECT_GT(pid_of(waiting.receive_line()), 0);
  EXPECT_THAT(records(daemon, "server", "refuse"), IsEmpty());
}

TEST_F(Instances, follow_a_limit_that_a_reload_changes) {
  folder_.write("conf.d/hold.yaml", hold("hold", port_, "instances: 1\n"));
  Daemon daemon(folder_);
  std::vector<Client> clients;
  EXPECT_GT(connect(clients, port_), 0);
  EXPECT_TRUE(is_closed_at_once(port_));
  folder_.write("conf.d/hold.yaml", hold("hold", port_, "instances: 2\n"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_GT(connect(clients, port_), 0);
  EXPECT_TRUE(is_closed_at_once(port_));
  EXPECT_THAT(children_of(daemon.pid()), SizeIs(2));
}

TEST_F(Instances, have_a_limit_of_their_own_where_none_is_written) {
  folder_.write("conf.d/hold.yaml", hold("hold", port_));
  Daemon daemon(folder_);
  constexpr std::size_t kDefault = 256;
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kDefault; ++i)
    clients.emplace_back(port_);
  for (Client& client : clients)
    ASSERT_GT(pid_of(client.receive_line()), 0);
  EXPECT_TRUE(is_closed_at_once(port_));
  const auto refusals = wait_records(daemon, "hold", "refuse", 1);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].at("reason"), "instances");
}

TEST_F(Instances, are_refused_above_the_limit_of_the_daemon) {
  folder_.write("xsd.yaml", "daemon: {max_processes: 2}\ninclude: [conf.d/*.yaml]\n");
  const std::uint16_t other = free_port();
  const std::uint16_t echo = free_port();
  folder_.write("conf.d/hold.yaml", hold("hold", port_));
  folder_.write("conf.d/other.yaml", hold("other", other));
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder_, {.config = folder_ / "xsd.yaml"});
  std::vector<Client> clients;
  const pid_t first = connect(clients, port_);
  EXPECT_GT(first, 0);
  EXPECT_GT(connect(clients, other), 0);
  EXPECT_TRUE(is_closed_at_once(port_));
  EXPECT_TRUE(is_closed_at_once(other));
  EXPECT_TRUE(echoes(echo));  // needs no process
  for (const char* const name : {"hold", "other"}) {
    const auto refusals = wait_records(daemon, name, "refuse", 1);
    ASSERT_THAT(refusals, SizeIs(1));
    EXPECT_EQ(refusals[0].at("reason"), "processes");
    const auto warnings = daemon.log_lines("warning: " + std::string(name) + ": ");
    ASSERT_THAT(warnings, SizeIs(1));
    EXPECT_THAT(warnings[0], HasSubstr("max_processes"));
  }
  EXPECT_EQ(kill(first, SIGKILL), 0);
  (void)wait_records(daemon, "hold", "end", 1);
  EXPECT_GT(connect(clients, other), 0);
}

}  // namespace
}  // namespace xsd::test
