// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/process_group.h"

#include <array>
#include <memory>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "started_world.h"

namespace xsd::process {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ManualClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return now += by_reading; }
  WallTime wall() const noexcept override { return {}; }
  mutable MonotonicTime now{seconds(1000)};
  Duration by_reading{};  ///< how long everything seems to take
};

/// A process group whose leader has ended and is not reaped, with one other member.
class Group {
 public:
  Group() {
    std::array<int, 2> member_pipe{};
    EXPECT_EQ(pipe2(gate_.data(), O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(member_pipe.data(), O_CLOEXEC), 0);
    leader_ = fork();
    if (leader_ == 0) {
      (void)setsid();
      if (fork() == 0) {
        (void)dup2(gate_[0], STDIN_FILENO);
        (void)dup2(member_pipe[1], STDOUT_FILENO);
        (void)close_range(3, ~0U, 0);  // the gates of other groups too
        char byte = 0;
        (void)!read(STDIN_FILENO, &byte, 1);
      }
      _exit(0);
    }
    close(gate_[0]);
    close(member_pipe[1]);
    member_ = UniqueFd(member_pipe[0]);
    siginfo_t info{};
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(leader_), &info, WEXITED | WNOWAIT), 0);
  }
  ~Group() {
    end_member();
    EXPECT_EQ(waitpid(leader_, nullptr, 0), leader_);
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  pid_t leader() const { return leader_; }
  /// Ends it; it is gone, or a zombie, afterwards.
  void end_member() {
    if (gate_[1] < 0) return;
    close(std::exchange(gate_[1], -1));
    char byte = 0;
    EXPECT_EQ(read(member_.get(), &byte, 1), 0);
  }

 private:
  std::array<int, 2> gate_{};
  UniqueFd member_;  ///< at its end when the member has closed its descriptors
  pid_t leader_ = 0;
};

class GroupSweeperTest : public testing::Test {
 protected:
  void watch(const Group& group) {
    sweeper_.watch(group.leader(), [this] { ++gone_; });
  }
  /// As if so much time had passed, in small steps.
  void pass(Duration time) {
    for (const MonotonicTime end = clock_.now + time; clock_.now < end; clock_.now += milliseconds(10))
      (void)loop_->run_once(Duration::zero());
  }
  bool comes_to_be_gone() {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (gone_ == 0 && std::chrono::steady_clock::now() < end)
      pass(milliseconds(100));
    return gone_ > 0;
  }

  ManualClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  GroupSweeper sweeper_{*loop_};
  int gone_ = 0;
};

TEST_F(GroupSweeperTest, tells_when_the_last_member_but_the_leader_is_gone) {
  Group group;
  watch(group);
  pass(seconds(1));
  EXPECT_EQ(gone_, 0);
  group.end_member();
  EXPECT_TRUE(comes_to_be_gone());
  pass(seconds(1));
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(loop_->timer_count(), 0U) << "it sleeps when nobody asks";
}

TEST_F(GroupSweeperTest, tells_at_once_of_a_group_without_others) {
  Group group;
  group.end_member();
  watch(group);
  EXPECT_TRUE(comes_to_be_gone());
}

TEST_F(GroupSweeperTest, tells_groups_apart_and_forgets) {
  Group one;
  Group other;
  Group forgotten;
  watch(one);
  sweeper_.watch(other.leader(), [] { FAIL() << "it has a member"; });
  watch(forgotten);
  sweeper_.forget(forgotten.leader());
  forgotten.end_member();
  one.end_member();
  EXPECT_TRUE(comes_to_be_gone());
  pass(seconds(1));
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(loop_->timer_count(), 1U);
  sweeper_.forget(other.leader());
  EXPECT_EQ(loop_->timer_count(), 0U);
}

TEST_F(GroupSweeperTest, lets_its_user_ask_again_when_told) {
  Group one;
  Group other;
  one.end_member();
  sweeper_.watch(one.leader(), [&] { watch(other); });
  pass(seconds(1));
  other.end_member();
  EXPECT_TRUE(comes_to_be_gone());
}

TEST_F(GroupSweeperTest, takes_a_group_for_alive_without_descriptors) {
  in_other_process([&] {
    Group group;
    watch(group);
    pass(seconds(1));  // UBSan looks at classes through a pipe, and does not look again
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none{0, limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    pass(seconds(1));
    EXPECT_EQ(gone_, 0);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    pass(seconds(1));
    EXPECT_EQ(gone_, 0);
    group.end_member();
    EXPECT_TRUE(comes_to_be_gone());
  });
}

// The list can be read, and then there is no descriptor for what is in it.
TEST_F(GroupSweeperTest, takes_a_member_for_alive_that_it_cannot_look_at) {
  in_other_process([&] {
    Group group;
    const int next = dup(STDERR_FILENO);
    ASSERT_GE(next, 0);
    close(next);
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = static_cast<rlim_t>(next) + 1;
    watch(group);
    pass(seconds(1));  // as above
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    pass(seconds(1));
    EXPECT_EQ(gone_, 0);
  });
}

TEST_F(GroupSweeperTest, takes_a_group_for_alive_without_proc) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to change the root";
  for (const bool empty : {false, true}) {
    in_other_process([&] {
      const TemporaryDirectory directory;
      Group group;
      ASSERT_TRUE(!empty || mkdir((directory.path() + "/proc").c_str(), 0755) == 0);
      const UniqueFd root(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_EQ(chroot(directory.path().c_str()), 0);
      watch(group);
      pass(seconds(1));
      EXPECT_EQ(gone_, 0);
      ASSERT_EQ(fchdir(root.get()), 0);
      ASSERT_EQ(chroot("."), 0);
    });
  }
}

TEST_F(GroupSweeperTest, spreads_a_long_sweep_over_turns) {
  constexpr int kProcesses = 300;
  std::array<int, 2> gate{};
  ASSERT_EQ(pipe2(gate.data(), O_CLOEXEC), 0);
  std::vector<pid_t> crowd;
  for (int i = 0; i < kProcesses; ++i) {
    crowd.push_back(fork());
    if (crowd.back() == 0) {
      char byte = 0;
      close(gate[1]);
      (void)!read(gate[0], &byte, 1);
      _exit(0);
    }
  }
  close(gate[0]);
  Group group;
  group.end_member();
  clock_.by_reading = milliseconds(1);  // 64 processes are a step of 2 ms
  watch(group);
  int steps = 0;
  const MonotonicTime begin = clock_.now;
  while (gone_ == 0 && steps < 1000) {
    const MonotonicTime before = clock_.now;
    if (loop_->run_once(Duration::zero()) > 0) {
      ++steps;
      EXPECT_LE(clock_.now - before, milliseconds(10));
    }
    clock_.now += milliseconds(10);
  }
  EXPECT_GE(steps, kProcesses / 64);
  EXPECT_GE(clock_.now - begin, milliseconds(2 * 20 * (kProcesses / 64))) << "and pauses in between";
  close(gate[1]);
  for (const pid_t pid : crowd)
    EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
}

}  // namespace
}  // namespace xsd::process
