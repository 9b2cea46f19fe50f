// SPDX-License-Identifier: Apache-2.0
//
// Start, signals and stop (interface.md section 1; rows lif_5, lif_6 and sys_1 of reliability.md).
#include <csignal>
#include <random>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr unsigned kNobody = 65534;

void become_nobody() {
  if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(99);
}

class Life : public testing::Test {
 protected:
  void write_echo(std::string_view more = "") const {
    folder_.write("conf.d/echo.yaml", echo_service("echo", port_, more));
  }
  std::string pid_file() const { return folder_.string("xsd.pid"); }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

// ---- pid file and notifications

TEST_F(Life, pid_file_holds_the_pid_and_goes_at_the_end) {
  write_echo();
  Daemon daemon(folder_);
  EXPECT_EQ(folder_.read("xsd.pid"), std::to_string(daemon.pid()) + "\n");
  const int fd = open(pid_file().c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_NE(flock(fd, LOCK_EX | LOCK_NB), 0) << "it is not locked";
  close(fd);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_FALSE(fs::exists(pid_file()));
}

TEST_F(Life, a_second_daemon_with_the_same_pid_file_refuses_and_hurts_nobody) {
  write_echo();
  Daemon daemon(folder_);
  const RunResult second = run_xsd(
      {"-c", folder_.string("conf.d"), "--pid-file", pid_file(), "--log-file", folder_.string("xsd.log")});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("held by process " + std::to_string(daemon.pid())));
  EXPECT_EQ(folder_.read("xsd.pid"), std::to_string(daemon.pid()) + "\n");
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Life, a_stale_pid_file_is_taken_over) {
  write_echo();
  folder_.write("xsd.pid", "1\n");
  Daemon daemon(folder_);
  EXPECT_EQ(folder_.read("xsd.pid"), std::to_string(daemon.pid()) + "\n");
}

TEST_F(Life, a_pid_file_that_cannot_be_made_ends_with_1) {
  write_echo();
  const RunResult result = run_xsd({"-c", folder_.string("conf.d"), "--pid-file", "/proc/nowhere/xsd.pid"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("/proc/nowhere/xsd.pid"));
}

TEST_F(Life, notifications_tell_of_start_reload_and_stop) {
  write_echo();
  Daemon daemon(folder_);
  EXPECT_THAT(daemon.notifications().back(), HasSubstr("READY=1"));
  (void)daemon.hup_and_wait();
  EXPECT_EQ(daemon.stop(), 0);
  std::string all;
  for (const std::string& text : daemon.notifications())
    all += text;
  EXPECT_THAT(all,
              testing::ContainsRegex(
                  "READY=1\n(.|\n)*RELOADING=1\nMONOTONIC_USEC=[0-9]+\n(.|\n)*READY=1\n(.|\n)*STOPPING=1\n"));
}

// ---- stop

TEST_F(Life, term_lets_connections_finish_and_ends_programs_within_the_grace) {
  const std::uint16_t cat_port = free_port();
  const std::uint16_t stubborn_port = free_port();
  write_echo("stop_timeout: 1s");
  folder_.write("conf.d/cat.yaml", program_service("cat", cat_port, {"/bin/cat"}, "stop_timeout: 1s"));
  folder_.write("conf.d/stubborn.yaml",
                program_service("stubborn", stubborn_port, {program("ignore_term")}, "stop_timeout: 1s"));
  Daemon daemon(folder_);
  std::vector<Client> held;
  for (int i = 0; i < 100; ++i)
    held.emplace_back(port_);
  for (Client& client : held)
    ASSERT_TRUE(echoes(client));
  Client cat(cat_port);
  Client stubborn(stubborn_port);
  ASSERT_TRUE(echoes(cat));
  const pid_t stubborn_pid = std::stoi(stubborn.receive_line().substr(4));
  const SteadyTime begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(daemon.signal(SIGTERM));
  EXPECT_TRUE(daemon.wait_notification("STOPPING=1"));
  EXPECT_EQ(cat.wait_end(), Ending::Closed) << "TERM to programs at once";
  EXPECT_TRUE(eventually([&] { return is_refused(port_); })) << "no new connections";
  EXPECT_TRUE(echoes(held[0])) << "internal connections go on";
  EXPECT_TRUE(is_alive(stubborn_pid));
  EXPECT_EQ(daemon.wait_exit(), 0);
  EXPECT_GE(elapsed(begin), Milliseconds(900));
  EXPECT_LT(elapsed(begin), Milliseconds(6000));
  EXPECT_FALSE(is_alive(stubborn_pid));
  for (Client& client : held)
    EXPECT_NE(client.wait_end(), Ending::Open);
}

TEST_F(Life, term_ends_at_once_when_nothing_is_held) {
  write_echo("stop_timeout: 60s");
  Daemon daemon(folder_);
  EXPECT_TRUE(echoes(port_));
  for (const int number : {SIGTERM})
    EXPECT_TRUE(daemon.signal(number));
  EXPECT_EQ(daemon.wait_exit(), 0);
}

TEST_F(Life, int_is_the_same_as_term) {
  write_echo();
  Daemon daemon(folder_);
  EXPECT_TRUE(daemon.signal(SIGINT));
  EXPECT_EQ(daemon.wait_exit(), 0);
}

TEST_F(Life, connections_that_finish_end_the_stop_early) {
  write_echo("stop_timeout: 60s");
  Daemon daemon(folder_);
  Client client(port_);
  ASSERT_TRUE(echoes(client));
  ASSERT_TRUE(daemon.signal(SIGTERM));
  EXPECT_TRUE(daemon.wait_notification("STOPPING=1"));
  EXPECT_TRUE(echoes(client));
  client.close();
  EXPECT_EQ(daemon.wait_exit(), 0);
}

TEST_F(Life, programs_with_on_stop_leave_are_left_alone_by_quit_too) {
  const std::uint16_t cat_port = free_port();
  folder_.write("conf.d/cat.yaml", program_service("cat", cat_port, {"/bin/cat"}, "on_stop: leave"));
  Daemon daemon(folder_);
  Client client(cat_port);
  ASSERT_TRUE(echoes(client));
  ASSERT_TRUE(daemon.signal(SIGQUIT));
  EXPECT_EQ(daemon.wait_exit(), 0);
  EXPECT_TRUE(echoes(client));
  client.half_close();
  EXPECT_EQ(client.wait_end(), Ending::Closed);
}

TEST_F(Life, killed_and_started_again_it_binds_at_once) {
  write_echo();
  {
    Daemon daemon(folder_);
    Client held(port_);
    ASSERT_TRUE(echoes(held));
    ASSERT_TRUE(daemon.signal(SIGKILL));
    EXPECT_EQ(daemon.wait_exit(), 128 + SIGKILL);
  }
  Daemon daemon(folder_);
  EXPECT_TRUE(echoes(port_));
}

// ---- other signals

TEST_F(Life, usr1_writes_the_state) {
  write_echo();
  folder_.write("conf.d/off.yaml", echo_service("off", free_port(), "disable: yes"));
  Daemon daemon(folder_);
  Client client(port_);
  ASSERT_TRUE(echoes(client));
  const auto lines = daemon.state("state: ");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[1], HasSubstr("state: echo: listening active=1 started=1"));
  EXPECT_THAT(lines[1], HasSubstr(tcp(port_)));
  EXPECT_THAT(lines[2], HasSubstr("state: off: disabled"));
}

TEST_F(Life, usr2_and_pipe_do_no_harm) {
  write_echo();
  Daemon daemon(folder_);
  for (const int number : {SIGUSR2, SIGPIPE, SIGCHLD})
    EXPECT_TRUE(daemon.signal(number));
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Life, a_storm_of_mixed_signals_harms_nobody) {
  write_echo();
  const std::uint16_t program_port = free_port();
  folder_.write("conf.d/true.yaml", program_service("true", program_port, {"/bin/true"}));
  Daemon daemon(folder_);
  EchoLoad load(1, [&] { return port_; });
  const int count = is_sanitized() ? 20000 : 100000;
  std::minstd_rand random(42);
  constexpr int kSignals[] = {SIGHUP, SIGUSR1, SIGCHLD, SIGUSR2, SIGPIPE};
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(daemon.signal(kSignals[random() % std::size(kSignals)]));
    if (i % 1000 == 0) (void)ask(program_port);
  }
  EXPECT_TRUE(eventually([&] { return load.served() > 10; }));
  const EchoLoad::Totals totals = load.stop();
  EXPECT_EQ(totals.refused + totals.wrong, 0U) << totals.first_error;
  EXPECT_TRUE(eventually([&] { return zombie_count(daemon.pid()) == 0; }));
  EXPECT_EQ(daemon.stop(), 0);
  // It was logging all the while. Signals that are pending at once are one, but each program is a few turns.
  const auto programs = static_cast<std::size_t>(count / 1000);
  EXPECT_GE(daemon.log_lines("true: end ").size(), programs);
  EXPECT_GE(daemon.log_lines(" generation ").size(), programs / 2);
  EXPECT_GE(daemon.log_lines("USR2: ").size(), programs / 2);
  EXPECT_GE(daemon.log_lines("echo: end ").size(), totals.served);
}

TEST_F(Life, ignored_and_blocked_signals_of_the_caller_do_not_matter) {
  write_echo();
  Daemon daemon(folder_, {.start = {.in_child = [] {
                            for (const int number : {SIGHUP, SIGTERM, SIGCHLD, SIGUSR1})
                              (void)signal(number, SIG_IGN);
                            sigset_t all;
                            sigfillset(&all);
                            sigprocmask(SIG_SETMASK, &all, nullptr);
                          }}});
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
  EXPECT_EQ(daemon.stop(), 0);
}

// ---- where it is started

TEST_F(Life, works_as_an_ordinary_user) {
  if (!is_root()) GTEST_SKIP() << "runs as one already";
  write_echo();
  const std::uint16_t program_port = free_port();
  folder_.write("conf.d/id.yaml", "service: id\nlisten: [" + yaml_quoted(tcp(program_port)) +
                                      "]\nserver: /usr/bin/id\nserver_args: [-u]\n");
  folder_.give_to(kNobody, kNobody);
  Daemon daemon(folder_, {.start = {.in_child = become_nobody}});
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(ask(program_port), std::to_string(kNobody) + "\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 2"));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Life, starts_with_descriptors_0_to_2_closed) {
  write_echo();
  const std::uint16_t program_port = free_port();
  folder_.write("conf.d/world.yaml",
                program_service("world", program_port, {program("show_world")}, "stderr: log"));
  Daemon daemon(folder_, {.start = {.in_child = [] {
                            for (int fd = 0; fd <= 2; ++fd)
                              close(fd);
                          }}});
  EXPECT_TRUE(echoes(port_));
  EXPECT_THAT(ask(program_port), HasSubstr("fds 0 1 2\n"));
  const auto fds = open_fds(daemon.pid());
  for (int fd = 0; fd <= 2; ++fd)
    EXPECT_EQ(fds.at(fd), "/dev/null") << fd;
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Life, works_with_a_full_environment_and_an_odd_folder) {
  write_echo();
  const std::string odd = folder_.string("a folder with blanks, \xc3\xa4 and 'quotes'");
  fs::rename(folder_ / "conf.d", odd);
  StartOptions start;
  for (int i = 0; i < 200; ++i)
    start.environment.push_back("ODD_" + std::to_string(i) + "=" + std::string(100, 'x'));
  Daemon daemon(folder_, {.config = odd, .start = start});
  EXPECT_TRUE(echoes(port_));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
}

bool blocks_hup(pid_t pid) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("SigBlk:");
  return at != std::string::npos && (std::strtoull(status.c_str() + at + 7, nullptr, 16) & 1U) != 0;
}

TEST(Start, is_followed_by_a_reload_that_was_wanted_meanwhile) {
  for (int i = 0; i < 20 && !testing::Test::HasFailure(); ++i) {
    const TempFolder folder;
    const std::uint16_t port = free_port();
    folder.write("conf.d/echo.yaml", echo_service("echo", port));
    Daemon daemon(folder, {.wait_ready = false});
    ASSERT_TRUE(eventually([&] { return blocks_hup(daemon.pid()); }));
    EXPECT_TRUE(eventually([&] { return daemon.signal(SIGHUP) && contains(daemon.log(), " started: "); }));
    EXPECT_TRUE(daemon.wait_log("reload: started 0"));
    EXPECT_TRUE(echoes(port));
    EXPECT_EQ(daemon.stop(), 0);
  }
}

TEST_F(Life, reaps_orphans_as_pid_1) {
  if (!is_root()) GTEST_SKIP() << "needs root for a pid namespace";
  if (run({"unshare", "--pid", "--fork", "--kill-child", "true"}).status != 0)
    GTEST_SKIP() << "no pid namespace here";
  write_echo();
  const std::uint16_t program_port = free_port();
  // The program leaves a child behind that ends after it: an orphan, for PID 1 to reap.
  folder_.write("conf.d/orphan.yaml",
                shell_service("orphan", program_port,
                              "(exec 0<&- 1>&- 2>&-; read x < " + folder_.string("gate") + ") & echo made"));
  ASSERT_EQ(mkfifo(folder_.string("gate").c_str(), 0644), 0);
  Process init({"unshare", "--pid", "--fork", "--kill-child", xsd_binary(), "-c", folder_.string("conf.d"),
                "--pid-file", pid_file(), "--log-file", folder_.string("xsd.log")},
               {.error = folder_ / "stderr"});
  ASSERT_TRUE(eventually([&] { return echoes(port_); })) << folder_.read("stderr");
  EXPECT_EQ(folder_.read("xsd.pid"), "1\n");
  const auto outside = children_of(init.pid());
  ASSERT_EQ(outside.size(), 1U);
  EXPECT_EQ(ask(program_port), "made\n");
  EXPECT_TRUE(eventually([&] { return children_of(outside[0]).size() == 1; })) << "the orphan is not ours";
  const int gate =
      open(folder_.string("gate").c_str(), O_WRONLY | O_CLOEXEC);  // lets the orphan go on, and end
  close(gate);
  EXPECT_TRUE(eventually([&] { return children_of(outside[0], true).empty(); }))
      << zombie_count(outside[0]) << " zombies";
  EXPECT_TRUE(echoes(port_));
  ASSERT_EQ(kill(outside[0], SIGTERM), 0);
  EXPECT_EQ(init.wait(), 0);
  expect_no_sanitizer_report(folder_.read("stderr"));
}

TEST_F(Life, reaps_any_number_of_orphans_that_end_together) {
  constexpr std::size_t kOrphans = 600;
  const std::uint16_t program_port = free_port();
  folder_.write("conf.d/orphans.yaml",
                shell_service("orphans", program_port,
                              "for i in $(seq " + std::to_string(kOrphans) + "); do (read x < " +
                                  folder_.string("gate") + ") <&- >&- 2>&- & done; echo made"));
  ASSERT_EQ(mkfifo(folder_.string("gate").c_str(), 0644), 0);
  Daemon daemon(folder_, {.start = {.in_child = [] { (void)prctl(PR_SET_CHILD_SUBREAPER, 1); }}});
  EXPECT_EQ(ask(program_port), "made\n");
  ASSERT_TRUE(eventually([&] { return children_of(daemon.pid()).size() == kOrphans; }));
  ASSERT_TRUE(daemon.signal(SIGSTOP));  // so that one signal stands for all
  close(open(folder_.string("gate").c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_TRUE(eventually([&] { return zombie_count(daemon.pid()) == kOrphans; }));
  ASSERT_TRUE(daemon.signal(SIGCONT));
  EXPECT_TRUE(eventually([&] { return zombie_count(daemon.pid()) == 0; }))
      << zombie_count(daemon.pid()) << " zombies";
  EXPECT_EQ(daemon.stop(), 0);
}

// ---- quiet and time

TEST_F(Life, idle_makes_no_system_call_in_ten_seconds) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  // Some way down: the folders above a watched one are watched for its name, and in /tmp there is a lot of
  // traffic.
  folder_.write("etc/xsd/xsd.yaml", "daemon: {watch: true}\ninclude: [conf.d/*.yaml]\n");
  folder_.write("etc/xsd/conf.d/echo.yaml", echo_service("echo", port_));
  const std::uint16_t program_port = free_port();
  folder_.write("etc/xsd/conf.d/true.yaml", program_service("true", program_port, {"/bin/true"}));
  Daemon daemon(folder_, {.config = folder_ / "etc/xsd/xsd.yaml"});
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(udp_echoes(port_));
  EXPECT_EQ(ask(program_port), "");
  EXPECT_TRUE(daemon.wait_log("true: end"));
  // From here on nothing is asked of it; what it still had to do it has done when the tracer is there.
  const std::string calls = folder_.string("calls");
  Process tracer({"strace", "-f", "-o", calls, "-p", std::to_string(daemon.pid())},
                 {.error = folder_ / "tracer"});
  EXPECT_TRUE(eventually([&] { return status_field(daemon.pid(), "TracerPid") != "0"; }));
  EXPECT_TRUE(eventually([&] { return !read_file(calls).empty(); }));  // the wait that it is in
  const std::size_t before = split_lines(read_file(calls)).size();
  EXPECT_FALSE(tracer.wait(Milliseconds(10000)).has_value());
  const std::vector<std::string> lines = split_lines(read_file(calls));
  EXPECT_EQ(lines.size(), before) << read_file(calls);
  EXPECT_TRUE(tracer.signal(SIGINT));
  (void)tracer.wait();
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Life, a_jump_of_the_wall_clock_harms_no_timer) {
  // The wall clock of a container cannot be set for one process (time namespaces have the monotonic clocks
  // only), so the daemon is given another one between it and the library.
  const std::uint16_t daytime_port = free_port();
  write_echo("idle_timeout: 1s");
  folder_.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", daytime_port));
  folder_.write("offset", "0\n");
  const std::string library = program("libshifted_clock.so");
  if (!fs::exists(library)) GTEST_SKIP() << library << " was not built";
  if (is_sanitized()) GTEST_SKIP() << "the sanitizer's library must be the first one";
  Daemon daemon(folder_, {.start = {.environment = {"LD_PRELOAD=" + library,
                                                    "XSD_TEST_CLOCK_OFFSET=" + folder_.string("offset")}}});
  const std::string before = ask(daytime_port);
  Client client(port_);
  ASSERT_TRUE(echoes(client));
  const SteadyTime begin = std::chrono::steady_clock::now();
  folder_.write("offset", "-86400\n");
  EXPECT_EQ(client.wait_end(), Ending::Closed) << "the idle timeout is late";
  EXPECT_GE(elapsed(begin), Milliseconds(500));
  EXPECT_LT(elapsed(begin), Milliseconds(8000));
  const std::string after = ask(daytime_port);
  EXPECT_NE(before, "");
  EXPECT_NE(after.substr(0, 16), before.substr(0, 16)) << "daytime follows the clock";
  folder_.write("offset", "86400\n");
  Client second(port_);
  EXPECT_TRUE(echoes(second));
  EXPECT_NE(second.wait_end(Milliseconds(8000)), Ending::Open);
}

}  // namespace
}  // namespace xsd::test
