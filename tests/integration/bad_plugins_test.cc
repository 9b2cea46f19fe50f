// SPDX-License-Identifier: Apache-2.0
//
// Whatever a plugin does in its worker, it is its own services' business (row plg_2 of reliability.md, and
// spn_1 for what it leaves open): the plugins of tests/abi/bad beside neighbours that are asked all the time.
#include <csignal>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/neighbours.h"

namespace xsd::test {
namespace {

using std::chrono::steady_clock;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

/// As old as a worker has to be for the next one to come at once.
constexpr Milliseconds kOldEnough{600};

class BadPlugins : public testing::Test {
 protected:
  void write_bad(const std::string& plugin) {
    plugin_ = plugin;
    folder_.write("plugins/" + plugin + ".so", read_file(XSD_BAD_PLUGINS "/" + plugin + ".so"));
    folder_.write("conf.d/bad.yaml", "service: bad\nplugin: " + plugin + "\nlisten: " + tcp(port_) + "\n");
  }
  bool bad_echoes(Milliseconds deadline = kDeadline) const { return echoes(port_, {.deadline = deadline}); }
  /// Waits for it; 0 if none comes.
  pid_t wait_bad_worker(const Daemon& daemon, pid_t other_than = 0) const {
    pid_t pid = 0;
    EXPECT_TRUE(eventually([&] {
      pid = worker_of(daemon.pid(), plugin_);
      return pid > 0 && pid != other_than;
    }));
    return pid;
  }
  /// The harm begins.
  void provoke(Client& client) const { ASSERT_TRUE(client.send("!")); }

  TempFolder folder_;
  Neighbours neighbours_{folder_};
  const std::uint16_t port_ = free_port();
  std::string plugin_;
  /// A crash is a crash also where the daemon is built with sanitizers, which take it for theirs.
  DaemonOptions options_{
      .config = folder_ / "xsd.yaml",
      .start = {.environment = {"ASAN_OPTIONS=handle_segv=0:handle_sigill=0:handle_abort=0"}}};
};

// ---- ends

struct Death {
  const char* plugin;
  const char* how;
};
std::ostream& operator<<(std::ostream& out, const Death& death) {
  return out << death.plugin;
}

class BadPluginsThatDie : public BadPlugins, public testing::WithParamInterface<Death> {};

INSTANTIATE_TEST_SUITE_P(, BadPluginsThatDie,
                         testing::Values(Death{"abort_in_data", "ended by signal 6 (ABRT)"},
                                         Death{"crash_in_data", "ended by signal 11 (SEGV)"},
                                         Death{"exit_in_data", "ended with status 0"},
                                         Death{"throw_from_data", "ended by signal 6 (ABRT)"}),
                         [](const auto& one) { return std::string(one.param.plugin); });

TEST_P(BadPluginsThatDie, are_back_at_once_and_nobody_else_notices) {
  write_bad(GetParam().plugin);
  Daemon daemon(folder_, options_);
  const SteadyTime up = steady_clock::now();
  neighbours_.begin(daemon);
  const pid_t first = wait_bad_worker(daemon);
  ASSERT_GT(first, 0);
  EXPECT_TRUE(bad_echoes());
  ASSERT_TRUE(eventually([&] { return elapsed(up) > kOldEnough; }));
  Client held(port_);
  ASSERT_TRUE(echoes(held));
  Client client(port_);
  provoke(client);
  EXPECT_THAT(client.wait_end(), AnyOf(Ending::Closed, Ending::Reset));
  const SteadyTime ended = steady_clock::now();
  EXPECT_TRUE(bad_echoes());
  EXPECT_LT(elapsed(ended), longest_answer());
  EXPECT_THAT(held.wait_end(), AnyOf(Ending::Closed, Ending::Reset));
  EXPECT_NE(wait_bad_worker(daemon), first);
  EXPECT_TRUE(daemon.wait_log(std::string("worker ") + plugin_ + ": " + GetParam().how +
                              "; 2 connections lost; the next one starts now"));
  neighbours_.end();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(BadPlugins, that_die_young_wait_longer_each_time) {
  write_bad("abort_in_data");
  Daemon daemon(folder_, options_);
  neighbours_.begin(daemon);
  // A machine that is busy may be so slow that one lives long enough for its end to be no early one; then
  // the row begins anew.
  const char* const rests[] = {"100ms", "200ms", "400ms", "800ms"};
  ASSERT_TRUE(eventually([&] {
    Client client(port_);
    provoke(client);
    (void)client.wait_end();
    return contains(daemon.log(), "the next one starts in 800ms");
  }));
  std::size_t at = 0;
  for (const char* const rest : rests) {
    at = daemon.log().find(std::string("the next one starts in ") + rest, at);
    EXPECT_NE(at, std::string::npos) << rest;
  }
  EXPECT_TRUE(bad_echoes());
  neighbours_.end();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(BadPlugins, that_die_in_start_are_failed_services) {
  for (const char* const plugin : {"abort_in_start", "throw_from_start", "start_fails"}) {
    write_bad(plugin);
    Daemon daemon(folder_, options_);
    EXPECT_TRUE(eventually([&] {
      const auto state = daemon.state("state: bad:");
      return state.size() == 1 && contains(state[0], "failed");
    })) << plugin;
    EXPECT_TRUE(daemon.running()) << plugin;
    EXPECT_TRUE(echoes(neighbours_.echo_port())) << plugin;
    EXPECT_EQ(daemon.stop(), 0) << plugin;
  }
}

// ---- hangs

TEST_F(BadPlugins, that_block_for_five_seconds_keep_nobody_else_waiting) {
  write_bad("block_in_data");
  Daemon daemon(folder_, options_);
  const pid_t worker = wait_bad_worker(daemon);
  ASSERT_GT(worker, 0);
  EXPECT_TRUE(bad_echoes());
  neighbours_.begin(daemon);
  Client client(port_);
  const SteadyTime begin = steady_clock::now();
  provoke(client);
  // Neither does a reload wait for it.
  folder_.write("conf.d/later.yaml", echo_service("later", free_port()));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 0, changed 0, kept 3"));
  EXPECT_LT(elapsed(begin), Milliseconds(4000)) << "while it blocks";
  EXPECT_EQ(client.receive(1), "!");
  EXPECT_GE(elapsed(begin), Milliseconds(5000));
  EXPECT_EQ(wait_bad_worker(daemon), worker) << "slow, and no more than that";
  neighbours_.end();
  EXPECT_GT(neighbours_.rounds(), 20U);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(BadPlugins, that_never_return_are_replaced_within_ten_seconds) {
  write_bad("loop_in_data");
  Daemon daemon(folder_, options_);
  const pid_t worker = wait_bad_worker(daemon);
  ASSERT_GT(worker, 0);
  EXPECT_TRUE(bad_echoes());
  neighbours_.begin(daemon);
  Client client(port_);
  const SteadyTime begin = steady_clock::now();
  provoke(client);
  EXPECT_THAT(client.wait_end(), AnyOf(Ending::Closed, Ending::Reset));
  EXPECT_LT(elapsed(begin), Milliseconds(10000));
  EXPECT_TRUE(bad_echoes());
  EXPECT_NE(wait_bad_worker(daemon), worker);
  EXPECT_TRUE(daemon.wait_log("worker loop_in_data: did not react for too long; 1 connections lost"));
  neighbours_.end();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(BadPlugins, that_never_return_do_not_keep_the_daemon_from_stopping) {
  write_bad("loop_in_data");
  Daemon daemon(folder_, options_);
  const pid_t worker = wait_bad_worker(daemon);
  ASSERT_GT(worker, 0);
  Client client(port_);
  ASSERT_TRUE(echoes(client));
  provoke(client);
  const SteadyTime begin = steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LT(elapsed(begin), Milliseconds(8000));
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
}

TEST_F(BadPlugins, whose_process_does_not_end_by_itself_are_ended) {
  write_bad("hang_at_exit");
  Daemon daemon(folder_, options_);
  pid_t worker = wait_bad_worker(daemon);
  ASSERT_GT(worker, 0);
  EXPECT_TRUE(bad_echoes());
  neighbours_.begin(daemon);
  folder_.remove("conf.d/bad.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  // The service can come back meanwhile; it has another worker then.
  write_bad("hang_at_exit");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  EXPECT_TRUE(bad_echoes());
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
  EXPECT_TRUE(daemon.wait_log("worker hang_at_exit: was killed: it did not end"));
  EXPECT_EQ(zombie_count(daemon.pid()), 0U);
  neighbours_.end();
  worker = wait_bad_worker(daemon, worker);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
}

// Without the second signal the daemon would wait three seconds for the worker.
TEST_F(BadPlugins, whose_process_does_not_end_do_not_keep_a_daemon_that_is_to_stop_now) {
  write_bad("hang_at_exit");
  for (const bool is_asked_twice : {true, false}) {
    Daemon daemon(folder_, options_);
    const pid_t worker = wait_bad_worker(daemon);
    ASSERT_GT(worker, 0);
    EXPECT_TRUE(bad_echoes());
    const SteadyTime begin = steady_clock::now();
    if (is_asked_twice) {
      EXPECT_TRUE(daemon.signal(SIGTERM));
      EXPECT_TRUE(daemon.wait_log("info: stopping"));
      EXPECT_TRUE(daemon.signal(SIGTERM));
    } else {
      EXPECT_TRUE(daemon.signal(SIGQUIT));
    }
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_LT(elapsed(begin), Milliseconds(2500));
    EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
  }
}

TEST_F(BadPlugins, with_work_that_takes_a_second_have_that_second) {
  write_bad("slow_work");
  for (const bool is_removed : {true, false}) {
    write_bad("slow_work");
    Daemon daemon(folder_, options_);
    Client client(port_);
    provoke(client);
    EXPECT_EQ(client.receive(1), "!");
    client.close();
    const std::size_t before = daemon.log_lines("bad: the work is done").size();
    if (is_removed) {
      folder_.remove("conf.d/bad.yaml");
      EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
      EXPECT_TRUE(daemon.wait_log("bad: stopped"));
    } else {
      EXPECT_EQ(daemon.stop(), 0);
      EXPECT_TRUE(daemon.wait_log("bad: stopped", 2));
    }
    EXPECT_EQ(daemon.log_lines("bad: the work is done").size(), before + 1);
    EXPECT_THAT(daemon.log_lines("did not end"), IsEmpty());
  }
}

// ---- goes on

TEST_F(BadPlugins, that_go_on_with_closed_connections_answer_once) {
  write_bad("write_after_close");
  Daemon daemon(folder_, options_);
  const pid_t worker = wait_bad_worker(daemon);
  ASSERT_GT(worker, 0);
  neighbours_.begin(daemon);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(ask(port_, "once\n"), "once\n");
  // Those whose clients have gone, too.
  for (int i = 0; i < 100; ++i) {
    Client client(port_);
    EXPECT_TRUE(client.send("once\n"));
    client.reset();
  }
  EXPECT_TRUE(eventually([&] {
    const auto state = daemon.state("state: bad:");
    return state.size() == 1 && contains(state[0], " active=0 ");
  }));
  EXPECT_EQ(wait_bad_worker(daemon), worker);
  neighbours_.end();
  EXPECT_THAT(daemon.log_lines("lost"), IsEmpty());
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(BadPlugins, with_a_thread_that_spins_serve_and_end) {
  write_bad("thread_that_spins");
  Daemon daemon(folder_, options_);
  const pid_t worker = wait_bad_worker(daemon);
  ASSERT_GT(worker, 0);
  neighbours_.begin(daemon);
  EXPECT_TRUE(bad_echoes());
  EXPECT_TRUE(eventually([&] { return neighbours_.rounds() > 50; }));
  EXPECT_GT(cpu_time(worker), Milliseconds(50)) << "it does spin";
  // The service goes, and the thread with it.
  folder_.remove("conf.d/bad.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
  neighbours_.end();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(BadPlugins, with_a_thread_that_calls_the_host_harm_themselves_at_most) {
  if (is_sanitized()) GTEST_SKIP() << "a sanitizer reports what this plugin does, and rightly";
  write_bad("thread_that_logs");
  Daemon daemon(folder_, options_);
  neighbours_.begin(daemon);
  EXPECT_TRUE(daemon.wait_log("from a thread"));
  EXPECT_TRUE(eventually([&] { return neighbours_.rounds() > 50; }));
  neighbours_.end();
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
