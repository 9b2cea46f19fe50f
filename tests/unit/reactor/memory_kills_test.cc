// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/memory_kills.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xsd::reactor {
namespace {

class MemoryKillsTest : public testing::Test {
 protected:
  MemoryKillsTest() {
    char name[] = "/tmp/xsd-kills-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~MemoryKillsTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/memory.events"; }
  // In place, as the kernel changes it.
  void write(const std::string& text) const { std::ofstream(path()) << text; }

  std::string folder_;
};

TEST_F(MemoryKillsTest, tells_of_each_once_that_came_after_it_began) {
  write("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n");
  MemoryKills kills = MemoryKills::at(path());
  EXPECT_FALSE(kills.take());
  write("low 0\nhigh 0\nmax 19\noom 5\noom_kill 4\noom_group_kill 0\n");
  EXPECT_TRUE(kills.take());
  EXPECT_TRUE(kills.take());
  EXPECT_FALSE(kills.take());
}

TEST_F(MemoryKillsTest, reads_the_first_version_too) {
  write("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
  MemoryKills kills = MemoryKills::at(path());
  write("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  EXPECT_TRUE(kills.take());
  EXPECT_FALSE(kills.take());
}

TEST_F(MemoryKillsTest, never_tells_where_there_is_no_count) {
  EXPECT_FALSE(MemoryKills::at(path()).take());
  write("oom_kill_disable 0\n");
  MemoryKills kills = MemoryKills::at(path());
  write("oom_kill_disable 0\noom_kill 7\n");
  EXPECT_FALSE(kills.take()) << "nobody knows what was before";
  write("oom_kill many\n");
  EXPECT_FALSE(MemoryKills::at(path()).take());
  EXPECT_FALSE(MemoryKills().take());
}

}  // namespace
}  // namespace xsd::reactor
