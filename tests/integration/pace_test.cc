// SPDX-License-Identifier: Apache-2.0
//
// rate and cps: what limits all clients of a service together. Who waits is served later; nothing stays
// refused or paused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"

namespace xsd::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Pace : public EchoOfAKind {
 protected:
  bool serves() const { return EchoOfAKind::serves("127.0.0.1"); }
};

INSTANTIATE_TEST_SUITE_P(, Pace, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(Pace, rate_lets_those_wait_who_come_too_early) {
  write_echo("rate: {limit: 20/s, burst: 2}");
  Daemon daemon(folder_, options());
  const SteadyTime begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(serves()) << i;
  EXPECT_GE(elapsed(begin), Milliseconds(350)) << "two at once, then one each 50 ms";
  EXPECT_THAT(daemon.log_lines("echo: refuse"), IsEmpty());
}

TEST_P(Pace, rate_refuses_them_if_that_is_said) {
  write_echo("rate: {limit: 1/h, burst: 3, action: refuse}");
  Daemon daemon(folder_, options());
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(serves()) << i;
  EXPECT_FALSE(serves());
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr(" reason=rate")));
  EXPECT_THAT(daemon.log(), HasSubstr("echo: refusing clients: more come than 1/h (rate)"));
  // What the new limit has to spare counts from now on.
  write_echo("rate: {limit: 100/s, burst: 3, action: refuse}");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(eventually([&] { return serves(); }));
}

TEST_P(Pace, cps_pauses_and_goes_on_by_itself) {
  write_echo("cps: [3, 1s]");
  Daemon daemon(folder_, options());
  std::vector<Client> held;
  const SteadyTime begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) {
    held.push_back(connect(kFirst));
    ASSERT_TRUE(is_served(held.back())) << i;
  }
  ASSERT_LT(elapsed(begin), Milliseconds(1000)) << "too slow a machine for this test";
  EXPECT_TRUE(daemon.wait_log("echo: more than 3 connections within a second (cps); clients wait for 1s"));
  EXPECT_TRUE(serves()) << "it has waited";
  EXPECT_GE(elapsed(begin), Milliseconds(1000));
  for (Client& client : held)
    EXPECT_TRUE(is_served(client));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), IsEmpty());
}

TEST_P(Pace, cps_is_shown_as_a_pause_and_ends_with_its_key) {
  write_echo("cps: [1, 1h]");
  Daemon daemon(folder_, options());
  ASSERT_TRUE(serves());
  ASSERT_TRUE(serves());
  ASSERT_TRUE(daemon.wait_log("clients wait for 1h"));
  Client waiting = connect(kFirst);
  ASSERT_TRUE(waiting.connected());
  ASSERT_TRUE(waiting.send("x\n"));
  EXPECT_EQ(waiting.receive(1, Milliseconds(100)), "");
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr(" paused "));
  write_echo("cps: [1, 1h]\ninstances: 100");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(waiting.receive(1, Milliseconds(100)), "") << "the pause goes on over a reload";
  write_echo("");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(waiting.receive(2), "x\n");
}

TEST_P(Pace, cps_counts_nobody_who_is_refused) {
  write_echo("cps: [2, 1h]\nno_access: [127.0.0.3]\nper_source: 1");
  Daemon daemon(folder_, options());
  Client one = connect(kFirst);
  ASSERT_TRUE(is_served(one));
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(EchoOfAKind::serves(kSecond));
    EXPECT_FALSE(EchoOfAKind::serves(kFirst));
  }
  EXPECT_TRUE(serves());
  EXPECT_THAT(daemon.log(), Not(HasSubstr("clients wait")));
}

TEST(PaceOfDatagrams, rate_drops_what_comes_too_early) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + yaml_quoted(udp(port)) +
                                       "\nrate: {limit: 1/h, burst: 2}\n");
  Daemon daemon(folder);
  UdpClient client(port);
  int answers = 0;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(client.send("x"));
    answers += client.receive(Milliseconds(i < 2 ? 5000 : 100)).has_value() ? 1 : 0;
  }
  EXPECT_EQ(answers, 2);
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr("rate=2"));
}

// As many starts as cps allows, and then none for a while; the datagram waits.
TEST(PaceOfDatagrams, cps_counts_the_starts_of_a_server) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/server.yaml",
               "service: server\nlisten: " + yaml_quoted(udp(port)) +
                   "\nwait: yes\nserver: /bin/sh\nserver_args: [-c, \"head -c 1 >/dev/null\"]\nuser: " +
                   current_user() + "\ncps: [2, 1s]\n");
  Daemon daemon(folder);
  UdpClient client(port);
  const SteadyTime begin = std::chrono::steady_clock::now();
  for (std::size_t i = 1; i <= 4; ++i) {
    ASSERT_TRUE(client.send("x"));
    ASSERT_TRUE(eventually([&] { return daemon.log_lines("server: end").size() == i; })) << i;
  }
  EXPECT_THAT(daemon.log_lines("server: start"), SizeIs(4));
  if (!daemon.log_lines("clients wait for 1s").empty()) {
    EXPECT_GE(elapsed(begin), Milliseconds(1000));
  }
}

}  // namespace
}  // namespace xsd::test
