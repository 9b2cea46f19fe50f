// SPDX-License-Identifier: Apache-2.0
//
// How programs end when the daemon stops or their service goes: TERM, the grace of stop_timeout, KILL, and
// the whole process group with them (row spn_9 of reliability.md).
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Milliseconds kGrace{1000};

class ProgramStop : public testing::Test {
 protected:
  void write(const std::vector<std::string>& argv, std::string_view more) const {
    folder_.write("conf.d/prog.yaml", program_on("prog", {tcp(port_)}, argv, more));
  }
  /// A client of ignore_term with a child; the pids of both.
  std::vector<pid_t> start_stubborn(Client& client) const {
    const pid_t main = pid_of(client.receive_line());
    const pid_t member = std::atoi(folder_.read("member").c_str());
    EXPECT_TRUE(is_alive(main));
    EXPECT_TRUE(is_alive(member));
    return {main, member};
  }
  std::vector<std::string> stubborn() const { return {program("ignore_term"), folder_.string("member")}; }
  static void expect_gone(const std::vector<pid_t>& pids) {
    for (const pid_t pid : pids)
      EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

TEST_F(ProgramStop, sends_term_at_once) {
  write({"/bin/cat"}, "stop_timeout: 1h\n");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_NE(client.wait_end(), Ending::Open);
  const auto ends = records(daemon, "prog", "end");
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("signal"), "15");
}

TEST_F(ProgramStop, kills_the_whole_group_when_the_grace_is_over) {
  write(stubborn(), "stop_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  const std::vector<pid_t> pids = start_stubborn(client);
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  const Milliseconds took = elapsed(begin);
  EXPECT_GE(took, kGrace);
  EXPECT_LE(took, kGrace + Milliseconds(1000));
  expect_gone(pids);
  const auto ends = records(daemon, "prog", "end");
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("signal"), "9");
}

TEST_F(ProgramStop, leaves_the_grace_to_members_of_the_group) {
  write({program("slow_cleanup"), folder_.string("cleaned"), "500"}, "stop_timeout: 1m\n");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_GT(pid_of(client.receive_line()), 0);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(folder_.read("cleaned"), "cleaned up\n");
  const auto ends = records(daemon, "prog", "end");
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("signal"), "15");
}

TEST_F(ProgramStop, kills_members_of_the_group_that_need_longer) {
  write({program("slow_cleanup"), folder_.string("cleaned"), "60000"}, "stop_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  std::vector<pid_t> members;
  EXPECT_TRUE(eventually([&] {
    members = children_of(pid);
    return members.size() == 1;
  }));
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LE(elapsed(begin), kGrace + Milliseconds(1000));
  expect_gone(members);
  EXPECT_EQ(folder_.read("cleaned"), "");
}

TEST_F(ProgramStop, ends_many_at_once) {
  constexpr std::size_t kClients = 50;
  write({program("ignore_term")}, "stop_timeout: 1s\n");
  Daemon daemon(folder_);
  std::vector<Client> clients;
  std::vector<pid_t> pids;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(port_);
    pids.push_back(pid_of(clients.back().receive_line()));
  }
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LE(elapsed(begin), kGrace + Milliseconds(1000));
  expect_gone(pids);
  EXPECT_THAT(records(daemon, "prog", "end"), SizeIs(kClients));
}

TEST_F(ProgramStop, ends_wait_servers_too) {
  folder_.write("conf.d/prog.yaml",
                program_on("prog", {tcp(port_)}, {program("accept_loop")}, "wait: true\nstop_timeout: 1h\n"));
  Daemon daemon(folder_);
  const pid_t pid = pid_of(ask(port_));
  ASSERT_GT(pid, 0);
  EXPECT_EQ(daemon.stop(), 0);
  expect_gone({pid});
  EXPECT_TRUE(is_refused(port_));
}

class ProgramStopNow : public ProgramStop, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(By, ProgramStopNow, testing::Values(SIGQUIT, SIGTERM), [](const auto& parameter) {
  return std::string(parameter.param == SIGQUIT ? "quit" : "second_term");
});

TEST_P(ProgramStopNow, kills_without_grace) {
  write(stubborn(), "stop_timeout: 1h\n");
  Daemon daemon(folder_);
  Client client(port_);
  const std::vector<pid_t> pids = start_stubborn(client);
  if (GetParam() == SIGTERM) {
    EXPECT_TRUE(daemon.signal(SIGTERM));
    EXPECT_TRUE(daemon.wait_notification("STOPPING=1"));
    EXPECT_TRUE(daemon.running());
  }
  EXPECT_TRUE(daemon.signal(GetParam()));
  EXPECT_EQ(daemon.wait_exit(), 0);
  expect_gone(pids);
}

TEST_F(ProgramStop, leaves_programs_alone_that_say_so) {
  write({program("ignore_term")}, "on_stop: leave\n");
  const std::uint16_t echo = free_port();
  folder_.write("conf.d/cat.yaml", program_service("cat", echo, {"/bin/cat"}));
  Daemon daemon(folder_);
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  ASSERT_GT(pid, 0);
  Client other(echo);
  EXPECT_TRUE(echoes(other));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_NE(other.wait_end(), Ending::Open);
  EXPECT_TRUE(is_alive(pid));
  EXPECT_EQ(client.ending(), Ending::Open);
  EXPECT_EQ(kill(pid, SIGKILL), 0);
  EXPECT_NE(client.wait_end(), Ending::Open);
}

class ProgramStopLeave : public ProgramStop, public testing::WithParamInterface<int> {
 protected:
  void write_server(const std::string& endpoint, std::string_view more = "") const {
    folder_.write("conf.d/server.yaml", program_on("server", {endpoint}, {program("accept_loop")},
                                                   "wait: true\non_stop: leave\n" + std::string(more)));
  }
};
INSTANTIATE_TEST_SUITE_P(At, ProgramStopLeave, testing::Values(SIGTERM, SIGQUIT), [](const auto& parameter) {
  return std::string(parameter.param == SIGQUIT ? "quit" : "term");
});

TEST_P(ProgramStopLeave, leaves_wait_servers_at_work) {
  write_server(tcp(port_));
  pid_t pid = 0;
  {
    Daemon daemon(folder_);
    pid = pid_of(ask(port_));
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(daemon.signal(GetParam()));
    EXPECT_EQ(daemon.wait_exit(), 0);
  }
  EXPECT_EQ(pid_of(ask(port_)), pid) << "it does not serve any more";
  EXPECT_EQ(kill(pid, SIGKILL), 0);
  expect_gone({pid});
}

TEST_P(ProgramStopLeave, leaves_a_unix_socket_to_its_wait_server) {
  const std::string path = folder_.string("socket");
  write_server("unix://" + path);
  pid_t pid = 0;
  {
    Daemon daemon(folder_);
    pid = pid_of(Client::to_unix_socket(path).receive_line());
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(daemon.signal(GetParam()));
    EXPECT_EQ(daemon.wait_exit(), 0);
  }
  EXPECT_EQ(pid_of(Client::to_unix_socket(path).receive_line()), pid);
  EXPECT_EQ(kill(pid, SIGKILL), 0);
  expect_gone({pid});
}

TEST_P(ProgramStopLeave, leaves_programs_whose_service_drains) {
  write({program("ignore_term")}, "on_stop: leave\non_remove: drain\n");
  Client client(port_);
  pid_t pid = 0;
  {
    Daemon daemon(folder_);
    client = Client(port_);
    pid = pid_of(client.receive_line());
    ASSERT_GT(pid, 0);
    folder_.remove("conf.d/prog.yaml");
    (void)daemon.hup_and_wait();
    EXPECT_TRUE(daemon.signal(GetParam()));
    EXPECT_EQ(daemon.wait_exit(), 0);
  }
  EXPECT_TRUE(is_alive(pid));
  EXPECT_EQ(kill(pid, SIGKILL), 0);
}

class ProgramStopShorter : public ProgramStop {
 protected:
  void write_server(std::uint16_t port, const char* grace) const {
    folder_.write("conf.d/prog.yaml", program_on("prog", {tcp(port)}, stubborn(),
                                                 "wait: true\nstop_timeout: " + std::string(grace) + "\n"));
  }
  /// Both, once they ignore TERM.
  std::vector<pid_t> started(const Daemon& daemon) const {
    const auto starts = wait_records(daemon, "prog", "start", 1);
    EXPECT_TRUE(eventually([&] { return folder_.read("member").ends_with('\n'); }));
    if (starts.empty()) return {};
    return {std::stoi(starts[0].at("pid")), std::atoi(folder_.read("member").c_str())};
  }
};

TEST_F(ProgramStopShorter, grace_holds_for_those_that_were_started_before) {
  write_server(port_, "1h");
  Daemon daemon(folder_);
  const Client client(port_);
  const std::vector<pid_t> pids = started(daemon);
  write_server(port_, "1s");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(records(daemon, "prog", "end"), SizeIs(1));
  expect_gone(pids);
}

TEST_F(ProgramStopShorter, grace_holds_for_those_that_were_ending_before) {
  write_server(port_, "1h");
  Daemon daemon(folder_);
  const Client client(port_);
  const std::vector<pid_t> pids = started(daemon);
  write_server(free_port(), "1s");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));  // TERM, with the grace of its own definition
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(records(daemon, "prog", "end"), SizeIs(1));
  expect_gone(pids);
}

// ---- a service that goes

TEST_F(ProgramStop, of_a_removed_service_disturbs_no_other) {
  write(stubborn(), "stop_timeout: 1s\n");
  const std::uint16_t echo = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder_);
  const std::size_t fds = settled_fd_count(daemon);
  Client client(port_);
  Client held(echo);
  EXPECT_TRUE(echoes(held));
  const std::vector<pid_t> pids = start_stubborn(client);
  folder_.remove("conf.d/prog.yaml");
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(is_refused(port_));
  EXPECT_TRUE(echoes(held));
  EXPECT_TRUE(echoes(echo));
  EXPECT_TRUE(is_alive(pids[0])) << "without grace";
  const auto ends = wait_records(daemon, "prog", "end", 1);
  const Milliseconds took = elapsed(begin);
  EXPECT_GE(took, kGrace);
  EXPECT_LE(took, kGrace + Milliseconds(1000));
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("signal"), "9");
  expect_gone(pids);
  EXPECT_THAT(children_of(daemon.pid(), true), IsEmpty());
  held.close();
  EXPECT_EQ(settled_fd_count(daemon), fds - 1) << "its listening socket, and no more, is gone";
}

TEST_F(ProgramStop, of_a_removed_service_that_drains_waits_for_the_client) {
  write({"/bin/cat"}, "on_remove: drain\nstop_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  folder_.remove("conf.d/prog.yaml");
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(is_refused(port_));
  EXPECT_TRUE(echoes(client));
  client.half_close();
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  const auto ends = wait_records(daemon, "prog", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("exit"), "0");
}

TEST_F(ProgramStop, happens_to_nobody_whose_service_only_changed) {
  write({"/bin/cat"}, "");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  const std::uint16_t other = free_port();
  folder_.write("conf.d/prog.yaml", program_on("prog", {tcp(other)}, {"/bin/echo", "changed"}));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_refused(port_));
  EXPECT_EQ(ask(other), "changed\n");
  EXPECT_TRUE(echoes(client));
}

TEST_F(ProgramStop, gives_a_service_of_the_same_name_a_fresh_start) {
  write({program("ignore_term")}, "instances: 1\nstop_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  const pid_t pid = pid_of(client.receive_line());
  ASSERT_GT(pid, 0);
  folder_.remove("conf.d/prog.yaml");
  (void)daemon.hup_and_wait();
  write({"/bin/cat"}, "instances: 1\n");
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(echoes(port_)) << "the one that is ending takes its place";
  expect_gone({pid});
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).empty(); }));
}

}  // namespace
}  // namespace xsd::test
