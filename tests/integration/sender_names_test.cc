// SPDX-License-Identifier: Apache-2.0
//
// Names in only_from and no_access, for those who send datagrams to a plugin: the first datagram of one whose
// names are not known yet is dropped, and nobody else waits for the answer.
#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"
#include "tests/integration/own_resolver.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;

constexpr const char* kFriend = "127.0.0.2";
constexpr const char* kInside = "127.0.0.3";
constexpr const char* kListed = "127.0.0.9";

const std::vector<std::pair<std::string, std::string>> kHosts = {{kFriend, "friend.example.org"},
                                                                 {kInside, "a.inside.example"}};

class SenderNames : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!resolver_.why_not().empty()) GTEST_SKIP() << resolver_.why_not();
  }
  bool has_streams() const { return GetParam().starts_with("beside_streams"); }
  DaemonOptions options() const {
    DaemonOptions options;
    if (GetParam().ends_with("in_the_daemon")) options.arguments = {"--workers", "0"};
    return options;
  }
  void write_echo(const std::string& more) const {
    folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: [" + udp(port_) +
                                          (has_streams() ? ", " + tcp(port_) : "") + "]\n" + more + "\n");
  }
  bool is_answered(UdpClient& client, Milliseconds deadline = kDeadline) const {
    return client.send("x") && client.receive(deadline) == "x";
  }
  /// Who goes by a name sends again until he is known.
  bool is_let_in(const char* source) const {
    UdpClient client(port_, {.source = source});
    return eventually([&] { return is_answered(client, Milliseconds(100)); });
  }
  std::size_t refused(Daemon& daemon) const {
    const std::string line = daemon.state("state: echo:").front();
    const auto at = line.find("address=");
    return at == std::string::npos ? 0 : std::stoul(line.substr(at + 8));
  }
  /// He sends until it is known that he may not.
  void expect_kept_out(Daemon& daemon, const char* source) {
    resolver_.forget();
    UdpClient client(port_, {.source = source});
    ASSERT_TRUE(client.send("x"));
    ASSERT_TRUE(resolver_.is_asked());
    // He is not asked about again, so what he sends now is refused since he is known.
    const auto is_settled = [&] {
      const std::size_t questions = resolver_.questions();
      const std::size_t before = refused(daemon);
      return client.send("x") && eventually([&] { return refused(daemon) == before + 1; }) &&
             resolver_.questions() == questions;
    };
    EXPECT_TRUE(eventually(is_settled));
    EXPECT_FALSE(client.receive(Milliseconds(0)).has_value()) << source;
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
  OwnResolver resolver_{folder_, kHosts};
};

INSTANTIATE_TEST_SUITE_P(, SenderNames,
                         testing::Values("in_a_worker", "beside_streams", "in_the_daemon",
                                         "beside_streams_in_the_daemon"),
                         [](const auto& one) { return one.param; });

TEST_P(SenderNames, let_in_whom_a_list_names) {
  resolver_.add_reverse("127.0.0.8", "friend.example.org");
  write_echo("only_from: [Friend.example.org, .inside.example, 127.0.0.9]");
  Daemon daemon(folder_, options());
  UdpClient listed(port_, {.source = kListed});
  EXPECT_TRUE(is_answered(listed)) << "an address is not asked about";
  EXPECT_EQ(resolver_.questions(), 0U);
  EXPECT_EQ(role_of(daemon.pid(), "inquirer"), 0);
  EXPECT_TRUE(is_let_in(kFriend));
  EXPECT_TRUE(is_let_in(kInside));
  expect_kept_out(daemon, "127.0.0.7");
  expect_kept_out(daemon, "127.0.0.8");
  const std::size_t questions = resolver_.questions();
  UdpClient known(port_, {.source = kFriend});
  EXPECT_TRUE(is_answered(known)) << "from any port, once it is known";
  EXPECT_EQ(resolver_.questions(), questions);
}

TEST_P(SenderNames, keep_out_whom_a_list_names) {
  write_echo("no_access: [.inside.example]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_let_in(kFriend));
  expect_kept_out(daemon, kInside);
}

TEST_P(SenderNames, may_stand_in_a_file_and_be_networks) {
  resolver_.cover("/etc/networks", "ours 127.3.0.0\nothers 127.4.0.0\n");
  ASSERT_EQ(resolver_.why_not(), "");
  folder_.write("allow", "friend.example.org\nours\n");
  write_echo("only_from: [\"file:" + folder_.string("allow") + "\", others]");
  Daemon daemon(folder_, options());
  UdpClient by_file(port_, {.source = "127.3.0.3"});
  EXPECT_TRUE(is_answered(by_file));
  UdpClient by_list(port_, {.source = "127.4.0.3"});
  EXPECT_TRUE(is_answered(by_list));
  EXPECT_EQ(resolver_.questions(), 0U);
  EXPECT_TRUE(is_let_in(kFriend));
  expect_kept_out(daemon, kInside);
}

TEST_P(SenderNames, that_cannot_be_found_out_let_nobody_in_and_keep_nobody_waiting) {
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org, 127.0.0.9]");
  Daemon daemon(folder_, options());
  UdpClient listed(port_, {.source = kListed});
  UdpClient named(port_, {.source = kFriend});
  ASSERT_TRUE(named.send("x"));
  ASSERT_TRUE(resolver_.is_asked());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(named.send("x"));
    ASSERT_TRUE(is_answered(listed, Milliseconds(1000)));
  }
  EXPECT_FALSE(named.receive(Milliseconds(0)).has_value());
  EXPECT_TRUE(eventually([&] { return refused(daemon) == 21; }));
  resolver_.set_silent(false);
  EXPECT_TRUE(is_let_in(kFriend));
}

TEST_P(SenderNames, are_asked_for_so_many_senders_at_a_time) {
  constexpr std::size_t kMost = 32;
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org, 127.0.0.9]");
  Daemon daemon(folder_, options());
  for (std::size_t i = 0; i < 4 * kMost; ++i) {
    UdpClient forged(port_, {.source = "127.1.0." + std::to_string(i + 1)});
    ASSERT_TRUE(forged.send("x"));
  }
  EXPECT_TRUE(eventually([&] { return refused(daemon) == 4 * kMost; }));
  EXPECT_TRUE(eventually([&] { return resolver_.questions() >= kMost; }));
  UdpClient listed(port_, {.source = kListed});
  EXPECT_TRUE(is_answered(listed));
  EXPECT_LE(resolver_.questions(), 2 * kMost) << "each is asked twice, a second apart";
}

TEST_P(SenderNames, come_and_go_with_a_reload) {
  write_echo("");
  Daemon daemon(folder_, options());
  UdpClient anybody(port_, {.source = "127.0.0.7"});
  ASSERT_TRUE(is_answered(anybody));
  write_echo("only_from: [friend.example.org]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_let_in(kFriend));
  expect_kept_out(daemon, "127.0.0.7");
  write_echo("only_from: [.inside.example]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_let_in(kInside));
  write_echo("");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_answered(anybody));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(SenderNames, serve_streams_by_the_same_list) {
  if (!has_streams()) GTEST_SKIP() << "there are none";
  write_echo("only_from: [friend.example.org]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_, {.source = kFriend}));
  EXPECT_NE(Client(port_, {.source = kInside}).wait_end(), Ending::Open);
  EXPECT_TRUE(is_let_in(kFriend));
  EXPECT_THAT(daemon.state("state: echo:").front(), HasSubstr("datagrams"));
}

TEST_P(SenderNames, and_files_are_there_for_the_next_worker) {
  if (GetParam().ends_with("in_the_daemon")) GTEST_SKIP() << "there is no worker";
  folder_.write("allow", "127.0.0.9\n");
  write_echo("only_from: [friend.example.org, \"file:" + folder_.string("allow") + "\"]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_let_in(kFriend));
  const pid_t worker = worker_of(daemon.pid(), "built-in");
  ASSERT_GT(worker, 0);
  ASSERT_EQ(kill(worker, SIGKILL), 0);
  EXPECT_TRUE(daemon.wait_log("ended by signal 9"));
  UdpClient listed(port_, {.source = kListed});
  EXPECT_TRUE(eventually([&] { return is_answered(listed, Milliseconds(100)); }));
  EXPECT_TRUE(is_let_in(kFriend));
}

}  // namespace
}  // namespace xsd::test
