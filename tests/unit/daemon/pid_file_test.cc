// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/pid_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xsd::daemon {
namespace {

class PidFileTest : public testing::Test {
 protected:
  PidFileTest() {
    char name[] = "/tmp/xsd-pid-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/run/xsd.pid";
  }
  ~PidFileTest() override { std::filesystem::remove_all(folder_); }
  std::string first_line() const {
    std::string line;
    std::getline(std::ifstream(path_), line);
    return line;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(PidFileTest, holds_our_pid_and_goes_with_us) {
  {
    auto file = PidFile::create(path_);
    ASSERT_TRUE(file) << file.error().text();
    EXPECT_EQ(first_line(), std::to_string(getpid()));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(PidFileTest, refuses_a_second_owner_and_names_the_first) {
  auto first = PidFile::create(path_);
  ASSERT_TRUE(first);
  const auto second = PidFile::create(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().number(), EEXIST);
  EXPECT_NE(second.error().text().find("held by process " + std::to_string(getpid())), std::string::npos);
  EXPECT_EQ(first_line(), std::to_string(getpid()));
}

TEST_F(PidFileTest, takes_over_what_a_dead_daemon_left) {
  std::filesystem::create_directory(folder_ + "/run");
  std::ofstream(path_) << "999999 and more text than we write\n";
  auto file = PidFile::create(path_);
  ASSERT_TRUE(file);
  EXPECT_EQ(first_line(), std::to_string(getpid()));
}

TEST_F(PidFileTest, follows_no_link) {
  std::filesystem::create_directory(folder_ + "/run");
  std::ofstream(folder_ + "/precious") << "keep\n";
  std::filesystem::create_symlink(folder_ + "/precious", path_);
  EXPECT_FALSE(PidFile::create(path_));
}

TEST_F(PidFileTest, is_a_regular_file_or_none) {
  const auto device = PidFile::create("/dev/null");
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().text(), "pid file /dev/null: not a regular file");
  std::filesystem::create_directory(folder_ + "/run");
  ASSERT_EQ(mkfifo(path_.c_str(), 0644), 0);
  const auto fifo = PidFile::create(path_);
  ASSERT_FALSE(fifo);
  EXPECT_EQ(fifo.error().text(), "pid file " + path_ + ": not a regular file");
}

TEST_F(PidFileTest, is_left_alone_by_a_forked_child) {
  auto file = PidFile::create(path_);
  ASSERT_TRUE(file);
  const pid_t child = fork();
  if (child == 0) {
    file->reset();
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(PidFileTest, does_not_remove_the_file_of_another) {
  auto file = PidFile::create(path_);
  ASSERT_TRUE(file);
  std::filesystem::remove(path_);
  std::ofstream(path_) << "1\n";
  file->reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace xsd::daemon
