// SPDX-License-Identifier: Apache-2.0
//
// Worker processes: what they may do, and what becomes of services and clients when one dies, hangs or was
// never safe (rows lif_3, lif_4, lif_7, sec_1, sec_2 and plg_2 of reliability.md).
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Workers : public testing::Test {
 protected:
  void write_services() const {
    folder_.write("conf.d/echo.yaml", echo_service("echo", echo_));
    folder_.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", daytime_));
    folder_.write("conf.d/cat.yaml", program_service("cat", cat_, {"/bin/cat"}));
  }
  /// 0 if there is none: to be asserted before it is signalled.
  static pid_t worker_of(const Daemon& daemon) { return xsd::test::worker_of(daemon.pid(), "built-in"); }
  static bool is_replaced(const Daemon& daemon, pid_t old) {
    return eventually([&] {
      const pid_t now = worker_of(daemon);
      return now != 0 && now != old;
    });
  }

  TempFolder folder_;
  std::uint16_t echo_ = free_port();
  std::uint16_t daytime_ = free_port();
  std::uint16_t cat_ = free_port();
};

TEST_F(Workers, are_unprivileged_and_filtered) {
  write_services();
  Daemon daemon(folder_);
  const pid_t worker = worker_of(daemon);
  ASSERT_GT(worker, 0);
  EXPECT_THAT(status_field(worker, "Uid"), Not(HasSubstr(is_root() ? "0\t" : "none")));
  EXPECT_EQ(status_field(worker, "NoNewPrivs"), "1");
  EXPECT_EQ(status_field(worker, "Seccomp"), "2");
  for (const char* const set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(status_field(worker, set), "0000000000000000") << set;
  EXPECT_TRUE(echoes(echo_));
}

TEST_F(Workers, none_is_started_where_nothing_needs_one) {
  folder_.write("conf.d/cat.yaml", program_service("cat", cat_, {"/bin/cat"}));
  Daemon daemon(folder_);
  EXPECT_EQ(worker_of(daemon), 0);
  write_services();
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 2"));
  EXPECT_TRUE(echoes(echo_));
  const pid_t worker = worker_of(daemon);
  ASSERT_GT(worker, 0);
  EXPECT_NE(worker, 0);
  folder_.remove("conf.d/echo.yaml");
  folder_.remove("conf.d/daytime.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 2"));
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
}

TEST_F(Workers, workers_0_serves_the_same_in_the_master_itself) {
  write_services();
  Daemon daemon(folder_, {.arguments = {"--workers", "0"}});
  EXPECT_TRUE(echoes(echo_));
  EXPECT_THAT(ask(daytime_), HasSubstr(":"));
  EXPECT_THAT(children_of(daemon.pid()), IsEmpty());
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Workers, a_dead_one_is_replaced_and_only_its_connections_are_lost) {
  write_services();
  Daemon daemon(folder_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  const pid_t worker = worker_of(daemon);
  ASSERT_GT(worker, 0);
  Client held(echo_);
  ASSERT_TRUE(echoes(held));
  Client program(cat_);
  ASSERT_TRUE(echoes(program));
  ASSERT_TRUE(eventually([&] { return elapsed(begin) >= Milliseconds(600); }))
      << "old enough to be replaced at once";
  ASSERT_EQ(kill(worker, SIGABRT), 0);
  EXPECT_THAT(held.wait_end(), AnyOf(Ending::Closed, Ending::Reset));
  EXPECT_TRUE(is_replaced(daemon, worker));
  EXPECT_TRUE(echoes(echo_));
  EXPECT_THAT(ask(daytime_), HasSubstr(":"));
  EXPECT_TRUE(echoes(program)) << "a program is nobody's business there";
  EXPECT_TRUE(daemon.wait_log("worker built-in: ended by signal 6 (ABRT); 1 connections lost"));
  // Nothing that was counted is forgotten.
  EXPECT_THAT(daemon.state("state: echo:"), Contains(HasSubstr("started=2")));
}

TEST_F(Workers, killed_under_load_twenty_times_they_lose_only_what_they_had_accepted) {
  write_services();
  Daemon daemon(folder_);
  constexpr int kThreads = 4;
  for (int i = 0; i < 20; ++i) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    const pid_t worker = worker_of(daemon);
    ASSERT_GT(worker, 0);
    ASSERT_TRUE(eventually([&] { return elapsed(begin) > Milliseconds(600); }))
        << "then it is replaced at once";
    EchoLoad load(kThreads, [&] { return echo_; });
    ASSERT_TRUE(eventually([&] { return load.served() > 20; }));
    ASSERT_EQ(kill(worker, SIGKILL), 0);
    ASSERT_TRUE(is_replaced(daemon, worker));
    // The port never closes: who connects meanwhile waits in its queue.
    EXPECT_TRUE(echoes(echo_));
    const std::uint64_t before = load.served();
    EXPECT_TRUE(eventually([&] { return load.served() > before; }));
    const EchoLoad::Totals totals = load.stop();
    EXPECT_EQ(totals.refused, 0U) << totals.first_error;
    EXPECT_LE(totals.wrong, kThreads) << totals.first_error;
  }
  EXPECT_TRUE(daemon.running());
}

TEST_F(Workers, a_stopped_one_is_replaced) {
  write_services();
  Daemon daemon(folder_);
  const pid_t worker = worker_of(daemon);
  ASSERT_GT(worker, 0);
  ASSERT_EQ(kill(worker, SIGSTOP), 0);
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(echoes(echo_, {.deadline = kDeadline}));
  EXPECT_LT(elapsed(begin), Milliseconds(10000));
  EXPECT_TRUE(daemon.wait_log("was stopped"));
  EXPECT_NE(worker_of(daemon), worker);
}

TEST_F(Workers, one_that_is_stopped_for_a_moment_goes_on) {
  write_services();
  Daemon daemon(folder_);
  const pid_t worker = worker_of(daemon);
  ASSERT_GT(worker, 0);
  Client held(echo_);
  ASSERT_TRUE(echoes(held));
  ASSERT_EQ(kill(worker, SIGSTOP), 0);
  EXPECT_TRUE(daemon.wait_log("was stopped by a signal"));
  ASSERT_EQ(kill(worker, SIGCONT), 0);
  EXPECT_TRUE(daemon.wait_log("goes on"));
  EXPECT_TRUE(echoes(held));
  EXPECT_EQ(worker_of(daemon), worker);
}

TEST_F(Workers, end_with_a_master_that_is_killed_and_the_ports_are_free_at_once) {
  write_services();
  const std::uint16_t other = free_port();
  folder_.write("plugins/plugin_1_0.so", read_file(XSD_OLD_PLUGINS "/plugin_1_0.so"));
  folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins]}\ninclude: [conf.d/*.yaml]\n");
  folder_.write("conf.d/other.yaml", plugin_service("other", "plugin_1_0", other));
  const DaemonOptions options{.config = folder_ / "xsd.yaml"};
  for (int i = 0; i < 3; ++i) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    Daemon daemon(folder_, options);
    EXPECT_TRUE(echoes(echo_));
    EXPECT_TRUE(udp_echoes(echo_));
    EXPECT_THAT(ask(daytime_), HasSubstr(":"));
    EXPECT_EQ(ask(cat_, "programs\n"), "programs\n");
    EXPECT_EQ(ask(other, "plugins\n"), "hello plugins\n");
    EXPECT_LT(elapsed(begin), Milliseconds(is_sanitized() ? 5000 : 1000)) << "all ports are there again";
    Client held(echo_);
    Client held_by_other(other);
    ASSERT_TRUE(echoes(held));
    EXPECT_EQ(held_by_other.receive(6), "hello ");
    // One that is stopped, one that is not, and the logger as each of them.
    const std::vector<pid_t> roles{worker_of(daemon), xsd::test::worker_of(daemon.pid(), "plugin_1_0"),
                                   role_of(daemon.pid(), "logger")};
    for (const pid_t role : roles)
      ASSERT_GT(role, 0);
    ASSERT_NE(roles[0], roles[1]);
    ASSERT_EQ(kill(roles[0], SIGSTOP), 0);
    if (i % 2 == 0) {
      ASSERT_EQ(kill(roles[2], SIGSTOP), 0);
    }
    ASSERT_TRUE(daemon.signal(SIGKILL));
    (void)daemon.wait_exit();
    for (const pid_t role : roles)
      EXPECT_TRUE(eventually([&] { return !is_alive(role); }));
  }
}

TEST_F(Workers, end_in_order_with_the_daemon) {
  write_services();
  Daemon daemon(folder_);
  const pid_t worker = worker_of(daemon);
  ASSERT_GT(worker, 0);
  EXPECT_TRUE(echoes(echo_));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("error")));
  EXPECT_THAT(daemon.log_lines("echo: end"), SizeIs(1)) << "the last records are there";
}

// Each step that makes a worker safe, made to fail: nobody is served by one that is not.
class UnsafeWorker : public Workers,
                     public testing::WithParamInterface<std::tuple<const char*, const char*>> {};

TEST_P(UnsafeWorker, serves_nobody) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  const std::string call = std::get<0>(GetParam());
  if (call.starts_with("set") && geteuid() != 0) GTEST_SKIP() << "only root changes its ids";
  write_services();
  const std::string fault = "inject=" + call + ":error=" + std::get<1>(GetParam());
  const SteadyTime begin = std::chrono::steady_clock::now();
  Daemon daemon(folder_, {.start = {.strace = {"-e", "trace=" + call, "-e", fault}}});
  EXPECT_LT(elapsed(begin), Milliseconds(8000)) << "it is known at once";
  EXPECT_FALSE(echoes(echo_, {.deadline = Milliseconds(300)}));
  // What fails before the program of the worker runs fails in the same way for that of a service.
  const bool is_own = call == "capset" || call == "seccomp";
  EXPECT_EQ(ask(cat_, "a program\n"), is_own ? "a program\n" : "");
  EXPECT_THAT(daemon.state("state: echo: failed"),
              Contains(HasSubstr(is_own ? "its worker is not safe: " : "its worker cannot be started: ")));
  daemon.end_tracing();
}

INSTANTIATE_TEST_SUITE_P(
    Step, UnsafeWorker,
    testing::Combine(testing::Values("setgroups", "setresgid", "setresuid", "prctl", "capset", "seccomp"),
                     testing::Values("ENOSYS", "EPERM")),
    [](const auto& step) { return std::string(std::get<0>(step.param)) + "_" + std::get<1>(step.param); });

// Whatever parses what a client sent is not the master.
TEST_F(Workers, the_master_never_reads_what_a_client_sent) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  write_services();
  Daemon daemon(folder_, {.start = {.strace = trace_reads()}});
  EXPECT_TRUE(echoes(echo_));
  EXPECT_TRUE(udp_echoes(echo_));
  EXPECT_EQ(ask(cat_, "from the client\n"), "from the client\n");
  (void)daemon.hup_and_wait();
  EXPECT_EQ(daemon.stop(), 0);
  daemon.end_tracing();
  expect_not_read_by_master(daemon, "from the client");
}

}  // namespace
}  // namespace xsd::test
