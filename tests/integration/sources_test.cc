// SPDX-License-Identifier: Apache-2.0
//
// per_source, source_rate, source_prefix: what one source does too much costs that source only (rows acc_5
// and acc_6 of reliability.md). The same for a plugin in a worker, in shards and in the daemon, and for a
// program.
#include <atomic>
#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"

namespace xsd::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

class Sources : public EchoOfAKind {};

INSTANTIATE_TEST_SUITE_P(, Sources, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(Sources, have_so_many_connections_each) {
  write_echo("per_source: 2");
  Daemon daemon(folder_, options());
  for (int round = 0; round < 3; ++round) {
    Client one = connect(kFirst);
    Client two = connect(kFirst);
    ASSERT_TRUE(is_served(one) && is_served(two)) << round;
    EXPECT_FALSE(serves(kFirst));
    EXPECT_TRUE(serves(kSecond));
    EXPECT_TRUE(is_served(one) && is_served(two));
    one.close();
    two.close();
    ASSERT_TRUE(eventually([&] { return serves(kFirst); })) << "its slots come back";
    ASSERT_TRUE(eventually(
        [&] { return daemon.state("state: echo:").back().find(" active=0 ") != std::string::npos; }));
  }
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Contains(HasSubstr("from=127.0.0.2:")));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), testing::Each(HasSubstr(" reason=per_source")));
  EXPECT_THAT(daemon.log(),
              HasSubstr("echo: refusing connections of 127.0.0.2, which has 2 already (per_source)"));
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr("per_source="));
}

TEST_P(Sources, are_networks_of_the_length_that_is_said) {
  write_echo("per_source: 1\nsource_prefix: {v4: 24}");
  Daemon daemon(folder_, options());
  Client one = connect(kFirst);
  ASSERT_TRUE(is_served(one));
  EXPECT_FALSE(serves(kSecond));
  EXPECT_TRUE(serves("127.0.1.3"));
  EXPECT_TRUE(is_served(one));
}

TEST_P(Sources, come_so_often_each_and_again_later) {
  write_echo("source_rate: {limit: 2/s, burst: 3}");
  Daemon daemon(folder_, options());
  int served = 0;
  const SteadyTime begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i)
    served += serves(kFirst) ? 1 : 0;
  EXPECT_GE(served, 3);
  EXPECT_LE(served, 3 + 1 + 2 * elapsed(begin).count() / 1000);
  EXPECT_TRUE(serves(kSecond));
  EXPECT_TRUE(eventually([&] { return serves(kFirst); }));
  EXPECT_TRUE(daemon.wait_log("reason=source_rate"));
  EXPECT_THAT(daemon.log(),
              HasSubstr("echo: refusing 127.0.0.2, which comes more often than 2/s (source_rate)"));
}

TEST_P(Sources, keep_their_counts_over_a_reload) {
  write_echo("per_source: 2");
  Daemon daemon(folder_, options());
  Client one = connect(kFirst);
  ASSERT_TRUE(is_served(one));
  write_echo("per_source: 1");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_FALSE(serves(kFirst));
  write_echo("per_source: unlimited");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves(kFirst));
  write_echo("per_source: 1");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_FALSE(serves(kFirst)) << "it has never gone";
  one.close();
  EXPECT_TRUE(eventually([&] { return serves(kFirst); }));
}

TEST_P(Sources, that_flood_harm_nobody_else) {
  write_echo("source_rate: {limit: 10/s, burst: 20}\nlog_on_success: []\nlog_on_failure: []");
  Daemon daemon(folder_, options());
  std::atomic<bool> stops = false;
  std::vector<std::thread> flood;
  std::atomic<std::uint64_t> tries = 0;
  for (int i = 0; i < 2; ++i) {
    flood.emplace_back([&] {
      while (!stops) {
        (void)serves(kFirst);
        ++tries;
      }
    });
  }
  const Milliseconds time(std::getenv("XSD_TEST_FULL") != nullptr ? 10000 : 2000);
  const SteadyTime begin = std::chrono::steady_clock::now();
  int polite = 0;
  while (elapsed(begin) < time) {
    EXPECT_TRUE(serves(kSecond)) << polite;
    ++polite;
    EXPECT_TRUE(holds_for(Milliseconds(100), [&] { return daemon.running(); }));
  }
  stops = true;
  for (std::thread& thread : flood)
    thread.join();
  EXPECT_GT(polite, 5);
  EXPECT_GT(tries, static_cast<std::uint64_t>(polite));
}

TEST(DatagramSources, are_answered_so_often_each) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + yaml_quoted(udp(port)) +
                                       "\nsource_rate: {limit: 1/h, burst: 3}\n");
  Daemon daemon(folder);
  UdpClient first(port, {.source = kFirst});
  int answers = 0;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(first.send("x"));
    answers += first.receive(Milliseconds(i < 3 ? 5000 : 100)).has_value() ? 1 : 0;
  }
  EXPECT_EQ(answers, 3);
  UdpClient second(port, {.source = kSecond});
  ASSERT_TRUE(second.send("x"));
  EXPECT_TRUE(second.receive().has_value());
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr("source_rate=2"));
}

}  // namespace
}  // namespace xsd::test
