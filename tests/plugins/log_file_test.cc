// SPDX-License-Identifier: Apache-2.0
#include "logd/log_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace logd {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

class LogFileTest : public ::testing::Test {
 protected:
  LogFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xsd-logd-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = folder / "log";
  }
  ~LogFileTest() override { std::filesystem::remove_all(folder); }

  LogFileOptions options(std::uint64_t size = 0, std::uint64_t keep = 2) const {
    return {path.string(), size, keep, false};
  }
  static std::string content(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::string old(int number) const { return content(path.string() + "." + std::to_string(number)); }

  std::filesystem::path folder;
  std::filesystem::path path;
};

/// No file of this process grows beyond `size` while it lives: writes fail as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size) {
    before_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit limit{size, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FullDisk() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, before_signal_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*before_signal_)(int) = nullptr;
};

TEST_F(LogFileTest, appends) {
  std::ofstream(path) << "before\n";
  LogFile file(options());
  ASSERT_EQ(file.open(), 0);
  const LogFile::Outcome outcome = file.write("a\nb\n", 0);
  EXPECT_EQ(outcome.step, LogFile::Step::None);
  EXPECT_EQ(outcome.lost, 0U);
  EXPECT_EQ(content(path), "before\na\nb\n");
}

TEST_F(LogFileTest, makes_a_file_that_is_not_for_everybody) {
  LogFile file(options());
  ASSERT_EQ(file.open(), 0);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(path).permissions() & (perms::others_all | perms::group_write),
            perms::none);
}

TEST_F(LogFileTest, ends_a_line_that_a_crash_has_left_without_its_end) {
  std::ofstream(path) << "before\nhal";
  LogFile file(options());
  ASSERT_EQ(file.open(), 0);
  (void)file.write("a\n", 0);
  (void)file.write("b\n", 0);
  EXPECT_EQ(content(path), "before\nhal \\cut\na\nb\n");
}

TEST_F(LogFileTest, opens_regular_files_only) {
  std::filesystem::create_symlink(folder / "other", path);
  EXPECT_EQ(LogFile(options()).open(), -ELOOP);
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(LogFile(options()).open(), -EINVAL);
  EXPECT_EQ(LogFile({"/nowhere/log", 0, 0, false}).open(), -ENOENT);
  EXPECT_EQ(LogFile({"/dev/null", 0, 0, false}).open(), -EINVAL);
}

TEST_F(LogFileTest, rotates_between_lines) {
  LogFile file(options(10, 2));
  ASSERT_EQ(file.open(), 0);
  LogFile::Outcome outcome = file.write("aaaa\nbbbb\ncccc\n", 0);
  EXPECT_EQ(outcome.rotations, 1U);
  EXPECT_EQ(old(1), "aaaa\nbbbb\n");
  EXPECT_EQ(content(path), "cccc\n");
  outcome = file.write("dddd\neeee\nffff\ngggg\nh\n", 0);
  EXPECT_EQ(outcome.rotations, 2U);
  EXPECT_EQ(outcome.step, LogFile::Step::None);
  EXPECT_EQ(old(2), "cccc\ndddd\n");
  EXPECT_EQ(old(1), "eeee\nffff\n");
  EXPECT_EQ(content(path), "gggg\nh\n");
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".3"));
}

TEST_F(LogFileTest, gives_a_line_that_is_too_long_a_file_of_its_own) {
  LogFile file(options(10, 3));
  ASSERT_EQ(file.open(), 0);
  (void)file.write("a\n0123456789abcdef\nb\n", 0);
  EXPECT_EQ(old(2), "a\n");
  EXPECT_EQ(old(1), "0123456789abcdef\n");
  EXPECT_EQ(content(path), "b\n");
}

TEST_F(LogFileTest, keeps_no_old_file_if_none_is_wanted) {
  LogFile file(options(10, 0));
  ASSERT_EQ(file.open(), 0);
  EXPECT_EQ(file.write("aaaa\nbbbb\ncccc\n", 0).rotations, 1U);
  EXPECT_EQ(content(path), "cccc\n");
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".1"));
}

TEST_F(LogFileTest, makes_a_new_file_when_it_was_moved_away) {
  LogFile file(options());
  ASSERT_EQ(file.open(), 0);
  (void)file.write("a\n", 0);
  std::filesystem::rename(path, folder / "moved");
  (void)file.write("b\n", kSecond / 2);
  EXPECT_EQ(content(folder / "moved"), "a\nb\n");
  EXPECT_FALSE(std::filesystem::exists(path)) << "it was looked for more than once a second";
  (void)file.write("c\n", kSecond);
  EXPECT_EQ(content(path), "c\n");
  EXPECT_EQ(content(folder / "moved"), "a\nb\n");
}

TEST_F(LogFileTest, goes_on_with_the_open_file_while_none_can_be_made) {
  LogFile file(options(10, 2));
  ASSERT_EQ(file.open(), 0);
  std::filesystem::rename(path, folder / "moved");
  std::filesystem::create_directory(path);
  LogFile::Outcome outcome = file.write("a\n", kSecond);
  EXPECT_EQ(outcome.step, LogFile::Step::Open);
  EXPECT_EQ(outcome.error, EISDIR);
  EXPECT_EQ(outcome.lost, 0U);
  outcome = file.write("bbbbbbbbbbbbbb\n", kSecond + 1);
  EXPECT_EQ(outcome.step, LogFile::Step::Open);
  EXPECT_EQ(content(folder / "moved"), "a\nbbbbbbbbbbbbbb\n");
  std::filesystem::remove(path);
  outcome = file.write("c\n", 2 * kSecond);
  EXPECT_EQ(outcome.step, LogFile::Step::None);
  EXPECT_EQ(content(path), "c\n");
}

TEST_F(LogFileTest, goes_on_when_it_cannot_be_renamed) {
  LogFile file(options(4, 1));
  ASSERT_EQ(file.open(), 0);
  std::filesystem::create_directories(path.string() + ".1/x");
  LogFile::Outcome outcome = file.write("aa\nbb\n", 0);
  EXPECT_EQ(outcome.step, LogFile::Step::Rotate);
  EXPECT_EQ(outcome.lost, 0U);
  EXPECT_EQ(content(path), "aa\nbb\n");
  std::filesystem::remove_all(path.string() + ".1");
  EXPECT_EQ(file.write("cc\n", kSecond / 2).step, LogFile::Step::Rotate) << "tried more than once a second";
  outcome = file.write("dd\n", kSecond);
  EXPECT_EQ(outcome.step, LogFile::Step::None);
  EXPECT_EQ(outcome.rotations, 1U);
  EXPECT_EQ(content(path), "dd\n");
}

TEST_F(LogFileTest, loses_lines_while_the_disk_is_full_and_resumes) {
  LogFile file(options());
  ASSERT_EQ(file.open(), 0);
  {
    const FullDisk full(6);
    const LogFile::Outcome outcome = file.write("aaaa\nbbbb\ncccc\n", 0);
    EXPECT_EQ(outcome.step, LogFile::Step::Write);
    EXPECT_EQ(outcome.error, EFBIG);
    EXPECT_EQ(outcome.lost, 2U);
    EXPECT_EQ(file.write("dddd\n", 0).lost, 1U);
  }
  const LogFile::Outcome outcome = file.write("eeee\n", 0);
  EXPECT_EQ(outcome.step, LogFile::Step::None);
  EXPECT_EQ(outcome.lost, 0U);
  EXPECT_EQ(content(path), "aaaa\nb \\cut\neeee\n");
}

TEST_F(LogFileTest, syncs_at_most_once_a_second) {
  LogFileOptions with_sync = options();
  with_sync.sync = true;
  LogFile file(with_sync);
  ASSERT_EQ(file.open(), 0);
  EXPECT_FALSE(file.sync_due());
  (void)file.write("a\n", 0);
  EXPECT_FALSE(file.sync_due());
  (void)file.write("b\n", 1);
  EXPECT_EQ(file.sync_due(), kSecond);
  (void)file.write("", kSecond);
  EXPECT_FALSE(file.sync_due());
}

}  // namespace
}  // namespace logd
