// SPDX-License-Identifier: Apache-2.0
//
// The process that writes the log: what it may, what its end and its standing still cost (log_2 of
// reliability.md), and the targets that are datagrams.
#include <csignal>
#include <numeric>
#include <regex>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Their records are more than the pair of a stopped logger (400 KiB) and the backlog before it hold.
// Their lines are more than the pair and the backlog hold.
std::size_t many_connections() {
  return std::getenv("XSD_TEST_FULL") != nullptr ? 20000 : 12000;
}

class Logger : public testing::Test {
 protected:
  void write_echo() const { folder_.write("conf.d/echo.yaml", echo_service("echo", port_)); }
  /// Once it has come so far that its name is its own.
  static pid_t wait_logger(const Daemon& daemon, pid_t other_than = 0) {
    pid_t pid = 0;
    EXPECT_TRUE(eventually([&] {
      pid = role_of(daemon.pid(), "logger");
      return pid > 0 && pid != other_than && status_field(pid, "Seccomp") == "2";
    }));
    return pid;
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t program_port_ = free_port();
};

TEST_F(Logger, has_no_privileges_and_nothing_of_the_daemons) {
  write_echo();
  Daemon daemon(folder_);
  const pid_t logger = wait_logger(daemon);
  EXPECT_EQ(status_field(logger, "Name"), "xsd: logger");
  EXPECT_EQ(status_field(logger, "NoNewPrivs"), "1");
  EXPECT_EQ(status_field(logger, "Seccomp"), "2");
  for (const char* const set : {"CapEff", "CapPrm", "CapInh", "CapAmb"})
    EXPECT_EQ(status_field(logger, set), "0000000000000000") << set;
  if (is_root()) {
    EXPECT_THAT(status_field(logger, "Uid"), Not(testing::StartsWith("0\t")));
    EXPECT_THAT(status_field(logger, "Groups"), IsEmpty());
  }
  // Standard descriptors, the channel, the poller, the pairs of the daemon and of its worker, and the file.
  EXPECT_TRUE(eventually([&] { return fd_count(logger) == 8; })) << testing::PrintToString(open_fds(logger));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
}

TEST_F(Logger, makes_the_file_as_the_daemon_does) {
  write_echo();
  Daemon daemon(folder_);
  struct stat info {};
  ASSERT_EQ(stat(folder_.string("xsd.log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
  EXPECT_EQ(info.st_uid, geteuid());
}

TEST_F(Logger, is_not_there_without_workers) {
  write_echo();
  Daemon daemon(folder_, {.arguments = {"--workers", "0"}});
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
  EXPECT_EQ(role_of(daemon.pid(), "logger"), 0);
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(split_lines(daemon.log()).back(), testing::EndsWith("stopped"));
}

TEST_F(Logger, has_written_the_last_line_when_the_daemon_has_ended) {
  write_echo();
  for (const int number : {SIGTERM, SIGQUIT}) {
    Daemon daemon(folder_);
    for (int i = 0; i < 20; ++i)
      EXPECT_TRUE(echoes(port_));
    EXPECT_TRUE(daemon.signal(number));
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_TRUE(contains(daemon.log(), "info: stopped"));  // lines of workers may stand behind it
    std::filesystem::rename(folder_ / "xsd.log", folder_ / ("xsd.log." + std::to_string(number)));
  }
  for (const int number : {SIGTERM, SIGQUIT})
    EXPECT_EQ(count_lines(folder_.read("xsd.log." + std::to_string(number)), "echo: end"), 20U);
}

TEST_F(Logger, is_not_ended_by_what_ends_the_daemon) {
  write_echo();
  Daemon daemon(folder_);
  const pid_t logger = wait_logger(daemon);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE})
    EXPECT_EQ(kill(logger, number), 0);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
  EXPECT_EQ(role_of(daemon.pid(), "logger"), logger);
}

TEST_F(Logger, that_is_killed_is_replaced_and_nothing_else_notices) {
  write_echo();
  Daemon daemon(folder_);
  EchoLoad load(1, [&] { return port_; });
  pid_t logger = wait_logger(daemon);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(kill(logger, SIGKILL), 0);
    logger = wait_logger(daemon, logger);
  }
  const EchoLoad::Totals totals = load.stop();
  EXPECT_EQ(totals.refused + totals.wrong, 0U) << totals.first_error;
  EXPECT_TRUE(daemon.wait_log("logger: ended by signal 9 (KILL); the daemon writes the log itself"));
  EXPECT_TRUE(daemon.wait_log("logger: it runs again"));
  const std::string mark = "state: echo:";
  EXPECT_FALSE(daemon.state(mark).empty());
  EXPECT_EQ(daemon.stop(), 0);
  for (const std::string& line : split_lines(daemon.log()))
    EXPECT_THAT(line, testing::ContainsRegex("^[0-9TZ:.-]+ xsd\\[[0-9]+\\] (info|warning): "))
        << "a torn line";
}

/// What the lines "log: N lines were dropped" add up to.
std::size_t told_drops(const std::string& log) {
  static const std::regex kTold(R"(log: (\d+) lines were dropped: Resource temporarily unavailable)");
  std::size_t sum = 0;
  for (auto match = std::sregex_iterator(log.begin(), log.end(), kTold); match != std::sregex_iterator();
       ++match)
    sum += std::stoul((*match)[1]);
  return sum;
}

TEST_F(Logger, that_is_stopped_costs_lines_that_are_told_and_nothing_waits) {
  write_echo();
  Daemon daemon(folder_);
  const pid_t logger = wait_logger(daemon);
  ASSERT_EQ(kill(logger, SIGSTOP), 0);
  const std::size_t connections = many_connections();
  const auto cpu_before = cpu_time(daemon.pid());
  Milliseconds slowest{0};
  for (std::size_t i = 0; i < connections; ++i) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(echoes(port_));
    slowest = std::max(slowest, elapsed(begin));
  }
  EXPECT_LT(slowest, Milliseconds(is_sanitized() ? 2000 : 500));
  EXPECT_LT(cpu_time(daemon.pid()) - cpu_before, Milliseconds(connections)) << "a millisecond each";
  // Nor does it turn round and round while it waits.
  const auto cpu_idle = cpu_time(daemon.pid());
  EXPECT_TRUE(holds_for(Milliseconds(300), [&] { return daemon.running(); }));
  EXPECT_LE(cpu_time(daemon.pid()) - cpu_idle, Milliseconds(30));
  EXPECT_EQ(role_of(daemon.pid(), "logger"), logger) << "it was left alone";
  EXPECT_THAT(daemon.log_lines("were dropped"), IsEmpty());

  ASSERT_EQ(kill(logger, SIGCONT), 0);
  EXPECT_TRUE(daemon.wait_log("lines were dropped: Resource temporarily unavailable"));
  EXPECT_TRUE(echoes(port_));
  const auto recorded = [&] {
    return count_lines(daemon.log(), "echo: start") + count_lines(daemon.log(), "echo: end");
  };
  const std::size_t expected = 2 * (connections + 1);
  EXPECT_TRUE(eventually([&] { return recorded() + told_drops(daemon.log()) == expected; }))
      << recorded() << " records and " << told_drops(daemon.log()) << " told of are not " << expected;
  EXPECT_GT(told_drops(daemon.log()), 0U);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Logger, that_is_stopped_does_not_keep_the_daemon_from_stopping_and_its_lines_are_written) {
  write_echo();
  Daemon daemon(folder_);
  const pid_t logger = wait_logger(daemon);
  ASSERT_EQ(kill(logger, SIGSTOP), 0);
  EXPECT_TRUE(echoes(port_));
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LT(elapsed(begin), Milliseconds(5000));
  EXPECT_TRUE(eventually([&] { return !is_alive(logger); }));
  EXPECT_EQ(count_lines(daemon.log(), "echo: end"), 1U);
  EXPECT_THAT(split_lines(daemon.log()).back(), testing::EndsWith("stopped"));
}

TEST_F(Logger, ends_with_a_daemon_that_is_killed) {
  write_echo();
  Daemon daemon(folder_);
  const pid_t logger = wait_logger(daemon);
  ASSERT_EQ(kill(logger, SIGSTOP), 0);
  EXPECT_TRUE(daemon.signal(SIGKILL));
  (void)daemon.wait_exit();
  EXPECT_TRUE(eventually([&] { return !is_alive(logger); }));
}

TEST_F(Logger, reads_what_programs_say_and_loses_no_line_when_it_is_killed) {
  folder_.write(
      "conf.d/sh.yaml",
      shell_service("sh", program_port_,
                    "i=0; while [ $i -lt 2000 ]; do echo \"line $i\" >&2; i=$((i+1)); done", "stderr: log"));
  Daemon daemon(folder_);
  pid_t logger = wait_logger(daemon);
  EXPECT_EQ(ask(program_port_), "");
  EXPECT_TRUE(daemon.wait_log("sh: stderr: line ", 2000));
  EXPECT_THAT(daemon.log(), HasSubstr("xsd[" + std::to_string(logger) + "] info: sh: stderr: line 1999\n"));
  // The service's pipe goes on to the next one.
  EXPECT_EQ(kill(logger, SIGKILL), 0);
  logger = wait_logger(daemon, logger);
  EXPECT_EQ(ask(program_port_), "");
  EXPECT_TRUE(daemon.wait_log("sh: stderr: line ", 4000));
  EXPECT_THAT(daemon.log(), HasSubstr("xsd[" + std::to_string(logger) + "] info: sh: stderr: line 1999\n"));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Logger, that_cannot_be_started_is_done_without) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}));  // nor could a worker
  Daemon daemon(folder_,
                {.start = {.strace = {"-f", "-e", "trace=seccomp", "-e", "inject=seccomp:error=EPERM"}}});
  EXPECT_TRUE(daemon.wait_log("the daemon writes the log itself"));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("cat: end"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log_lines("the daemon writes the log itself"), testing::SizeIs(1));
  EXPECT_THAT(daemon.log_lines("runs again"), IsEmpty());
  EXPECT_THAT(split_lines(daemon.log()).back(), testing::EndsWith("stopped"));
}

/// A UDP port of ours where a log arrives.
class LogReceiver {
 public:
  LogReceiver() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~LogReceiver() { close(fd_); }
  LogReceiver(const LogReceiver&) = delete;
  LogReceiver& operator=(const LogReceiver&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  /// The next one that contains `part`; empty if none comes.
  std::string wait(std::string_view part) const {
    const SteadyTime end = std::chrono::steady_clock::now() + kDeadline;
    for (;;) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, milliseconds_until(end)) <= 0) return {};
      char buffer[4096];
      const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
      std::string text(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
      if (contains(text, part)) return text;
    }
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

class LogByUdp : public Logger, public testing::WithParamInterface<const char*> {
 protected:
  DaemonOptions options() const {
    return {.config = folder_ / "xsd.yaml", .arguments = {"--workers", GetParam()}, .log_to_file = false};
  }
};

INSTANTIATE_TEST_SUITE_P(With, LogByUdp, testing::Values("auto", "0"),
                         [](const auto& parameter) { return std::string("workers_") + parameter.param; });

TEST_P(LogByUdp, is_one_datagram_a_line) {
  const LogReceiver receiver;
  write_echo();
  folder_.write("xsd.yaml", "daemon: {log: {target: {udp: \"127.0.0.1:" + std::to_string(receiver.port()) +
                                "\"}}}\ninclude: [conf.d/*.yaml]\n");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  const std::string line = receiver.wait("echo: start");
  EXPECT_THAT(line, testing::ContainsRegex("^<30>1 [0-9TZ:.-]+ [!-~]+ xsd " +
                                           std::to_string(server_of(daemon.pid())) +
                                           " - - echo: start conn=[0-9a-f]+ from=127.0.0.1:[0-9]+$"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_NE(receiver.wait("stopped"), "");
}

TEST_P(LogByUdp, to_a_host_that_nobody_knows_goes_to_the_standard_error) {
  write_echo();
  folder_.write("xsd.yaml",
                "daemon: {log: {target: {udp: \"no-such-host.invalid:514\"}}}\ninclude: [conf.d/*.yaml]\n");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
  EXPECT_THAT(daemon.log(), HasSubstr("host 'no-such-host.invalid' not found"));
}

}  // namespace
}  // namespace xsd::test
