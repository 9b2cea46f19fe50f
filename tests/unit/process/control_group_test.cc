// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/control_group.h"

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "started_world.h"

namespace xsd::process {
namespace {

class ControlGroupTest : public testing::Test {
 protected:
  void SetUp() override {
    SpawnRequest request = tcp_request(pair_.theirs.get());
    request.keeps_tree = true;
    auto child = spawner_.spawn(world_plan({"wait"}), request);
    ASSERT_TRUE(child);
    child_ = std::move(*child);
    pair_.theirs.reset();
    if (!child_.group.exists()) GTEST_SKIP() << "no cgroup can be made here";
  }
  void TearDown() override {
    if (child_.pid == 0) return;
    end();
    (void)waitpid(child_.pid, nullptr, 0);
  }
  int reap() {
    const int status = wait_for(child_);
    child_.pid = 0;
    return status;
  }
  /// Ends the child and leaves it a zombie.
  void end() {
    (void)kill(child_.pid, SIGKILL);
    siginfo_t info{};
    (void)waitid(P_PID, static_cast<id_t>(child_.pid), &info, WEXITED | WNOWAIT);
  }
  std::vector<pid_t> members() const {
    std::vector<pid_t> pids;
    child_.group.for_each([&](pid_t pid) { pids.push_back(pid); });
    return pids;
  }

  Spawner spawner_;
  Pair pair_;
  Spawned child_;
};

TEST_F(ControlGroupTest, has_the_program_from_its_start) {
  EXPECT_EQ(members(), std::vector<pid_t>{child_.pid});
  EXPECT_TRUE(child_.group.holds(child_.pid));
  EXPECT_FALSE(child_.group.holds(getpid()));
}

TEST_F(ControlGroupTest, stays_as_long_as_anything_lives_in_it) {
  EXPECT_FALSE(child_.group.remove());
  EXPECT_TRUE(child_.group.exists());
  end();
  EXPECT_TRUE(child_.group.remove()) << "a zombie does not live";
  EXPECT_FALSE(child_.group.exists());
  EXPECT_EQ(reap(), -SIGKILL);
}

TEST_F(ControlGroupTest, is_killed_as_a_whole) {
  EXPECT_TRUE(child_.group.kill());
  EXPECT_EQ(reap(), -SIGKILL);
  EXPECT_TRUE(child_.group.remove());
}

TEST_F(ControlGroupTest, tells_of_its_last_members_end) {
  const UniqueFd events = child_.group.open_events();
  ASSERT_TRUE(events);
  EXPECT_TRUE(is_populated(events.get()));
  end();
  pollfd ready{events.get(), POLLPRI, 0};
  EXPECT_EQ(poll(&ready, 1, 10000), 1);
  EXPECT_FALSE(is_populated(events.get()));
}

TEST_F(ControlGroupTest, goes_with_its_owner) {
  end();
  ControlGroup other = std::move(child_.group);
  EXPECT_FALSE(child_.group.exists());
  EXPECT_TRUE(other.exists());
  const UniqueFd folder = other.open();
  other = ControlGroup();
  EXPECT_NE(faccessat(folder.get(), "cgroup.procs", F_OK, 0), 0);
}

}  // namespace
}  // namespace xsd::process
