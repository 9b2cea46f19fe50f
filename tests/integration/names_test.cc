// SPDX-License-Identifier: Apache-2.0
//
// Names that nobody answers for (row sys_3 of reliability.md): a reload waits for them beside the loop, not
// on it, and their services alone are worse off.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/own_resolver.h"

namespace xsd::test {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

class DeadResolver : public OwnResolver {
 public:
  explicit DeadResolver(const TempFolder& folder) : OwnResolver(folder, {}) { set_silent(true); }
};

std::string named_service(const std::string& name, std::uint16_t port) {
  return "service: " + name + "\nplugin: echo\nlisten: tcp://nobody-answers.example:" + std::to_string(port) +
         "\n";
}

/// The helper that asks for the daemon.
std::vector<pid_t> helpers(const Daemon& daemon) {
  std::vector<pid_t> out;
  for (const pid_t pid : children_of(daemon.pid())) {
    if (status_field(pid, "Name") == "xsd: names") out.push_back(pid);
  }
  return out;
}

TEST(Names, keep_no_client_waiting_during_a_reload) {
  TempFolder folder;
  DeadResolver resolver(folder);
  if (!resolver.why_not().empty()) GTEST_SKIP() << resolver.why_not();
  const std::uint16_t port = free_port();
  const std::uint16_t later = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  folder.write("conf.d/later.yaml", echo_service("later", later));
  folder.write("conf.d/named.yaml", named_service("named", free_port()));
  ASSERT_TRUE(daemon.signal(SIGHUP));
  ASSERT_TRUE(resolver.is_asked());

  const SteadyTime begin = steady_clock::now();
  ASSERT_NO_FATAL_FAILURE(expect_prompt_echoes(
      port, [&] { return !daemon.log_lines("reload: started").empty() || elapsed(begin) >= kDeadline; }));

  EXPECT_THAT(daemon.log(), HasSubstr("reload: started 1, stopped 0, changed 0, kept 1, failed 1"));
  EXPECT_THAT(daemon.log(), HasSubstr("host 'nobody-answers.example' not found (no answer"));
  EXPECT_TRUE(echoes(later));
  EXPECT_THAT(daemon.state("state: named:").at(0), HasSubstr("failed"));
  EXPECT_TRUE(eventually([&daemon] { return zombie_count(daemon.pid()) == 0; }));
}

TEST(Names, keep_no_client_waiting_while_a_service_is_tried_again) {
  TempFolder folder;
  DeadResolver resolver(folder);
  if (!resolver.why_not().empty()) GTEST_SKIP() << resolver.why_not();
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/named.yaml", named_service("named", free_port()));
  Daemon daemon(folder);  // asks directly, for a second at most or so
  EXPECT_THAT(daemon.log(), HasSubstr("started: 1 services, 1 failed"));
  resolver.forget();
  ASSERT_TRUE(resolver.is_asked());
  std::vector<pid_t> asking;
  EXPECT_TRUE(eventually([&] { return !(asking = helpers(daemon)).empty(); }));
  for (int i = 0; i < 50; ++i) {
    const auto asked = steady_clock::now();
    ASSERT_TRUE(echoes(port));
    EXPECT_LT(elapsed(asked), Milliseconds(500));
  }
  // A reload takes the place of what was under way, and is complete.
  folder.remove("conf.d/named.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1, failed 0"));
  EXPECT_TRUE(eventually([&] { return helpers(daemon).empty() && zombie_count(daemon.pid()) == 0; }));
}

TEST(Names, do_not_delay_the_end) {
  TempFolder folder;
  DeadResolver resolver(folder);
  if (!resolver.why_not().empty()) GTEST_SKIP() << resolver.why_not();
  folder.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  Daemon daemon(folder);
  folder.write("conf.d/named.yaml", named_service("named", free_port()));
  ASSERT_TRUE(daemon.signal(SIGHUP));
  ASSERT_TRUE(resolver.is_asked());
  const std::vector<pid_t> asking = helpers(daemon);
  const auto told = steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LT(elapsed(told), Milliseconds(1500));
  for (const pid_t pid : asking)
    EXPECT_TRUE(eventually([pid] { return !is_alive(pid); }));
}

TEST(Names, are_asked_once_for_all_reloads_wanted_meanwhile) {
  TempFolder folder;
  DeadResolver resolver(folder);
  if (!resolver.why_not().empty()) GTEST_SKIP() << resolver.why_not();
  const std::uint16_t last = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  Daemon daemon(folder);
  folder.write("conf.d/named.yaml", named_service("named", free_port()));
  ASSERT_TRUE(daemon.signal(SIGHUP));
  ASSERT_TRUE(resolver.is_asked());
  folder.write("conf.d/last.yaml", echo_service("last", last));
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(daemon.signal(SIGHUP));
  EXPECT_TRUE(daemon.wait_log("reload: started", 2));
  EXPECT_TRUE(echoes(last));
  // The one that was under way had not seen the last file.
  EXPECT_THAT(daemon.log_lines("reload: started").back(),
              HasSubstr("started 1, stopped 0, changed 0, kept 1, failed 1"));
}

}  // namespace
}  // namespace xsd::test
