// SPDX-License-Identifier: Apache-2.0
//
// sys_2 of reliability.md: a program that the kernel kills for want of memory is recorded as such, and its
// slot is free again; and what a program has used is in its record.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;
using testing::SizeIs;

/// A control group of the test's own below ours, with little memory.
class MemoryGroup {
 public:
  explicit MemoryGroup(std::size_t bytes) {
    for (const std::string& line : split_lines(read_file("/proc/self/cgroup"))) {
      const std::size_t path = line.find(":/");
      if (path == std::string::npos) continue;
      const bool is_first = line.find(":memory:") != std::string::npos;
      if (!is_first && !line.starts_with("0::")) continue;
      const fs::path parent = (is_first ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup") + line.substr(path + 1);
      const fs::path group = parent / ("xsd-test-" + std::to_string(getpid()));
      std::error_code error;
      if (!fs::create_directory(group, error)) continue;
      path_ = group;
      std::ofstream limit(group / (is_first ? "memory.limit_in_bytes" : "memory.max"));
      limit << bytes << std::flush;
      if (limit) return;
      remove();
    }
  }
  ~MemoryGroup() { remove(); }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool exists() const { return !path_.empty(); }
  /// The process that calls it, and what it starts from then on.
  void join() const {
    std::ofstream processes(path_ / "cgroup.procs");
    processes << getpid() << std::flush;
    if (!processes) _exit(99);
  }

 private:
  // Those that were in it may need a moment to be gone.
  void remove() {
    if (exists())
      (void)eventually([&] { return rmdir(path_.c_str()) == 0 || errno == ENOENT; }, Milliseconds(3000));
    path_.clear();
  }

  fs::path path_;
};

class Memory : public testing::Test {
 protected:
  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t cat_ = free_port();
};

TEST_F(Memory, a_program_that_is_killed_for_memory_is_recorded_as_such_and_its_slot_is_free) {
  if (!is_root()) GTEST_SKIP() << "needs root for a control group";
  if (is_sanitized()) GTEST_SKIP() << "the daemon itself would need more memory than the group has";
  // A line without end, kept until it ends.
  const std::string hog = "/usr/bin/tail";
  if (!fs::exists(hog)) GTEST_SKIP() << hog << " is missing";
  const MemoryGroup group(std::size_t{20} * 1024 * 1024);
  if (!group.exists()) GTEST_SKIP() << "no control group for memory can be made here";
  folder_.write("conf.d/hog.yaml", program_service("hog", port_, {hog, "/dev/zero"}, "instances: 1\n"));
  folder_.write("conf.d/cat.yaml", program_service("cat", cat_, {"/bin/cat"}));
  Daemon daemon(folder_, {.arguments = {"--workers", "0"}, .start = {.in_child = [&] { group.join(); }}});
  for (std::size_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(ask(port_), "");
    const auto ends = wait_records(daemon, "hog", "end", i);
    ASSERT_THAT(ends, SizeIs(i));
    EXPECT_EQ(ends.back().at("signal"), "9");
    EXPECT_EQ(ends.back().at("cause"), "memory");
  }
  EXPECT_THAT(daemon.log_lines("was killed for want of memory"), SizeIs(3));
  EXPECT_EQ(ask(cat_, "still here"), "still here");
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Memory, a_program_that_is_killed_by_somebody_else_is_not) {
  folder_.write("conf.d/sh.yaml", shell_service("sh", port_, "kill -9 $$"));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "");
  const auto ends = wait_records(daemon, "sh", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("signal"), "9");
  EXPECT_FALSE(ends[0].contains("cause"));
  EXPECT_THAT(daemon.log_lines("want of memory"), IsEmpty());
}

TEST_F(Memory, the_peak_of_a_program_is_recorded_where_it_is_more_than_the_daemons) {
  if (is_sanitized()) GTEST_SKIP() << "the daemon itself is too large then";
  const std::string usage = "log_on_success: [PID, USAGE]\n";
  folder_.write("conf.d/small.yaml", program_service("small", cat_, {"/bin/true"}, usage));
  // 80 MB in one process, which head alone would not need.
  folder_.write("conf.d/large.yaml",
                shell_service("large", port_, "head -c 80000000 /dev/zero | tail -n 1 | wc -c", usage));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "80000000\n");
  EXPECT_EQ(ask(cat_), "");
  const auto large = wait_records(daemon, "large", "end", 1);
  const auto small = wait_records(daemon, "small", "end", 1);
  ASSERT_THAT(large, SizeIs(1));
  ASSERT_THAT(small, SizeIs(1));
  EXPECT_GT(std::stoul(large[0].at("peak_kib")), 75000U);
  EXPECT_TRUE(small[0].contains("cpu_ms"));
  EXPECT_FALSE(small[0].contains("peak_kib")) << small[0].at("peak_kib");
}

}  // namespace
}  // namespace xsd::test
