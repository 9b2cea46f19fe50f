// SPDX-License-Identifier: Apache-2.0
//
// `watch: true`: changes of the configuration are applied without HUP, whichever way they are made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kMain = "daemon: {watch: true}\ninclude: [conf.d/*.yaml]\n";

class Watched : public testing::Test {
 protected:
  void start(DaemonOptions options = {}) {
    options.config = folder_ / "xsd.yaml";
    if (!fs::exists(options.config)) folder_.write("xsd.yaml", kMain);
    daemon_ = std::make_unique<Daemon>(folder_, options);
  }
  void start_with_echo() {
    folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
    start();
    ASSERT_TRUE(echoes(port_));
  }
  /// A quiet moment longer than the debounce, in which nothing is reloaded.
  bool stays_quiet() {
    (void)daemon_->state();  // what was said before is in the log then
    const std::size_t before = daemon_->log_lines("info: reload: ").size();
    return holds_for(Milliseconds(700),
                     [&] { return daemon_->log_lines("info: reload: ").size() == before; });
  }

  TempFolder folder_;
  std::unique_ptr<Daemon> daemon_;
  std::uint16_t port_ = free_port();
  std::uint16_t next_ = free_port();
};

TEST_F(Watched, a_file_written_in_place) {
  start_with_echo();
  folder_.overwrite("conf.d/echo.yaml", echo_service("echo", next_));
  EXPECT_THAT(daemon_->wait_reload(), HasSubstr("changed 1"));
  EXPECT_TRUE(echoes(next_));
}

TEST_F(Watched, a_file_renamed_over) {
  start_with_echo();
  folder_.write("conf.d/echo.yaml", echo_service("echo", next_));
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  EXPECT_TRUE(is_refused(port_));
}

TEST_F(Watched, files_added_and_removed) {
  start_with_echo();
  folder_.write("conf.d/new.yaml", echo_service("new", next_));
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  folder_.remove("conf.d/new.yaml");
  EXPECT_TRUE(eventually([&] { return is_refused(next_); }));
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Watched, a_mode_made_good_again) {
  if (!is_root()) GTEST_SKIP() << "needs root: an ordinary user may keep files that others may write";
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  fs::permissions(folder_ / "conf.d/echo.yaml", fs::perms(0666));
  start();
  EXPECT_TRUE(is_refused(port_));
  fs::permissions(folder_ / "conf.d/echo.yaml", fs::perms(0644));
  EXPECT_TRUE(eventually([&] { return echoes(port_); }));
}

TEST_F(Watched, the_data_link_of_a_configmap) {
  folder_.write("conf.d/..1/echo.yaml", echo_service("echo", port_));
  fs::create_symlink("..1", folder_ / "conf.d/..data");
  fs::create_symlink("..data/echo.yaml", folder_ / "conf.d/echo.yaml");
  start();
  ASSERT_TRUE(echoes(port_));
  folder_.write("conf.d/..2/echo.yaml", echo_service("echo", next_));
  fs::create_symlink("..2", folder_ / "conf.d/..data_tmp");
  fs::rename(folder_ / "conf.d/..data_tmp", folder_ / "conf.d/..data");
  fs::remove_all(folder_ / "conf.d/..1");
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  EXPECT_TRUE(is_refused(port_));
}

TEST_F(Watched, a_folder_that_is_replaced) {
  start_with_echo();
  folder_.write("other/echo.yaml", echo_service("echo", next_));
  fs::rename(folder_ / "conf.d", folder_ / "old");
  fs::rename(folder_ / "other", folder_ / "conf.d");
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  // The new one is watched, the old one no more.
  const std::uint16_t third = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", third));
  EXPECT_TRUE(eventually([&] { return echoes(third); }));
  EXPECT_TRUE(stays_quiet());
  folder_.write("old/echo.yaml", "nothing: [");
  EXPECT_TRUE(stays_quiet());
}

TEST_F(Watched, a_folder_that_is_away_for_a_while) {
  start_with_echo();
  fs::rename(folder_ / "conf.d", folder_ / "old");
  EXPECT_THAT(daemon_->wait_reload(), HasSubstr("stays as it was"));
  EXPECT_TRUE(echoes(port_));
  folder_.write("old/new.yaml", echo_service("new", next_));
  fs::create_directory_symlink("old", folder_ / "conf.d");
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Watched, a_folder_that_is_made_only_later) {
  folder_.write("xsd.yaml", "daemon: {watch: true}\ninclude: [not/there/yet/*.yaml]\n");
  start();
  folder_.write("not/there/yet/echo.yaml", echo_service("echo", port_));
  EXPECT_TRUE(eventually([&] { return echoes(port_); }));
}

TEST_F(Watched, the_main_file) {
  start_with_echo();
  folder_.write("more.d/new.yaml", echo_service("new", next_));
  folder_.write("xsd.yaml", "daemon: {watch: true}\ninclude: [conf.d/*.yaml, more.d/*.yaml]\n");
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  // And the folder that it names now.
  folder_.remove("more.d/new.yaml");
  EXPECT_TRUE(eventually([&] { return is_refused(next_); }));
}

TEST_F(Watched, a_service_folder_given_as_configuration_needs_hup) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  Daemon daemon(folder_);
  folder_.write("conf.d/new.yaml", echo_service("new", next_));
  EXPECT_TRUE(holds_for(Milliseconds(500), [&] { return is_refused(next_); })) << "watch is off by default";
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
}

TEST_F(Watched, switched_on_and_off_by_the_main_file) {
  folder_.write("xsd.yaml", "daemon: {watch: false}\ninclude: [conf.d/*.yaml]\n");
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  start();
  folder_.write("xsd.yaml", kMain);
  (void)daemon_->hup_and_wait();
  folder_.write("conf.d/echo.yaml", echo_service("echo", next_));
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  folder_.write("xsd.yaml", "daemon: {watch: false}\ninclude: [conf.d/*.yaml]\n");
  EXPECT_TRUE(daemon_->wait_log("info: reload: ", 3));
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  EXPECT_TRUE(stays_quiet());
}

TEST_F(Watched, a_log_file_in_the_same_folder_wakes_nobody) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  folder_.write("xsd.yaml", "daemon:\n  watch: true\n  log: {target: {file: " +
                                folder_.string("conf.d/xsd.log") + "}}\ninclude: [conf.d/*.yaml]\n");
  start({.log_to_file = false});
  const auto reloads = [&] { return count_lines(folder_.read("conf.d/xsd.log"), "reload: "); };
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(holds_for(Milliseconds(700), [&] { return reloads() == 0; }));
  folder_.write("conf.d/echo.yaml", echo_service("echo", next_));
  EXPECT_TRUE(eventually([&] { return reloads() == 1; }));
  EXPECT_TRUE(holds_for(Milliseconds(700), [&] { return reloads() == 1; })) << "its own log made it reload";
}

TEST_F(Watched, what_editors_leave_behind_changes_nothing) {
  start_with_echo();
  for (const char* const name :
       {"conf.d/.echo.yaml.swp", "conf.d/echo.yaml~", "conf.d/4913", "conf.d/#echo.yaml#"}) {
    folder_.overwrite(name, "half: [");
  }
  EXPECT_TRUE(stays_quiet());
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Watched, many_writes_are_few_reloads) {
  start_with_echo();
  constexpr std::size_t kWrites = 200;
  for (std::size_t i = 0; i < kWrites; ++i)
    folder_.overwrite("conf.d/echo.yaml", echo_service("echo", i + 1 < kWrites ? port_ : next_));
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
  EXPECT_TRUE(stays_quiet());
  EXPECT_LE(daemon_->log_lines("info: reload: ").size(), 20U);
}

TEST_F(Watched, a_faulty_edit_keeps_the_last_good_definition) {
  start_with_echo();
  folder_.overwrite("conf.d/echo.yaml", "service: echo\nplugin: [");
  EXPECT_THAT(daemon_->wait_reload(), HasSubstr("failed 1"));
  EXPECT_TRUE(echoes(port_));
  folder_.overwrite("conf.d/echo.yaml", echo_service("echo", next_));
  EXPECT_TRUE(eventually([&] { return echoes(next_); }));
}

}  // namespace
}  // namespace xsd::test
