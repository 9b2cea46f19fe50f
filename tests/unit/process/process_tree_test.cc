// SPDX-License-Identifier: Apache-2.0
//
// The tree that is walked; of cgroups control_group_test.cc and the integration tests know more.
#include "xsd/process/process_tree.h"

#include <array>
#include <memory>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsd/base/unique_fd.h"

namespace xsd::process {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kLife = 60;

[[noreturn]] void stay() {
  (void)alarm(kLife);
  for (;;)
    (void)pause();
}

/// A main process as the spawner makes it, with a child in its group and, twice forked, one in a session of
/// its own.
class ProcessTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access(("/proc/self/task/" + std::to_string(getpid()) + "/children").c_str(), R_OK) != 0)
      GTEST_SKIP() << "needs the list of children in /proc";
    std::array<int, 2> gate{};
    ASSERT_EQ(pipe2(gate.data(), O_CLOEXEC), 0);
    main_ = fork();
    if (main_ == 0) run_main(gate[1]);
    close(gate[1]);
    ASSERT_EQ(read(gate[0], &member_, sizeof member_), static_cast<ssize_t>(sizeof member_));
    ASSERT_EQ(read(gate[0], &stranger_, sizeof stranger_), static_cast<ssize_t>(sizeof stranger_));
    close(gate[0]);
    tree_ = std::make_unique<ProcessTree>(*loop_, main_, ControlGroup());
  }
  void TearDown() override {
    for (const pid_t pid : {member_, stranger_, main_}) {
      if (pid > 0) (void)kill(pid, SIGKILL);
    }
    if (main_ > 0) (void)waitpid(main_, nullptr, 0);
  }
  [[noreturn]] static void run_main(int gate) {
    (void)setsid();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (fork() == 0) say_and_stay(gate);
    // The other one later, so that it is known which is which.
    siginfo_t info{};
    const pid_t parent = fork();
    if (parent == 0) {
      (void)setsid();
      if (fork() == 0) say_and_stay(gate);
      _exit(0);
    }
    (void)waitid(P_PID, static_cast<id_t>(parent), &info, WEXITED);
    stay();
  }
  [[noreturn]] static void say_and_stay(int gate) {
    const pid_t own = getpid();
    if (write(gate, &own, sizeof own) != static_cast<ssize_t>(sizeof own)) _exit(1);
    stay();
  }
  static bool is_alive(pid_t pid) {
    std::array<char, 64> path{};
    (void)std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
    FILE* const file = std::fopen(path.data(), "re");
    char state = 'X';
    if (file != nullptr) {
      if (std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
      (void)std::fclose(file);
    }
    return state != 'X' && state != 'Z';
  }
  template <class Predicate>
  bool turn_until(Predicate predicate) {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (!predicate() && std::chrono::steady_clock::now() < end)
      (void)loop_->run_once(milliseconds(10));
    return predicate();
  }

  SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  pid_t main_ = 0;
  pid_t member_ = 0;
  pid_t stranger_ = 0;
  std::unique_ptr<ProcessTree> tree_;
};

TEST_F(ProcessTreeTest, signals_those_outside_of_the_group) {
  if (getpgid(member_) != main_) std::swap(member_, stranger_);
  tree_->signal(SIGTERM, main_);
  EXPECT_TRUE(turn_until([&] { return !is_alive(stranger_); }));
  EXPECT_TRUE(is_alive(member_));
  EXPECT_TRUE(is_alive(main_));
}

TEST_F(ProcessTreeTest, is_killed_before_its_main_process) {
  EXPECT_FALSE(tree_->kill()) << "there was somebody";
  EXPECT_TRUE(turn_until([&] { return tree_->kill(); }));
  EXPECT_FALSE(is_alive(member_));
  EXPECT_FALSE(is_alive(stranger_));
  EXPECT_TRUE(is_alive(main_));
}

TEST_F(ProcessTreeTest, remembers_whom_it_has_seen_when_the_main_process_is_gone) {
  tree_->signal(SIGCONT, 0);
  EXPECT_EQ(kill(main_, SIGKILL), 0);
  EXPECT_EQ(waitpid(main_, nullptr, 0), main_);
  main_ = 0;
  tree_->forget_main();
  bool empty = false;
  tree_->on_empty([&] { empty = true; });
  for (int i = 0; i < 5; ++i)
    (void)loop_->run_once(milliseconds(20));
  EXPECT_FALSE(empty);
  tree_->signal(SIGKILL, 0);
  EXPECT_TRUE(turn_until([&] { return empty; }));
  EXPECT_FALSE(is_alive(member_));
  EXPECT_FALSE(is_alive(stranger_));
}

TEST_F(ProcessTreeTest, kills_what_came_later_until_nobody_is_left) {
  tree_->signal(SIGCONT, 0);
  EXPECT_EQ(kill(main_, SIGKILL), 0);
  EXPECT_EQ(waitpid(main_, nullptr, 0), main_);
  main_ = 0;
  tree_->forget_main();
  (void)tree_->kill();
  bool empty = false;
  tree_->on_empty([&] { empty = true; });
  EXPECT_TRUE(turn_until([&] { return empty; }));
  EXPECT_FALSE(is_alive(member_));
  EXPECT_FALSE(is_alive(stranger_));
}

TEST_F(ProcessTreeTest, may_be_destroyed_by_its_handler) {
  (void)tree_->kill();
  EXPECT_TRUE(turn_until([&] { return tree_->kill(); }));
  bool empty = false;
  tree_->on_empty([&] {
    empty = true;
    tree_.reset();
  });
  EXPECT_TRUE(turn_until([&] { return empty; }));
  EXPECT_EQ(loop_->timer_count(), 0U);
}

}  // namespace
}  // namespace xsd::process
