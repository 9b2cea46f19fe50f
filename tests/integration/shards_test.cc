// SPDX-License-Identifier: Apache-2.0
//
// A service with `shards`: the master accepts and decides, its workers serve. What is held where, that limits
// are exact, and what the end of a shard costs.
#include <csignal>

#include <algorithm>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Shards : public testing::Test {
 protected:
  void write_echo(const std::string& more = "", int shards = 2) const {
    folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + tcp(port_) +
                                          "\nidle_timeout: 1h\nshards: " + std::to_string(shards) + "\n" +
                                          more);
  }
  static std::vector<pid_t> shards_of(const Daemon& daemon) { return roles_of(daemon.pid(), "worker"); }
  /// The sockets of a process that are not there when it serves nobody.
  static std::size_t held_by(pid_t shard, std::size_t idle) {
    const auto fds = open_fds(shard);
    const auto is_socket = [](const auto& fd) { return fd.second.starts_with("socket:"); };
    return static_cast<std::size_t>(std::count_if(fds.begin(), fds.end(), is_socket)) - idle;
  }
  std::vector<Client> connect(std::size_t count) const {
    std::vector<Client> clients;
    while (clients.size() < count)
      clients.emplace_back(port_);
    return clients;
  }
  /// Those that are served stay, the number of the others.
  static std::size_t drop_refused(std::vector<Client>& clients) {
    for (Client& client : clients)
      (void)client.send("x\n");
    return std::erase_if(clients, [](Client& client) { return client.receive(2) != "x\n"; });
  }
  static bool is_active(Daemon& daemon, std::size_t count) {
    const std::string text = " active=" + std::to_string(count) + " ";
    return eventually([&] { return daemon.state("state: echo:").back().find(text) != std::string::npos; });
  }
  static bool are_replaced(const Daemon& daemon, const std::vector<pid_t>& old) {
    return eventually([&] {
      const std::vector<pid_t> now = shards_of(daemon);
      return now.size() == old.size() && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
               return std::find(old.begin(), old.end(), pid) != old.end();
             });
    });
  }
  /// Then a process that dies is replaced at once.
  static void age() {
    const SteadyTime begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(eventually([&] { return elapsed(begin) > Milliseconds(600); }));
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

TEST_F(Shards, share_the_connections_evenly) {
  write_echo();
  Daemon daemon(folder_);
  const std::vector<pid_t> shards = shards_of(daemon);
  ASSERT_THAT(shards, SizeIs(2));
  const std::size_t idle[] = {held_by(shards[0], 0), held_by(shards[1], 0)};
  std::vector<Client> clients = connect(200);
  EXPECT_EQ(drop_refused(clients), 0U);
  const std::size_t first = held_by(shards[0], idle[0]);
  EXPECT_GE(first, 80U);
  EXPECT_LE(first, 120U);
  EXPECT_EQ(first + held_by(shards[1], idle[1]), 200U);
  EXPECT_THAT(daemon.state("state: echo:"), Contains(HasSubstr(" active=200 started=200 ")));
  // The master has kept none, nor has it asked a worker to.
  EXPECT_LT(fd_count(daemon.pid()), 100U);
  clients.clear();
  EXPECT_TRUE(is_active(daemon, 0));
  EXPECT_THAT(daemon.state("state: echo:"), Contains(HasSubstr(" active=0 started=200 ")));
  EXPECT_TRUE(daemon.wait_log("echo: end", 200));
  std::map<std::string, int> ids;
  for (const std::string& line : daemon.log_lines("echo: start")) {
    const std::size_t id = line.find("conn=");
    ++ids[line.substr(id, line.find(' ', id) - id)];
  }
  EXPECT_THAT(ids, SizeIs(200));
}

TEST_F(Shards, serve_unix_sockets_too) {
  folder_.write("conf.d/echo.yaml",
                "service: echo\nplugin: echo\nlisten: unix://" + folder_.string("echo") + "\nshards: 2\n");
  Daemon daemon(folder_);
  for (int i = 0; i < 4; ++i) {
    Client client = Client::to_unix_socket(folder_.string("echo"));
    EXPECT_TRUE(echoes(client));
  }
  EXPECT_THAT(daemon.state("state: echo:"), Contains(HasSubstr(" started=4 ")));
}

TEST_F(Shards, keep_a_limit_exactly) {
  write_echo("instances: 20\n");
  Daemon daemon(folder_);
  std::vector<std::vector<Client>> parts(6);
  std::vector<std::thread> threads;
  for (std::vector<Client>& part : parts)
    threads.emplace_back([&part, this] { part = connect(10); });
  for (std::thread& thread : threads)
    thread.join();
  std::vector<Client> clients;
  for (std::vector<Client>& part : parts)
    std::move(part.begin(), part.end(), std::back_inserter(clients));
  EXPECT_EQ(drop_refused(clients), 40U);
  EXPECT_THAT(clients, SizeIs(20));
  EXPECT_TRUE(daemon.wait_log("reason=instances", 40));
  EXPECT_THAT(daemon.state("state: echo:"),
              Contains(HasSubstr(" active=20 started=20 refused: instances=40 ")));
  clients.erase(clients.begin(), clients.begin() + 5);
  EXPECT_TRUE(is_active(daemon, 15));
  std::vector<Client> more = connect(10);
  EXPECT_EQ(drop_refused(more), 5U);
  EXPECT_EQ(drop_refused(clients), 0U);
}

TEST_F(Shards, one_that_dies_takes_only_its_own) {
  write_echo();
  Daemon daemon(folder_);
  const std::vector<pid_t> before = shards_of(daemon);
  ASSERT_THAT(before, SizeIs(2));
  std::vector<Client> clients = connect(60);
  ASSERT_EQ(drop_refused(clients), 0U);
  age();
  ASSERT_EQ(kill(before[0], SIGKILL), 0);
  ASSERT_TRUE(daemon.wait_log("ended by signal 9 (KILL); 30 connections lost"));
  EXPECT_EQ(drop_refused(clients), 30U);
  EXPECT_TRUE(is_active(daemon, 30));
  ASSERT_TRUE(eventually([&] { return shards_of(daemon).size() == 2; }));
  std::vector<pid_t> after = shards_of(daemon);
  EXPECT_THAT(after, Contains(before[1]));
  // The new one gets its part of what comes.
  std::vector<Client> more = connect(100);
  EXPECT_EQ(drop_refused(more), 0U);
  EXPECT_EQ(drop_refused(clients), 0U);
  for (const pid_t shard : after)
    EXPECT_GE(held_by(shard, 0), 60U);
  EXPECT_THAT(daemon.state("state: echo:"), Contains(HasSubstr(" active=130 started=160 ")));
}

TEST_F(Shards, give_the_slots_of_a_dead_one_back) {
  write_echo("instances: 10\n");
  Daemon daemon(folder_);
  for (int round = 0; round < 3; ++round) {
    std::vector<Client> clients = connect(10);
    ASSERT_EQ(drop_refused(clients), 0U) << round;
    const std::vector<pid_t> shards = shards_of(daemon);
    ASSERT_THAT(shards, SizeIs(2));
    age();
    ASSERT_EQ(kill(shards[0], SIGKILL), 0);
    // One that is new may not have been ready for its part of them.
    ASSERT_TRUE(daemon.wait_log(" lost", static_cast<std::size_t>(round) + 1));
    const std::size_t lost = drop_refused(clients);
    ASSERT_TRUE(is_active(daemon, 10 - lost));
    std::vector<Client> more = connect(lost + 3);
    EXPECT_EQ(drop_refused(more), 3U) << round;
    more.clear();
    clients.clear();
    ASSERT_TRUE(is_active(daemon, 0));
    ASSERT_TRUE(eventually([&] { return shards_of(daemon).size() == 2; }));
  }
}

TEST_F(Shards, killed_all_at_once_lose_nothing_that_waits) {
  write_echo();
  Daemon daemon(folder_);
  // Young ones are not replaced at once: there is a moment without any.
  const std::vector<pid_t> before = shards_of(daemon);
  ASSERT_THAT(before, SizeIs(2));
  for (const pid_t shard : before)
    ASSERT_EQ(kill(shard, SIGKILL), 0);
  std::vector<Client> clients = connect(100);
  EXPECT_EQ(drop_refused(clients), 0U);
  EXPECT_TRUE(are_replaced(daemon, before));
  EXPECT_TRUE(is_active(daemon, 100));
}

TEST_F(Shards, are_told_as_paused_while_there_is_none) {
  write_echo();
  Daemon daemon(folder_);
  std::vector<std::string> state;
  // Each that dies young makes the next one come later.
  ASSERT_TRUE(eventually([&] {
    for (const pid_t shard : shards_of(daemon))
      (void)kill(shard, SIGKILL);  // one that has just died is as good
    state = daemon.state("state: echo:");
    return !state.empty() && state.front().find(" paused ") != std::string::npos;
  }));
  EXPECT_THAT(state, Contains(HasSubstr("its worker has died early")));
}

TEST_F(Shards, what_a_dead_one_had_not_taken_goes_to_another) {
  write_echo();
  Daemon daemon(folder_);
  for (int i = 0; i < 4; ++i) {
    const std::vector<pid_t> shards = shards_of(daemon);
    ASSERT_THAT(shards, SizeIs(2));
    ASSERT_EQ(kill(shards[0], SIGSTOP), 0);
    std::vector<Client> clients = connect(20);  // the master may not know yet
    ASSERT_TRUE(eventually([&] { return process_state(shards[0]) == 'T'; }));
    age();
    ASSERT_EQ(kill(shards[0], SIGKILL), 0);
    const std::size_t lost = drop_refused(clients);
    EXPECT_LE(lost, 2U) << "it may have taken some before it stopped";
    ASSERT_TRUE(is_active(daemon, 20 - lost));
    clients.clear();
    ASSERT_TRUE(is_active(daemon, 0));
    ASSERT_TRUE(eventually([&] { return shards_of(daemon).size() == 2; }));
  }
}

TEST_F(Shards, killed_under_load_lose_only_what_they_had_accepted) {
  write_echo("", 3);
  Daemon daemon(folder_);
  constexpr int kThreads = 4;
  for (int i = 0; i < 5; ++i) {
    const std::vector<pid_t> shards = shards_of(daemon);
    ASSERT_THAT(shards, SizeIs(3));
    age();
    EchoLoad load(kThreads, [&] { return port_; });
    ASSERT_TRUE(eventually([&] { return load.served() > 20; }));
    for (const pid_t shard : shards)
      ASSERT_EQ(kill(shard, SIGKILL), 0);
    ASSERT_TRUE(are_replaced(daemon, shards));
    const std::uint64_t before = load.served();
    EXPECT_TRUE(eventually([&] { return load.served() > before; }));
    const EchoLoad::Totals totals = load.stop();
    EXPECT_EQ(totals.refused, 0U) << totals.first_error;
    EXPECT_LE(totals.wrong, 3 * kThreads) << totals.first_error;
    EXPECT_TRUE(is_active(daemon, 0));
  }
}

TEST_F(Shards, that_are_stopped_get_no_more_until_they_go_on) {
  write_echo();
  Daemon daemon(folder_);
  const std::vector<pid_t> shards = shards_of(daemon);
  ASSERT_THAT(shards, SizeIs(2));
  ASSERT_EQ(kill(shards[0], SIGSTOP), 0);
  ASSERT_TRUE(daemon.wait_log("was stopped by a signal"));
  std::vector<Client> clients = connect(20);
  EXPECT_EQ(drop_refused(clients), 0U) << "the other one has them all";
  ASSERT_EQ(kill(shards[1], SIGSTOP), 0);
  ASSERT_TRUE(daemon.wait_log("was stopped by a signal", 2));
  std::vector<Client> waiting = connect(20);
  ASSERT_EQ(kill(shards[0], SIGCONT), 0);
  EXPECT_EQ(drop_refused(waiting), 0U);
  ASSERT_EQ(kill(shards[1], SIGCONT), 0);
  EXPECT_EQ(drop_refused(clients), 0U);
}

TEST_F(Shards, keep_their_connections_over_a_reload) {
  write_echo("instances: 50\n");
  Daemon daemon(folder_);
  const std::vector<pid_t> before = shards_of(daemon);
  std::vector<Client> clients = connect(40);
  ASSERT_EQ(drop_refused(clients), 0U);
  write_echo("instances: 41\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(shards_of(daemon), before);
  std::vector<Client> more = connect(5);
  EXPECT_EQ(drop_refused(more), 4U);
  more.clear();
  // Another number of shards is another service: what was there finishes where it is.
  write_echo("", 3);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_THAT(shards_of(daemon), SizeIs(5));
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(drop_refused(clients), 0U);
  EXPECT_THAT(daemon.state("state: echo:"), Contains(HasSubstr("draining active=40 ")));
  clients.clear();
  EXPECT_TRUE(eventually([&] { return shards_of(daemon).size() == 3; }));
  EXPECT_THAT(daemon.state("state: echo:"), Each(Not(HasSubstr("draining"))));
  // And with one it shares a worker again.
  write_echo("", 1);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(eventually([&] { return shards_of(daemon).size() == 1; }));
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Shards, end_in_order_with_the_daemon_and_with_their_service) {
  write_echo("on_remove: drain\n");
  Daemon daemon(folder_);
  std::vector<Client> clients = connect(4);
  ASSERT_EQ(drop_refused(clients), 0U);
  folder_.remove("conf.d/echo.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(is_refused(port_));
  EXPECT_EQ(drop_refused(clients), 0U);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return shards_of(daemon).empty(); }));
  write_echo();
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  clients = connect(4);
  ASSERT_EQ(drop_refused(clients), 0U);
  folder_.remove("conf.d/echo.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  for (Client& client : clients)
    EXPECT_THAT(client.wait_end(), AnyOf(Ending::Closed, Ending::Reset));
  EXPECT_TRUE(eventually([&] { return shards_of(daemon).empty(); }));
  write_echo("stop_timeout: 1s\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  clients = connect(4);
  ASSERT_EQ(drop_refused(clients), 0U);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log(), Not(HasSubstr("error:")));
  EXPECT_THAT(daemon.log_lines("echo: end"), SizeIs(12)) << "the last records are there";
}

TEST_F(Shards, that_have_no_descriptors_left_refuse_and_live_on) {
  if (is_sanitized()) GTEST_SKIP() << "the sanitizers need descriptors of their own";
  write_echo();
  Daemon daemon(folder_, {.start = {.in_child = [] {
                            const rlimit limit{100, 100};
                            if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(99);
                          }}});
  const std::vector<pid_t> shards = shards_of(daemon);
  ASSERT_THAT(shards, SizeIs(2));
  std::vector<Client> clients = connect(250);
  const std::size_t refused = drop_refused(clients);
  EXPECT_GT(refused, 50U);
  EXPECT_GT(clients.size(), 100U);
  EXPECT_TRUE(daemon.wait_log("reason=resources", refused));
  EXPECT_TRUE(is_active(daemon, clients.size()));
  write_echo("instances: 1000\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(drop_refused(clients), 0U);
  clients.clear();
  EXPECT_TRUE(is_active(daemon, 0));
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(shards_of(daemon), shards);
}

TEST_F(Shards, are_nothing_where_there_are_no_workers) {
  write_echo("instances: 1\n");
  Daemon daemon(folder_, {.arguments = {"--workers", "0"}});
  std::vector<Client> clients = connect(3);
  EXPECT_EQ(drop_refused(clients), 2U);
  EXPECT_THAT(shards_of(daemon), IsEmpty());
}

TEST_F(Shards, serve_with_every_poller) {
  for (const char* const poller : {"poll", "select"}) {
    write_echo("instances: 30\n");
    Daemon daemon(folder_, {.arguments = {"--poller", poller}});
    std::vector<Client> clients = connect(40);
    EXPECT_EQ(drop_refused(clients), 10U) << poller;
    clients.clear();
    EXPECT_EQ(daemon.stop(), 0);
  }
}

TEST_F(Shards, the_master_never_reads_what_a_client_sent) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  write_echo();
  Daemon daemon(folder_, {.start = {.strace = trace_reads()}});
  EXPECT_EQ(ask(port_, "from the client\n"), "from the client\n");
  EXPECT_EQ(daemon.stop(), 0);
  daemon.end_tracing();
  expect_not_read_by_master(daemon, "from the client");
}

}  // namespace
}  // namespace xsd::test
