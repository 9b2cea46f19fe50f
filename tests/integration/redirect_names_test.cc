// SPDX-License-Identifier: Apache-2.0
//
// `redirect` to names: looked up when somebody connects, beside the loop, and all their addresses tried. The
// names are in files of the test's own, which lie over the machine's in a mount namespace; that needs root.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;

/// A network of its own with the addresses 127.0.0.1 to .3, and these files in /etc.
class OwnNames {
 public:
  OwnNames(const TempFolder& folder, std::string_view hosts, std::string_view order)
      : why_not_(network_.why_not()) {
    if (!why_not_.empty()) return;
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      why_not_ = "no mount namespace";
      return;
    }
    put_over("/etc/hosts", folder.write("etc/hosts", hosts));
    put_over("/etc/nsswitch.conf", folder.write("etc/nsswitch.conf", order));
    put_over("/etc/resolv.conf", folder.write("etc/resolv.conf", "nameserver 127.0.0.53\n"));
  }
  ~OwnNames() {
    for (const char* const path : covered_)
      (void)umount2(path, MNT_DETACH);
  }
  OwnNames(const OwnNames&) = delete;
  OwnNames& operator=(const OwnNames&) = delete;
  const std::string& why_not() const noexcept { return why_not_; }

 private:
  void put_over(const char* path, const std::filesystem::path& file) {
    if (mount(file.c_str(), path, nullptr, MS_BIND, nullptr) != 0)
      why_not_ = "cannot mount over " + std::string(path);
    covered_.push_back(path);
  }

  OwnNetwork network_;
  std::string why_not_;
  std::vector<const char*> covered_;
};

/// A name server that takes every question and never answers.
class Silence {
 public:
  Silence() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    (void)inet_pton(AF_INET, "127.0.0.53", &address.sin_addr);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Silence() { (void)close(fd_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  bool is_asked() const {
    char question[512];
    return eventually([&] { return recv(fd_, question, sizeof question, MSG_DONTWAIT) > 0; });
  }

 private:
  int fd_;
};

constexpr std::string_view kFiles = "hosts: files\n";

class RedirectNames : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
    if (std::string_view(GetParam()) == "in_the_daemon") options_.arguments = {"--workers", "0"};
  }
  void write_front(const std::string& host, const std::string& settings = "retries: 0") const {
    folder_.write("conf.d/front.yaml", "service: front\nredirect: " + host + ":" + std::to_string(target_) +
                                           "\nsettings: {" + settings + "}\nlisten: " + tcp(port_) + "\n");
  }
  /// Says which of the addresses it is.
  void write_target(const std::string& host) const {
    folder_.write(
        "conf.d/target-" + host + ".yaml",
        "id: " + host + "\n" +
            program_on("target", {"tcp://" + host + ":" + std::to_string(target_)}, {"/bin/echo", host}));
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t target_ = free_port();
  DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

INSTANTIATE_TEST_SUITE_P(, RedirectNames, testing::Values("in_a_worker", "in_the_daemon"),
                         [](const auto& one) { return one.param; });

TEST_P(RedirectNames, tries_every_address_of_a_name) {
  const OwnNames names(folder_, "127.0.0.2 two.example\n127.0.0.3 two.example\n", kFiles);
  if (!names.why_not().empty()) GTEST_SKIP() << names.why_not();
  write_front("two.example");
  write_target("127.0.0.3");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_), "127.0.0.3\n");
  EXPECT_EQ(ask(port_), "127.0.0.3\n");
  folder_.remove("conf.d/target-127.0.0.3.yaml");
  write_target("127.0.0.2");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1"));
  EXPECT_EQ(ask(port_), "127.0.0.2\n");
}

TEST_P(RedirectNames, follows_a_name_that_means_something_else) {
  const OwnNames names(folder_, "127.0.0.2 moved.example\n", kFiles);
  if (!names.why_not().empty()) GTEST_SKIP() << names.why_not();
  write_front("moved.example");
  write_target("127.0.0.2");
  write_target("127.0.0.3");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_), "127.0.0.2\n");
  folder_.overwrite("etc/hosts", "127.0.0.3 moved.example\n");
  EXPECT_TRUE(eventually([&] { return ask(port_) == "127.0.0.3\n"; }));
}

TEST_P(RedirectNames, starts_with_a_name_that_nobody_has_yet) {
  const OwnNames names(folder_, "127.0.0.1 localhost\n", kFiles);
  if (!names.why_not().empty()) GTEST_SKIP() << names.why_not();
  write_front("later.example");
  write_target("127.0.0.2");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_), "");
  EXPECT_TRUE(daemon.wait_log("front: cannot connect to later.example:" + std::to_string(target_) +
                              ": Name or service not known; the client is closed"));
  folder_.overwrite("etc/hosts", "127.0.0.2 later.example\n");
  EXPECT_TRUE(eventually([&] { return ask(port_) == "127.0.0.2\n"; }));
}

TEST_P(RedirectNames, keep_nobody_else_waiting_while_no_name_server_answers) {
  const OwnNames names(folder_, "127.0.0.1 localhost\n", "hosts: files dns\n");
  if (!names.why_not().empty()) GTEST_SKIP() << names.why_not();
  const Silence silence;
  write_front("nobody-answers.example", "retries: 0, connect_timeout: 1s");
  const std::uint16_t echo = free_port();
  const std::uint16_t other = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  folder_.write("conf.d/other.yaml", "service: other\nredirect: \"127.0.0.1:" + std::to_string(echo) +
                                         "\"\nlisten: " + tcp(other) + "\n");
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_TRUE(silence.is_asked());
  EXPECT_TRUE(echoes(echo));
  EXPECT_TRUE(echoes(other));
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_TRUE(daemon.wait_log("nobody could say within 1s what the name means; the client is closed"));
}

}  // namespace
}  // namespace xsd::test
