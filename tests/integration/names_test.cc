// SPDX-License-Identifier: Apache-2.0
//
// Names that nobody answers for (row sys_3 of reliability.md): a reload waits for them beside the loop, not
// on it, and their services alone are worse off.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

/// A network of its own whose only name server takes every question and never answers. A new resolv.conf and
/// nsswitch.conf lie over the machine's, for this process and what it starts.
class DeadResolver {
 public:
  explicit DeadResolver(const TempFolder& folder) : why_not_(network_.why_not()) {
    if (!why_not_.empty()) return;
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      why_not_ = "no mount namespace";
      return;
    }
    if (!put_over("/etc/resolv.conf", folder.write("resolv.conf", "nameserver 127.0.0.53\n")) ||
        !put_over("/etc/nsswitch.conf", folder.write("nsswitch.conf", "hosts: files dns\n"))) {
      why_not_ = "cannot mount over the files in /etc";
      return;
    }
    server_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    inet_pton(AF_INET, "127.0.0.53", &address.sin_addr);
    if (bind(server_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      why_not_ = "cannot bind port 53";
  }
  ~DeadResolver() {
    close(server_);
    for (const char* const path : covered_)
      (void)umount2(path, MNT_DETACH);
  }
  DeadResolver(const DeadResolver&) = delete;
  DeadResolver& operator=(const DeadResolver&) = delete;

  const std::string& why_not() const noexcept { return why_not_; }
  /// Waits until a question has come.
  bool is_asked() const {
    char question[512];
    return eventually([&] { return recv(server_, question, sizeof question, MSG_DONTWAIT) > 0; });
  }
  /// Forgets the questions of before.
  void forget() const {
    char question[512];
    while (recv(server_, question, sizeof question, MSG_DONTWAIT) > 0) {
    }
  }

 private:
  bool put_over(const char* path, const std::filesystem::path& file) {
    if (mount(file.c_str(), path, nullptr, MS_BIND, nullptr) != 0) return false;
    covered_.push_back(path);
    return true;
  }

  OwnNetwork network_;
  std::string why_not_;
  std::vector<const char*> covered_;
  int server_ = -1;
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
  const DeadResolver resolver(folder);
  if (!resolver.why_not().empty()) GTEST_SKIP() << resolver.why_not();
  const std::uint16_t port = free_port();
  const std::uint16_t later = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  folder.write("conf.d/later.yaml", echo_service("later", later));
  folder.write("conf.d/named.yaml", named_service("named", free_port()));
  ASSERT_TRUE(daemon.signal(SIGHUP));
  ASSERT_TRUE(resolver.is_asked());

  std::vector<Milliseconds> answers;
  const auto is_over = [&daemon] { return !daemon.log_lines("reload: started").empty(); };
  for (const auto begin = steady_clock::now(); !is_over() && elapsed(begin) < kDeadline;) {
    const auto asked = steady_clock::now();
    ASSERT_TRUE(echoes(port));
    answers.push_back(elapsed(asked));
  }
  ASSERT_GE(answers.size(), 100U);
  std::sort(answers.begin(), answers.end());
  const Milliseconds p99 = answers[answers.size() * 99 / 100];
  RecordProperty("answers", static_cast<int>(answers.size()));
  RecordProperty("p99_ms", static_cast<int>(p99.count()));
  RecordProperty("longest_ms", static_cast<int>(answers.back().count()));
  EXPECT_LT(p99, Milliseconds(100));
  EXPECT_LT(answers.back(), Milliseconds(500));

  EXPECT_THAT(daemon.log(), HasSubstr("reload: started 1, stopped 0, changed 0, kept 1, failed 1"));
  EXPECT_THAT(daemon.log(), HasSubstr("host 'nobody-answers.example' not found (no answer"));
  EXPECT_TRUE(echoes(later));
  EXPECT_THAT(daemon.state("state: named:").at(0), HasSubstr("failed"));
  EXPECT_TRUE(eventually([&daemon] { return zombie_count(daemon.pid()) == 0; }));
}

TEST(Names, keep_no_client_waiting_while_a_service_is_tried_again) {
  TempFolder folder;
  const DeadResolver resolver(folder);
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
  const DeadResolver resolver(folder);
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
  const DeadResolver resolver(folder);
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
