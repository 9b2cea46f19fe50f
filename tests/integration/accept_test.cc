// SPDX-License-Identifier: Apache-2.0
//
// The accept path under want and faults (rows acc_1 to acc_4 of reliability.md).
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;

std::function<void()> with_descriptors(rlim_t count) {
  return [count] {
    const rlimit limit{count, count};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(99);
  };
}

class Accept : public testing::Test {
 protected:
  void SetUp() override {
    rlimit limit{};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    folder_.write("conf.d/echo.yaml", echo_service("echo", port_, more_));
  }
  /// Clients until one is not served within a moment: the daemon is out of descriptors.
  std::vector<Client> hold_all(std::size_t most) const {
    std::vector<Client> held;
    while (held.size() < most) {
      held.emplace_back(port_);
      if (!held.back().send("x") || held.back().receive(1, Milliseconds(300)) != "x") break;
    }
    return held;
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
  std::string more_ = "idle_timeout: 1h";
};

TEST_F(Accept, without_descriptors_it_pauses_and_resumes_by_itself) {
  constexpr rlim_t kLimit = 150;
  const std::uint16_t program_port = free_port();
  folder_.write("conf.d/true.yaml", program_service("true", program_port, {"/bin/true"}));
  Daemon daemon(folder_, {.start = {.in_child = with_descriptors(kLimit)}});
  std::vector<Client> held = hold_all(kLimit);
  ASSERT_LT(held.size(), kLimit) << "the limit was not reached";
  ASSERT_GT(held.size(), 10U);
  for (int i = 0; i < 20; ++i)
    held.emplace_back(port_);  // in the backlog
  const auto before = cpu_time(daemon.pid());
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(holds_for(Milliseconds(2000), [&] { return daemon.running(); }));
  const auto used = cpu_time(daemon.pid()) - before;
  EXPECT_LE(used * 20, elapsed(begin) + Milliseconds(400)) << "CPU " << used.count() << " ms";
  EXPECT_TRUE(udp_echoes(port_)) << "what needs no descriptor goes on";
  EXPECT_TRUE(echoes(held.front()));
  EXPECT_EQ(daemon.log_lines("accepting pauses").size(), 1U);
  // One goes, one comes; the trouble is not over and is not told of again.
  held.erase(held.begin());
  EXPECT_TRUE(eventually([&] { return fd_count(daemon.pid()) >= kLimit - 1; }));
  EXPECT_EQ(daemon.log_lines("accepting pauses").size(), 1U);
  held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(held.size() - 15));
  const SteadyTime freed = std::chrono::steady_clock::now();
  EXPECT_TRUE(echoes(held.back()));
  EXPECT_LE(elapsed(freed), Milliseconds(is_sanitized() ? 3000 : 1500));
  EXPECT_TRUE(echoes(port_));
  held.clear();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Accept, without_descriptors_it_tries_seldom) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  Daemon daemon(folder_,
                {.start = {.strace = {"-e", "trace=accept4", "-e", "inject=accept4:error=EMFILE:when=2+"}}});
  ASSERT_TRUE(echoes(port_));
  Client waiting(port_);
  const auto tries = [&] { return count_lines(daemon.strace_text(), "EMFILE"); };
  EXPECT_TRUE(eventually([&] { return tries() >= 1; }));
  const SteadyTime begin = std::chrono::steady_clock::now();
  const std::size_t before = tries();
  EXPECT_TRUE(eventually([&] { return tries() >= before + 5; })) << "it tries again";
  EXPECT_GE(elapsed(begin), Milliseconds(250)) << "at most 20 a second";
  EXPECT_EQ(daemon.log_lines("accepting pauses").size(), 1U);
  EXPECT_TRUE(udp_echoes(port_));
}

TEST_F(Accept, every_error_is_survived_and_the_client_is_served) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  // accept(2), with what the network may hand through, and one that no kernel gives.
  for (const char* const error :
       {"EAGAIN",     "ECONNABORTED", "EINTR",    "EMFILE",      "ENFILE",    "ENOBUFS", "ENOMEM",
        "EPROTO",     "EPERM",        "ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET",  "EHOSTUNREACH",
        "EOPNOTSUPP", "ENETUNREACH",  "ENOSR",    "ETIMEDOUT",   "EINVAL",    "EFAULT",  "EIO"}) {
    Daemon daemon(folder_, {.start = {.strace = {"-e", "trace=accept4", "-e",
                                                 std::string("inject=accept4:error=") + error + ":when=1"}}});
    EXPECT_TRUE(echoes(port_)) << error;
    EXPECT_TRUE(echoes(port_)) << error;
    EXPECT_THAT(daemon.strace_text(), HasSubstr(std::string(error) + " "));
    EXPECT_EQ(daemon.stop(), 0) << error;
  }
}

TEST_F(Accept, an_error_that_lasts_pauses_and_never_closes) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  std::size_t told = 0;  // all write to one log
  // The last is of one connection, it seems, until it has come for a while.
  for (const char* const error : {"ENFILE:when=1..4", "EINVAL:when=1..4", "EPERM:when=1..100"}) {
    Daemon daemon(
        folder_,
        {.start = {.strace = {"-e", "trace=accept4", "-e", std::string("inject=accept4:error=") + error}}});
    const SteadyTime begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(echoes(port_)) << error;
    EXPECT_GE(elapsed(begin), Milliseconds(500)) << error;
    EXPECT_EQ(daemon.log_lines(" error: echo: accept").size(), ++told) << error << " is told of once";
    EXPECT_EQ(daemon.stop(), 0);
  }
}

TEST_F(Accept, a_receive_error_that_lasts_pauses_too) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  Daemon daemon(
      folder_,
      {.start = {.strace = {"-e", "trace=recvfrom", "-e", "inject=recvfrom:error=ENOMEM:when=1..2"}}});
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(udp_echoes(port_));
  EXPECT_GE(elapsed(begin), Milliseconds(500));
  EXPECT_EQ(daemon.log_lines(" error: echo: receive").size(), 1U);
  EXPECT_TRUE(daemon.wait_log(" info: echo: receive"));
  EXPECT_EQ(count_lines(daemon.strace_text(), "ENOMEM"), 2U);
}

TEST_F(Accept, start_and_spawn_do_not_depend_on_the_descriptor_limit) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  const std::uint16_t program_port = free_port();
  folder_.write("conf.d/world.yaml",
                program_service("world", program_port, {"/bin/echo", "here"}, "instances: 3"));
  Daemon daemon(folder_,
                {.start = {.in_child = with_descriptors(20000), .strace = {"-e", "trace=close,execve"}}});
  const auto closes = [&] { return count_lines(daemon.strace_text(), " close("); };
  const std::size_t most = is_sanitized() ? 500 : 50;  // the sanitizer reads its maps again and again
  EXPECT_LT(closes(), most) << daemon.strace_text();
  const std::size_t before = closes();
  constexpr std::size_t kSpawns = 5;
  for (std::size_t i = 0; i < kSpawns; ++i) {
    EXPECT_EQ(ask(program_port), "here\n");
  }
  EXPECT_TRUE(daemon.wait_log("world: end", kSpawns));
  EXPECT_LT(closes() - before, most * kSpawns);
}

TEST_F(Accept, two_thousand_idle_clients_are_held_and_time_out) {
  more_ = "idle_timeout: 4s";
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_, more_));
  Daemon daemon(folder_);
  constexpr std::size_t kHeld = 2000;
  { const Client warm_up(port_); }
  const std::size_t rss_before = rss_kib(daemon.pid());
  const std::size_t fds_before = fd_count(daemon.pid());
  std::vector<Client> held;
  for (std::size_t i = 0; i < kHeld; ++i) {
    held.emplace_back(port_);
    ASSERT_TRUE(held.back().connected()) << i;
  }
  EXPECT_TRUE(eventually([&] { return fd_count(daemon.pid()) >= kHeld; }));
  const std::size_t rss = rss_kib(daemon.pid());
  const std::size_t most_kib = is_sanitized() ? 100 : 8;
  EXPECT_LE(rss - rss_before, most_kib * kHeld) << "KiB for all of them";
  EXPECT_TRUE(children_of(daemon.pid()).empty());
  EXPECT_EQ(thread_count(daemon.pid()), 1U);
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 50; ++i) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(echoes(port_));
    times.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin));
  }
  std::sort(times.begin(), times.end());
  EXPECT_LE(times[45].count(), 20000) << "us for a fresh client";
  EXPECT_EQ(held.front().wait_end(), Ending::Closed);
  EXPECT_EQ(held.back().wait_end(), Ending::Closed);
  EXPECT_TRUE(eventually([&] { return fd_count(daemon.pid()) <= fds_before; })) << fd_count(daemon.pid());
  EXPECT_TRUE(daemon.wait_log("error='timeout'", kHeld));
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
