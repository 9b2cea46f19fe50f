// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/folder_watcher.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xsd::manager {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class FolderWatcherTest : public testing::Test {
 protected:
  FolderWatcherTest() {
    char name[] = "/tmp/xsd-watch-XXXXXX";
    root_ = mkdtemp(name);
    loop_ = std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
    watcher_ = std::move(*FolderWatcher::create(*loop_, [this] { ++changes_; }));
  }
  ~FolderWatcherTest() override { fs::remove_all(root_); }

  void write(const fs::path& path, const std::string& text = "x") { std::ofstream(path) << text; }
  bool changed_within(Duration limit) {
    const MonotonicTime end = clock_.monotonic() + limit;
    const int before = changes_;
    while (changes_ == before && clock_.monotonic() < end)
      loop_->run_once(end - clock_.monotonic());
    return changes_ > before;
  }

  SystemClock clock_;
  fs::path root_;
  int changes_ = 0;
  std::unique_ptr<reactor::EventLoop> loop_;
  std::unique_ptr<FolderWatcher> watcher_;
};

TEST_F(FolderWatcherTest, reports_a_burst_of_changes_once) {
  fs::create_directory(root_ / "conf.d");
  watcher_->set_folders({root_ / "conf.d"}, "xsd.yaml");
  for (int i = 0; i < 50; ++i)
    write(root_ / "conf.d" / (std::to_string(i) + ".yaml"));
  EXPECT_TRUE(changed_within(10s));
  EXPECT_FALSE(changed_within(500ms));
}

TEST_F(FolderWatcherTest, sees_renames_and_removals) {
  fs::create_directory(root_ / "conf.d");
  write(root_ / "conf.d" / "a.yaml");
  watcher_->set_folders({root_ / "conf.d"}, "xsd.yaml");
  fs::rename(root_ / "conf.d" / "a.yaml", root_ / "conf.d" / "b.yaml");
  EXPECT_TRUE(changed_within(10s));
  fs::remove(root_ / "conf.d" / "b.yaml");
  EXPECT_TRUE(changed_within(10s));
}

TEST_F(FolderWatcherTest, sees_the_link_of_a_mounted_configmap_swapped) {
  fs::create_directories(root_ / "conf.d" / "..1");
  fs::create_directory(root_ / "conf.d" / "..2");
  fs::create_directory_symlink("..1", root_ / "conf.d" / "..data");
  watcher_->set_folders({root_ / "conf.d"}, "xsd.yaml");
  fs::create_directory_symlink("..2", root_ / "conf.d" / "..data_tmp");
  fs::rename(root_ / "conf.d" / "..data_tmp", root_ / "conf.d" / "..data");
  EXPECT_TRUE(changed_within(10s));
}

TEST_F(FolderWatcherTest, sees_a_folder_that_is_made_later_and_what_is_put_into_it) {
  watcher_->set_folders({root_ / "etc" / "xsd" / "conf.d"}, "xsd.yaml");
  fs::create_directories(root_ / "etc" / "xsd" / "conf.d");
  EXPECT_TRUE(changed_within(10s));
  write(root_ / "etc" / "xsd" / "conf.d" / "a.yaml");
  EXPECT_TRUE(changed_within(10s));
}

TEST_F(FolderWatcherTest, follows_a_folder_that_is_replaced) {
  fs::create_directory(root_ / "conf.d");
  watcher_->set_folders({root_ / "conf.d"}, "xsd.yaml");
  fs::create_directory(root_ / "next");
  fs::rename(root_ / "conf.d", root_ / "old");
  fs::rename(root_ / "next", root_ / "conf.d");
  EXPECT_TRUE(changed_within(10s));
  write(root_ / "conf.d" / "a.yaml");
  EXPECT_TRUE(changed_within(10s));
}

TEST_F(FolderWatcherTest, does_not_wake_for_files_that_are_no_configuration) {
  fs::create_directory(root_ / "conf.d");
  watcher_->set_folders({root_ / "conf.d"}, "main.conf");
  write(root_ / "conf.d" / "xsd.log");
  write(root_ / "conf.d" / "a.yaml.tmp");
  write(root_ / "unrelated.yaml");
  EXPECT_FALSE(changed_within(500ms));
  write(root_ / "conf.d" / "main.conf");
  EXPECT_TRUE(changed_within(10s));
}

}  // namespace
}  // namespace xsd::manager
