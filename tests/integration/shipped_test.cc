// SPDX-License-Identifier: Apache-2.0
//
// The files as they are shipped: served as `make run` does it, by root and by an ordinary user; good for
// --check; and each of those that are off is good when it is switched on.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::uint16_t kEcho = 7;
constexpr std::uint16_t kDiscard = 9;
constexpr std::uint16_t kDaytime = 13;
constexpr std::uint16_t kAnother = 14;  // for a service of the test

/// An offset with which the enabled services and one more get free ports.
std::uint16_t free_offset() {
  return static_cast<std::uint16_t>(free_ports(kAnother - kEcho + 1).front() - kEcho);
}

void expect_enabled_services(std::uint16_t offset) {
  const auto at = [&](std::uint16_t port) { return static_cast<std::uint16_t>(port + offset); };
  EXPECT_TRUE(echoes(at(kEcho)));
  EXPECT_TRUE(udp_echoes(at(kEcho)));
  EXPECT_THAT(ask(at(kDaytime)), HasSubstr("\r\n"));
  UdpClient daytime(at(kDaytime));
  EXPECT_TRUE(daytime.send("?"));
  EXPECT_THAT(daytime.receive().value_or(""), HasSubstr("\r\n"));
  EXPECT_EQ(ask(at(kDiscard), "away with it"), "");
  EXPECT_TRUE(Client(at(kDiscard)).connected());
}

/// A copy of the shipped files, as git makes it under this umask.
void copy_shipped(const TempFolder& folder, unsigned mask) {
  for (const fs::directory_entry& entry : fs::directory_iterator(source_folder() / "conf.d"))
    folder.write("conf.d/" + entry.path().filename().string(), read_file(entry.path()));
  folder.write("xsd.yaml", read_file(source_folder() / "packaging/xsd.yaml"));
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder.path()))
    fs::permissions(entry.path(), fs::perms((entry.is_directory() ? 0777U : 0666U) & ~mask));
}

std::vector<fs::path> shipped_files() {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(source_folder() / "conf.d"))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The services that have to be enabled by somebody: all but the three small ones. Each file has the name of
/// its service.
std::vector<std::string> switched_off() {
  std::vector<std::string> services;
  for (const fs::path& file : shipped_files()) {
    if (contains(read_file(file), "disable: yes\n")) services.push_back(file.stem().string());
  }
  EXPECT_EQ(services.size(), shipped_files().size() - 3);
  return services;
}

TEST(Shipped, small_services_answer_and_the_rest_is_off) {
  TempFolder folder;
  const std::uint16_t offset = free_offset();
  Daemon daemon(
      folder, {.config = source_folder() / "conf.d", .arguments = {"--port-offset", std::to_string(offset)}});
  expect_enabled_services(offset);
  const std::vector<std::string> off = switched_off();
  EXPECT_THAT(daemon.log(),
              HasSubstr("started: 3 services, 0 failed, " + std::to_string(off.size()) + " disabled"));
  for (const std::string& service : off)
    EXPECT_EQ(daemon.state("state: " + service + ": disabled").size(), 1U) << service;
  EXPECT_EQ(daemon.log_lines("not found").size(), 0U) << daemon.log();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Shipped, enabled_services_are_on_loopback_only) {
  const RunResult dump = run_xsd({"--dump-config", "-c", (source_folder() / "conf.d").string()});
  ASSERT_EQ(dump.status, 0) << dump.err;
  std::string listen;
  bool disabled = false;
  const auto judge = [&] { EXPECT_TRUE(disabled || !contains(listen, "*")) << listen; };
  for (const std::string& line : split_lines(dump.out)) {
    if (contains(line, "- service: ")) {
      judge();
      listen.clear();
    }
    if (contains(line, " disable: ")) disabled = contains(line, " disable: true");
    if (contains(line, " listen: ")) listen = line;
  }
  judge();
}

TEST(Shipped, root_serves_a_clone_made_under_umask_002_with_warnings) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  TempFolder folder;
  copy_shipped(folder, 0002);
  const std::uint16_t offset = free_offset();
  Daemon daemon(folder, {.arguments = {"--port-offset", std::to_string(offset)}});
  expect_enabled_services(offset);
  EXPECT_THAT(daemon.log(), HasSubstr("warning: "));
  EXPECT_EQ(daemon.log_lines("error: ").size(), 0U);
  EXPECT_EQ(daemon.stop(), 0);
}

class AsNobody : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_not_as_nobody(); !why.empty()) GTEST_SKIP() << why;
    copy_shipped(folder_, 0002);
    folder_.give_to(kNobody, kNobody);
  }
  const StartOptions nobody_{.in_child = become_nobody};
  TempFolder folder_;
};

TEST_F(AsNobody, a_clone_made_under_umask_002_is_served_with_warnings_only) {
  const std::uint16_t offset = free_offset();
  Daemon daemon(folder_, {.arguments = {"--port-offset", std::to_string(offset)}, .start = nobody_});
  EXPECT_EQ(status_field(daemon.pid(), "Uid"), "65534\t65534\t65534\t65534");
  expect_enabled_services(offset);
  EXPECT_EQ(daemon.log_lines("error: ").size(), 0U);
  // Its own file changes; the others are as they were.
  folder_.overwrite("conf.d/daytime.yaml",
                    read_file(source_folder() / "conf.d/daytime.yaml") + "disable: yes\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 0, stopped 1, changed 0, kept 2, failed 0"));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(AsNobody, a_clone_of_somebody_else_is_served_too) {
  folder_.give_to(1, 1);
  TempFolder own;  // for pid file and log
  own.give_to(kNobody, kNobody);
  const std::uint16_t offset = free_offset();
  Daemon daemon(own, {.config = folder_ / "conf.d",
                      .arguments = {"--port-offset", std::to_string(offset)},
                      .start = nobody_});
  expect_enabled_services(offset);
  EXPECT_EQ(daemon.log_lines("error: ").size(), 0U);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(AsNobody, without_an_offset_it_says_which_ports_it_may_not_have) {
  if (read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start") != "1024\n")
    GTEST_SKIP() << "low ports are free here";
  const RunResult result =
      run_xsd({"-c", folder_.string("conf.d"), "--pid-file", folder_.string("pid")}, nobody_);
  EXPECT_EQ(result.status, 1);
  for (const char* const service : {"echo: failed: ", "discard: failed: ", "daytime: failed: "})
    EXPECT_THAT(result.err, HasSubstr(service));
  EXPECT_THAT(result.err, HasSubstr("Permission denied"));
}

TEST_F(AsNobody, check_finds_no_error) {
  for (const char* const config : {"conf.d", "xsd.yaml"}) {
    const RunResult result = run_xsd({"--check", "-c", folder_.string(config)}, nobody_);
    EXPECT_EQ(result.status, 0) << config << "\n" << result.out;
  }
}

TEST(Shipped, check_finds_no_error_in_folder_and_main_file) {
  const RunResult source = run_xsd({"--check", "-c", (source_folder() / "conf.d").string()});
  EXPECT_EQ(source.status, 0) << source.out;
  TempFolder folder;
  copy_shipped(folder, 0022);
  const RunResult installed = run_xsd({"--check", "-c", folder.string("xsd.yaml")});
  EXPECT_EQ(installed.status, 0) << installed.out;
  EXPECT_EQ(run_xsd({"--dump-config", "-c", folder.string("xsd.yaml")}).status, 0);
}

TEST(Shipped, main_file_serves_with_the_log_of_programs_in_its_defaults) {
  TempFolder folder;
  copy_shipped(folder, 0022);
  const std::uint16_t offset = free_offset();
  folder.write("conf.d/complain.yaml",
               shell_service("complain", kAnother, "echo to the log >&2; echo to the client"));
  Daemon daemon(folder,
                {.config = folder / "xsd.yaml", .arguments = {"--port-offset", std::to_string(offset)}});
  expect_enabled_services(offset);
  EXPECT_EQ(ask(static_cast<std::uint16_t>(kAnother + offset)), "to the client\n");
  EXPECT_TRUE(daemon.wait_log("complain: stderr: to the log"));
  EXPECT_EQ(daemon.stop(), 0);
}

/// What a commented line of packaging/xsd.yaml says is the default is the default.
TEST(Shipped, main_file_with_its_comments_taken_away_is_good_and_changes_nothing) {
  TempFolder folder;
  folder.make_folder("conf.d");
  std::string text;
  for (std::string line : split_lines(read_file(source_folder() / "packaging/xsd.yaml"))) {
    if (line.starts_with("# daemon:") || line.starts_with("#   ")) line.erase(0, 2);
    if (line.starts_with("#  instances")) line.erase(0, 1);
    text += line + "\n";
  }
  ASSERT_THAT(text, HasSubstr("\n  max_processes: "));
  ASSERT_THAT(text, HasSubstr("\n  instances: "));
  folder.write("xsd.yaml", text);
  const auto values = [&] {
    const RunResult dump = run_xsd({"--dump-config", "-c", folder.string("xsd.yaml")});
    EXPECT_EQ(dump.status, 0) << dump.err;
    std::string all;
    for (std::string line : split_lines(dump.out)) {
      if (line.starts_with("  # ")) line.replace(0, 4, "  ");  // not effective yet, shown as a comment
      const std::size_t origin = line.find("  # ");
      if (origin != std::string::npos) line.erase(origin);
      all += line + "\n";
    }
    return all;
  };
  const std::string with = values();
  folder.write("xsd.yaml", read_file(source_folder() / "packaging/xsd.yaml"));
  EXPECT_EQ(with, values());
}

TEST(Shipped, each_file_that_is_off_is_good_when_switched_on) {
  for (const std::string& service : switched_off()) {
    TempFolder folder;
    folder.write("conf.d/it.yaml", recipe(service + ".yaml"));
    const RunResult result = run_xsd({"--check", "-c", folder.string("conf.d")});
    for (const std::string& line : split_lines(result.out)) {
      if (!contains(line, "error: ")) continue;
      EXPECT_TRUE(contains(line, "not found") || contains(line, "not executable")) << line;
    }
    EXPECT_TRUE(result.status == 0 || contains(result.out, "not ")) << result.out;
  }
}

TEST(Shipped, time_and_chargen_work_when_switched_on) {
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  constexpr std::uint16_t kTime = 37;
  constexpr std::uint16_t kChargen = 19;
  TempFolder folder;
  folder.write("conf.d/time.yaml", recipe("time.yaml"));
  folder.write("conf.d/chargen.yaml", recipe("chargen.yaml"));
  Daemon daemon(folder);
  EXPECT_EQ(ask(kTime).size(), 4U);
  EXPECT_EQ(Client(kChargen).receive(1000).size(), 1000U);
  UdpClient chargen(kChargen);
  EXPECT_TRUE(chargen.send("?"));
  EXPECT_LE(chargen.receive().value_or(std::string(1000, '?')).size(), 512U);
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
