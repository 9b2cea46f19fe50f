// SPDX-License-Identifier: Apache-2.0
//
// Banners: what clients are told before the service itself says anything. Nobody waits for a client that does
// not read, and who is refused can read why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"

namespace xsd::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;

class BannerTest : public EchoOfAKind {
 protected:
  void SetUp() override {
    folder_.write("always", "hello\n");
    folder_.write("success", "welcome\n");
    folder_.write("fail", "sorry\n");
  }
  std::string banners() const {
    return "banner: " + folder_.string("always") + "\nbanner_success: " + folder_.string("success") +
           "\nbanner_fail: " + folder_.string("fail") + "\n";
  }
};

INSTANTIATE_TEST_SUITE_P(, BannerTest, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(BannerTest, greets_everybody_and_says_who_may_stay) {
  write_echo(banners() + "no_access: [127.0.0.3]");
  Daemon daemon(folder_, options());
  Client served = connect(kFirst);
  ASSERT_TRUE(served.send("x\n"));
  EXPECT_EQ(served.receive(16), "hello\nwelcome\nx\n");
  Client refused = connect(kSecond);
  EXPECT_EQ(refused.receive_until_eof(), "hello\nsorry\n");
  EXPECT_EQ(refused.ending(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
}

TEST_P(BannerTest, of_defaults_can_be_switched_off_by_a_service) {
  folder_.write("xsd.yaml", "defaults:\n  banner: " + folder_.string("always") + "\n  banner_success: " +
                                folder_.string("success") + "\ninclude: [conf.d/*.yaml]\n");
  DaemonOptions with_main = options();
  with_main.config = folder_.string("xsd.yaml");
  write_echo("banner_success: \"\"");
  Daemon daemon(folder_, with_main);
  Client client = connect(kFirst);
  ASSERT_TRUE(client.send("x\n"));
  EXPECT_EQ(client.receive(8), "hello\nx\n");
}

// A close with unread input would reset the connection, and what was said would be lost.
TEST_P(BannerTest, reaches_a_refused_client_that_talks_first) {
  write_echo(banners() + "only_from: []");
  Daemon daemon(folder_, options());
  for (int i = 0; i < 20; ++i) {
    Client refused = connect(kFirst);
    ASSERT_TRUE(refused.send(std::string(2000, 'x')));
    EXPECT_TRUE(daemon.wait_log("echo: refuse", static_cast<std::size_t>(i) + 1));
    ASSERT_TRUE(refused.send(std::string(50'000, 'y')));
    EXPECT_EQ(refused.receive_until_eof(), "hello\nsorry\n");
    EXPECT_EQ(refused.ending(), Ending::Closed);
  }
}

TEST_P(BannerTest, tells_of_every_kind_of_refusal) {
  write_echo(banners() + "per_source: 1");
  Daemon daemon(folder_, options());
  Client one = connect(kFirst);
  ASSERT_TRUE(one.send("x\n"));
  ASSERT_EQ(one.receive(16), "hello\nwelcome\nx\n");
  EXPECT_EQ(connect(kFirst).receive_until_eof(), "hello\nsorry\n");
  write_echo(banners() + "access_times: []");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(connect(kSecond).receive_until_eof(), "hello\nsorry\n");
}

TEST_P(BannerTest, is_read_again_at_a_reload) {
  write_echo(banners());
  Daemon daemon(folder_, options());
  EXPECT_EQ(connect(kFirst).receive(14), "hello\nwelcome\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
  folder_.write("success", "another\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(connect(kFirst).receive(14), "hello\nanother\n");
  std::filesystem::remove(folder_ / "success");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_THAT(daemon.log(), HasSubstr("banner_success '" + folder_.string("success") + "' not found"));
  EXPECT_EQ(connect(kFirst).receive(14), "hello\nanother\n") << "what runs stays as it was";
}

TEST_P(BannerTest, of_the_largest_size_arrives_and_nobody_waits_for_it) {
  folder_.write("always", std::string(65536, 'b'));
  write_echo("banner: " + folder_.string("always"));
  Daemon daemon(folder_, options());
  std::vector<Client> held;
  for (int i = 0; i < 20; ++i)
    held.emplace_back(port_, ClientOptions{.receive_buffer = 2048});
  Client reader = connect(kFirst);
  ASSERT_TRUE(reader.send("x\n"));
  EXPECT_EQ(reader.receive(65538), std::string(65536, 'b') + "x\n");
  folder_.write("always", std::string(65537, 'b'));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_THAT(daemon.log(), HasSubstr("is larger than 64K"));
}

TEST_P(BannerTest, that_nobody_reads_keeps_no_descriptor) {
  write_echo(banners() + "only_from: []");
  Daemon daemon(folder_, options());
  const pid_t server = GetParam() == "in_a_worker" ? server_of(daemon.pid()) : daemon.pid();
  EXPECT_EQ(connect(kFirst).receive_until_eof(), "hello\nsorry\n");
  (void)daemon.state();
  const std::size_t before = fd_count(server) + 1;  // it may still wait for that one
  std::vector<Client> held;
  for (int i = 0; i < 300; ++i)
    held.push_back(connect(kFirst));
  EXPECT_TRUE(daemon.wait_log("echo: refuse", 301));
  EXPECT_EQ(held.front().receive_until_eof(), "hello\nsorry\n");
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr(" reason=address")));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), SizeIs(301));
  // All are closed when their time is over, whatever the clients do.
  EXPECT_TRUE(eventually([&] { return fd_count(server) <= before; }));
}

}  // namespace
}  // namespace xsd::test
