// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/child_watcher.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <map>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

/// Forks; the child runs `body` and exits with what it returns.
template <class Body>
pid_t start(Body body) {
  const pid_t pid = fork();
  EXPECT_GE(pid, 0);
  if (pid == 0) _exit(body());
  return pid;
}

/// Blocks until the other ends of `gate` are closed: what a child does to live as long as its test wants.
int wait_at(const FdPair& gate) {
  close(gate.second.get());
  const int flags = fcntl(gate.first.get(), F_GETFL);
  fcntl(gate.first.get(), F_SETFL, flags & ~O_NONBLOCK);
  char byte = 0;
  return read(gate.first.get(), &byte, 1) == 0 ? 0 : 1;
}

/// Waits until `pid` has ended and leaves it a zombie.
void await_zombie(pid_t pid) {
  siginfo_t info{};
  EXPECT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
}

bool is_gone(pid_t pid) {
  return waitpid(pid, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

class ChildWatcherOn : public LoopTest {
 protected:
  void SetUp() override {
    // Inherited as ignored it would take the exit statuses away; inherited as blocked it does no harm.
    ASSERT_NE(signal(SIGCHLD, SIG_DFL), SIG_ERR);
  }

  ChildWatch watch_child(pid_t pid) {
    auto result =
        watcher.watch(pid, open_pidfd(pid), [this](const ChildExit& exit) { exits.push_back(exit); });
    EXPECT_TRUE(result) << result.error().text();
    return std::move(*result);
  }
  [[nodiscard]] bool turn_until_exits(std::size_t count) {
    return turn_until([&] { return exits.size() >= count; });
  }

  ChildWatcher watcher{*loop};
  std::vector<ChildExit> exits;
};

INSTANTIATE_TEST_SUITE_P(On, ChildWatcherOn, each_poller(), kind_name);

TEST_P(ChildWatcherOn, reports_an_exit_status) {
  const pid_t pid = start([] { return 42; });
  const ChildWatch child = watch_child(pid);
  EXPECT_EQ(child.pid(), pid);
  EXPECT_TRUE(child.active());
  EXPECT_EQ(watcher.size(), 1U);
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_EQ(exits[0].pid, pid);
  EXPECT_FALSE(exits[0].signalled);
  EXPECT_EQ(exits[0].code, 42);
  EXPECT_FALSE(child.active());
  EXPECT_EQ(child.pid(), 0);
  EXPECT_EQ(watcher.size(), 0U);
  EXPECT_EQ(loop->watch_count(), 0U);
  EXPECT_TRUE(is_gone(pid));
}

TEST_P(ChildWatcherOn, reports_what_a_child_has_used) {
  constexpr std::size_t kMuch = std::size_t{192} * 1024 * 1024;
  rusage ours{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &ours), 0);
  if (static_cast<std::size_t>(ours.ru_maxrss) * 1024 >= kMuch) GTEST_SKIP() << "this process is too large";
  const pid_t idle = start([] { return 0; });
  const pid_t busy = start([] {
    // In a process of its own, so that the memory is the child's of a child: it counts if it was waited for.
    const pid_t inner = fork();
    if (inner == 0) {
      auto* const much = static_cast<volatile char*>(
          mmap(nullptr, kMuch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      for (std::size_t i = 0; i < kMuch; i += 4096)
        much[i] = 1;
      timespec cpu{};
      while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0 && cpu.tv_sec == 0 &&
             cpu.tv_nsec < 50'000'000) {
      }
      _exit(0);
    }
    return waitpid(inner, nullptr, 0) == inner ? 0 : 1;
  });
  const ChildWatch first = watch_child(idle);
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_LT(exits[0].usage.cpu, std::chrono::milliseconds(50));
  EXPECT_EQ(exits[0].usage.peak_kib, 0U) << "not more than ours, so it is not known";
  const ChildWatch second = watch_child(busy);
  ASSERT_TRUE(turn_until_exits(2));
  EXPECT_EQ(exits[1].code, 0);
  EXPECT_GE(exits[1].usage.cpu, std::chrono::milliseconds(50));
  EXPECT_GE(exits[1].usage.peak_kib, kMuch / 1024);
  EXPECT_LT(exits[1].usage.peak_kib, 4 * kMuch / 1024);
}

TEST_P(ChildWatcherOn, reports_what_a_held_child_has_used) {
  const pid_t pid = start([] {
    timespec cpu{};
    while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0 && cpu.tv_sec == 0 &&
           cpu.tv_nsec < 30'000'000) {
    }
    return 0;
  });
  ChildWatch child = watch_child(pid);
  child.hold();
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_GE(exits[0].usage.cpu, std::chrono::milliseconds(30));
  child.release();
}

TEST_P(ChildWatcherOn, reports_a_child_that_had_ended_before_it_was_watched) {
  const pid_t pid = start([] { return 3; });
  await_zombie(pid);
  const ChildWatch child = watch_child(pid);
  EXPECT_EQ(turn(), 1U);
  ASSERT_EQ(exits.size(), 1U);
  EXPECT_EQ(exits[0].code, 3);
}

TEST_P(ChildWatcherOn, reports_the_signal_that_ended_a_child) {
  const FdPair gate = make_pipe();
  const pid_t pid = start([&] { return wait_at(gate); });
  const ChildWatch child = watch_child(pid);
  EXPECT_TRUE(child.signal(0));
  EXPECT_TRUE(child.signal(SIGKILL));
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_TRUE(exits[0].signalled);
  EXPECT_EQ(exits[0].code, SIGKILL);
  EXPECT_FALSE(child.signal(0));
  EXPECT_FALSE(child.signal_group(0));
}

TEST_P(ChildWatcherOn, does_not_report_a_child_that_is_stopped_and_continued) {
  FdPair gate = make_pipe();
  const pid_t pid = start([&] { return wait_at(gate); });
  const ChildWatch child = watch_child(pid);
  EXPECT_TRUE(child.signal(SIGSTOP));
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED), 0);
  turn();
  EXPECT_TRUE(child.signal(SIGCONT));
  turn();
  EXPECT_TRUE(exits.empty());
  gate.second.reset();
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_EQ(exits[0].code, 0);
}

TEST_P(ChildWatcherOn, reports_a_thousand_children_that_end_at_once_and_leaves_no_zombie) {
  const bool many = GetParam() != PollerKind::Select && allow_descriptors(1500);
  const int count = many ? 1000 : 500;  // select cannot hold more numbers
  FdPair gate = make_pipe();
  std::map<pid_t, ChildWatch> children;
  std::map<pid_t, int> expected;
  for (int i = 0; i < count; ++i) {
    const pid_t pid = start([&] { return wait_at(gate) + i % 256; });
    children.emplace(pid, watch_child(pid));
    expected[pid] = i % 256;
  }
  EXPECT_EQ(watcher.size(), static_cast<std::size_t>(count));
  gate.second.reset();
  ASSERT_TRUE(turn_until_exits(static_cast<std::size_t>(count)));
  for (const ChildExit& exit : exits) {
    ASSERT_EQ(expected.count(exit.pid), 1U);
    EXPECT_EQ(exit.code, expected[exit.pid]);
    expected.erase(exit.pid);
  }
  EXPECT_TRUE(expected.empty());
  EXPECT_EQ(watcher.size(), 0U);
  for (const auto& [pid, child] : children)
    EXPECT_FALSE(child.active());
  // No child is left at all, running or zombie.
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_P(ChildWatcherOn, lets_the_handler_destroy_its_watch) {
  const pid_t pid = start([] { return 1; });
  ChildWatch child;
  int code = 0;
  std::array<long, 8> ballast{1, 2, 3, 4, 5, 6, 7, 8};
  auto result = watcher.watch(pid, open_pidfd(pid), [&, ballast](const ChildExit& exit) {
    child = ChildWatch();
    code = exit.code + static_cast<int>(ballast[7]);
  });
  ASSERT_TRUE(result);
  child = std::move(*result);
  ASSERT_TRUE(turn_until([&] { return code != 0; }));
  EXPECT_EQ(code, 9);
}

TEST_P(ChildWatcherOn, lets_the_handler_destroy_the_watcher) {
  auto own = std::make_unique<ChildWatcher>(*loop);
  FdPair gate = make_pipe();
  const pid_t running = start([&] { return wait_at(gate); });
  ChildWatch running_child =
      std::move(own->watch(running, open_pidfd(running), [](const ChildExit&) {}).value());
  const pid_t pid = start([] { return 0; });
  const ChildWatch child =
      std::move(own->watch(pid, open_pidfd(pid), [&](const ChildExit&) { own.reset(); }).value());
  ASSERT_TRUE(turn_until([&] { return own == nullptr; }));
  EXPECT_FALSE(running_child.active());
  EXPECT_EQ(loop->watch_count(), 0U);
  gate.second.reset();
  EXPECT_EQ(waitpid(running, nullptr, 0), running);
}

TEST_P(ChildWatcherOn, moves_a_child_with_its_watch) {
  FdPair gate = make_pipe();
  const pid_t pid = start([&] { return wait_at(gate); });
  ChildWatch first = watch_child(pid);
  ChildWatch second(std::move(first));
  EXPECT_FALSE(first.active());  // NOLINT(bugprone-use-after-move)
  ChildWatch third;
  third = std::move(second);
  EXPECT_EQ(third.pid(), pid);
  gate.second.reset();
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_FALSE(third.active());
}

TEST_P(ChildWatcherOn, leaves_a_held_child_a_zombie_until_it_is_released) {
  const pid_t pid = start([] { return 5; });
  ChildWatch child = watch_child(pid);
  child.hold();
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_EQ(exits[0].code, 5);
  EXPECT_TRUE(child.active());
  EXPECT_EQ(child.pid(), pid);
  EXPECT_FALSE(child.signal(0));
  EXPECT_EQ(turn(), 0U);  // reported once, and the loop does not spin on it
  await_zombie(pid);      // still there
  child.release();
  EXPECT_FALSE(child.active());
  EXPECT_EQ(watcher.size(), 0U);
  EXPECT_TRUE(is_gone(pid));
}

TEST_P(ChildWatcherOn, reaps_a_child_that_is_released_before_its_end) {
  FdPair gate = make_pipe();
  const pid_t pid = start([&] { return wait_at(gate); });
  ChildWatch child = watch_child(pid);
  child.hold();
  child.release();
  EXPECT_TRUE(child.active());
  gate.second.reset();
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_FALSE(child.active());
  EXPECT_TRUE(is_gone(pid));
}

TEST_P(ChildWatcherOn, lets_the_handler_release_a_held_child) {
  const pid_t pid = start([] { return 0; });
  ChildWatch child;
  int calls = 0;
  child = std::move(watcher
                        .watch(pid, open_pidfd(pid),
                               [&](const ChildExit&) {
                                 ++calls;
                                 child.release();
                               })
                        .value());
  child.hold();
  ASSERT_TRUE(turn_until([&] { return calls == 1; }));
  EXPECT_FALSE(child.active());
  EXPECT_TRUE(is_gone(pid));
}

TEST_P(ChildWatcherOn, reaps_a_held_zombie_whose_watch_is_destroyed) {
  const pid_t pid = start([] { return 0; });
  {
    ChildWatch child = watch_child(pid);
    child.hold();
    ASSERT_TRUE(turn_until_exits(1));
  }
  EXPECT_EQ(watcher.size(), 0U);
  EXPECT_TRUE(is_gone(pid));
}

TEST_P(ChildWatcherOn, reaps_quietly_a_child_whose_watch_was_destroyed_while_it_ran) {
  FdPair gate = make_pipe();
  const pid_t pid = start([&] { return wait_at(gate); });
  {
    ChildWatch child = watch_child(pid);
    child.hold();
  }
  EXPECT_EQ(watcher.size(), 1U);
  gate.second.reset();
  ASSERT_TRUE(turn_until([&] { return watcher.size() == 0; }));
  EXPECT_TRUE(exits.empty());
  EXPECT_TRUE(is_gone(pid));
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_P(ChildWatcherOn, signals_the_whole_group_even_after_its_leader_ended) {
  const FdPair gate = make_pipe();
  const FdPair report = make_pipe();
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // so that the member can be waited for here
  const pid_t leader = start([&] {
    setpgid(0, 0);
    const pid_t member = fork();
    if (member == 0) _exit(wait_at(gate));
    return write(report.second.get(), &member, sizeof member) == sizeof member ? 0 : 1;
  });
  ChildWatch child = watch_child(leader);
  child.hold();
  ASSERT_TRUE(turn_until_exits(1));
  pid_t member = 0;
  ASSERT_EQ(read(report.first.get(), &member, sizeof member), static_cast<ssize_t>(sizeof member));
  EXPECT_TRUE(child.signal_group(SIGKILL));
  int status = 0;
  EXPECT_EQ(waitpid(member, &status, 0), member);
  EXPECT_TRUE(WIFSIGNALED(status));
  child.release();
  EXPECT_TRUE(is_gone(leader));
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_P(ChildWatcherOn, says_so_when_a_child_has_no_group_of_its_own) {
  FdPair gate = make_pipe();
  const pid_t pid = start([&] { return wait_at(gate); });
  const ChildWatch child = watch_child(pid);
  EXPECT_FALSE(child.signal_group(SIGTERM));
  gate.second.reset();
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_FALSE(exits[0].signalled);
}

TEST_P(ChildWatcherOn, reports_an_exit_whose_status_somebody_else_took) {
  const pid_t pid = start([] { return 9; });
  const ChildWatch child = watch_child(pid);
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_EQ(exits[0].pid, pid);
  EXPECT_EQ(exits[0].code, -1);
  EXPECT_FALSE(child.active());
}

TEST_P(ChildWatcherOn, refuses_what_cannot_be_watched_and_leaves_the_child_alone) {
  const pid_t pid = start([] { return 0; });
  EXPECT_FALSE(watcher.watch(pid, UniqueFd(), [](const ChildExit&) {}));
  EXPECT_EQ(watcher.size(), 0U);
  const ChildWatch child = watch_child(pid);
  const auto twice = watcher.watch(pid, open_pidfd(pid), [](const ChildExit&) {});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().number(), EEXIST);
  ASSERT_TRUE(turn_until_exits(1));
}

// Orphans come to a subreaper: the child starts a grandchild and ends.
class Strangers : public ChildWatcherOn {
 protected:
  void SetUp() override {
    ChildWatcherOn::SetUp();
    ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  }
  void TearDown() override { prctl(PR_SET_CHILD_SUBREAPER, 0); }

  /// An orphan that is ours now and has ended.
  pid_t make_stranger() {
    const FdPair report = make_pipe();
    FdPair gate = make_pipe();
    const pid_t parent = start([&] {
      const pid_t orphan = fork();
      if (orphan == 0) _exit(wait_at(gate));
      return write(report.second.get(), &orphan, sizeof orphan) == sizeof orphan ? 0 : 1;
    });
    EXPECT_EQ(waitpid(parent, nullptr, 0), parent);
    pid_t orphan = 0;
    EXPECT_EQ(read(report.first.get(), &orphan, sizeof orphan), static_cast<ssize_t>(sizeof orphan));
    gate.second.reset();
    await_zombie(orphan);
    return orphan;
  }
};

INSTANTIATE_TEST_SUITE_P(On, Strangers, each_poller(), kind_name);

TEST_P(Strangers, are_reaped_and_running_children_left) {
  FdPair gate = make_pipe();
  const pid_t running = start([&] { return wait_at(gate); });
  const ChildWatch child = watch_child(running);
  const pid_t orphans[] = {make_stranger(), make_stranger(), make_stranger()};
  EXPECT_EQ(watcher.reap_strangers(2), 2U);
  EXPECT_EQ(watcher.reap_strangers(), 1U);
  EXPECT_EQ(watcher.reap_strangers(), 0U);
  for (const pid_t orphan : orphans)
    EXPECT_TRUE(is_gone(orphan));
  gate.second.reset();
  ASSERT_TRUE(turn_until_exits(1));
}

TEST_P(Strangers, are_found_behind_a_watched_child_that_ended_and_whose_report_is_left_to_its_pidfd) {
  const pid_t known = start([] { return 17; });
  const ChildWatch child = watch_child(known);
  await_zombie(known);
  const pid_t orphans[] = {make_stranger(), make_stranger()};
  EXPECT_EQ(watcher.reap_strangers(1), 1U);
  EXPECT_EQ(watcher.reap_strangers(), 1U);
  for (const pid_t orphan : orphans)
    EXPECT_TRUE(is_gone(orphan));
  EXPECT_TRUE(exits.empty());
  ASSERT_TRUE(turn_until_exits(1));
  EXPECT_EQ(exits[0].pid, known);
  EXPECT_EQ(exits[0].code, 17);
}

TEST_P(Strangers, are_found_behind_a_held_zombie) {
  const pid_t known = start([] { return 0; });
  ChildWatch child = watch_child(known);
  child.hold();
  ASSERT_TRUE(turn_until_exits(1));
  const pid_t orphan = make_stranger();
  EXPECT_EQ(watcher.reap_strangers(), 1U);
  EXPECT_TRUE(is_gone(orphan));
  await_zombie(known);
  child.release();
  EXPECT_TRUE(is_gone(known));
}

}  // namespace
}  // namespace xsd::reactor
