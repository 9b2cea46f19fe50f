// SPDX-License-Identifier: Apache-2.0
//
// SENSOR and deny_time: whoever comes to a trap is banned from all services, in whatever process they are,
// for as long as that says.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"
#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class SensorTest : public EchoOfAKind {
 protected:
  void write_trap(const std::string& more) const {
    folder_.write("conf.d/trap.yaml", "service: trap\nflags: [SENSOR]\nlisten: [" + tcp(trap_) + ", " +
                                          yaml_quoted(udp(trap_)) + "]\n" + more + "\n");
  }
  Ending fall_in(const std::string& source) const {
    Client client(trap_, {.source = source});
    return client.wait_end();
  }
  bool is_banned(const std::string& source) const {
    Client client = connect(source);
    return !is_served(client);
  }

  std::uint16_t trap_ = free_port();
};

INSTANTIATE_TEST_SUITE_P(, SensorTest, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(SensorTest, bans_whoever_comes_from_all_services_and_over_a_reload) {
  write_echo("");
  write_trap("deny_time: 60");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves(kFirst));
  EXPECT_EQ(fall_in(kFirst), Ending::Closed);
  EXPECT_TRUE(eventually([&] { return is_banned(kFirst); }));
  EXPECT_TRUE(serves(kSecond));
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr("from=127.0.0.2:")));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr(" reason=banned")));
  EXPECT_THAT(daemon.log_lines("trap: 127.0.0.2 is banned for 1h (deny_time)"), SizeIs(1));
  EXPECT_TRUE(daemon.wait_log("trap: refuse"));
  EXPECT_THAT(daemon.log_lines("trap: refuse"), SizeIs(1));
  EXPECT_EQ(fall_in(kFirst), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("trap: refuse", 2));
  EXPECT_THAT(daemon.log_lines("is banned for"), SizeIs(1)) << "another hit changes nothing";

  write_echo("instances: 7");
  write_trap("deny_time: 5");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 2"));
  EXPECT_TRUE(is_banned(kFirst));
  EXPECT_THAT(daemon.state("bans").back(), HasSubstr(", 1 bans"));
}

TEST_P(SensorTest, lets_go_when_the_time_is_over) {
  write_echo("");
  write_trap("deny_time: 1s");
  Daemon daemon(folder_, options());
  EXPECT_EQ(fall_in(kFirst), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("trap: 127.0.0.2 is banned for 1s"));
  EXPECT_TRUE(eventually([&] { return !is_banned(kFirst); }));
}

TEST_P(SensorTest, bans_nobody_whom_it_refuses_and_cuts_to_the_prefix) {
  write_echo("");
  write_trap("deny_time: forever\nno_access: [127.0.0.3]\nsource_prefix: {v4: 24}");
  Daemon daemon(folder_, options());
  EXPECT_EQ(fall_in(kSecond), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=address"));
  EXPECT_TRUE(serves(kSecond));
  EXPECT_EQ(fall_in(kFirst), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("trap: 127.0.0.0/24 is banned for ever (deny_time)"));
  EXPECT_TRUE(eventually([&] { return is_banned(kSecond); })) << "it is of the same network";
  EXPECT_TRUE(serves("127.0.1.1"));
}

TEST_P(SensorTest, bans_nobody_who_reads_no_time) {
  write_echo("");
  write_trap("deny_time: NEVER");
  Daemon daemon(folder_, options());
  EXPECT_EQ(fall_in(kFirst), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("trap: refuse"));
  EXPECT_TRUE(serves(kFirst));
  EXPECT_THAT(daemon.log_lines("is banned"), IsEmpty());
}

TEST_P(SensorTest, says_what_it_has_to_say_in_banners) {
  folder_.write("hello", "hello\n");
  folder_.write("caught", "caught\n");
  write_echo("banner: " + folder_.string("hello") + "\nbanner_fail: " + folder_.string("caught"));
  write_trap("deny_time: 60\nbanner: " + folder_.string("hello") +
             "\nbanner_fail: " + folder_.string("caught"));
  Daemon daemon(folder_, options());
  Client client(trap_, {.source = kFirst});
  (void)client.send("USER root\n");
  EXPECT_EQ(client.receive_until_eof(), "hello\ncaught\n");
  EXPECT_EQ(client.ending(), Ending::Closed);
  EXPECT_TRUE(eventually([&] { return connect(kFirst).receive_until_eof() == "caught\n"; }))
      << "who is banned is not greeted";
}

TEST_P(SensorTest, bans_the_sender_of_a_datagram) {
  write_echo("");
  write_trap("deny_time: 60");
  Daemon daemon(folder_, options());
  UdpClient client(trap_, {.source = kFirst});
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(client.send("anybody there?"));
  EXPECT_TRUE(daemon.wait_log("trap: 127.0.0.2 is banned for 1h (deny_time)"));
  EXPECT_TRUE(eventually([&] { return is_banned(kFirst); }));
  EXPECT_TRUE(serves(kSecond));
  EXPECT_TRUE(
      eventually([&] { return daemon.state("state: trap:").back().find(" banned=5") != std::string::npos; }));
}

TEST_P(SensorTest, becomes_a_service_and_back) {
  write_echo("");
  write_trap("deny_time: 60");
  Daemon daemon(folder_, options());
  folder_.write("conf.d/trap.yaml", "service: trap\nplugin: echo\nlisten: " + tcp(trap_) + "\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(echoes(trap_, {.source = kFirst}));
  write_trap("deny_time: 60");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(fall_in(kFirst), Ending::Closed);
  EXPECT_TRUE(eventually([&] { return is_banned(kFirst); }));
}

class SensorAndWorkers : public testing::Test {
 protected:
  SensorAndWorkers() {
    folder_.write("conf.d/trap.yaml",
                  "service: trap\nflags: [SENSOR]\nlisten: " + tcp(trap_) + "\ndeny_time: 1d\n");
    folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  }
  void fall_in(const std::string& source) const { (void)Client(trap_, {.source = source}).wait_end(); }

  TempFolder folder_;
  std::uint16_t trap_ = free_port();
  std::uint16_t port_ = free_port();
};

TEST_F(SensorAndWorkers, a_new_worker_knows_who_is_banned) {
  Daemon daemon(folder_);
  const pid_t first = worker_of(daemon.pid(), "built-in");
  if (first == 0) GTEST_SKIP() << "there are no workers here";
  // More than one message holds.
  const int count = 3000;
  for (int i = 0; i < count; ++i)
    fall_in("127.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250));
  EXPECT_TRUE(daemon.wait_log("is banned for 1d", count));
  ASSERT_EQ(kill(first, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] {
    const pid_t now = worker_of(daemon.pid(), "built-in");
    return now != 0 && now != first;
  }));
  EXPECT_TRUE(echoes(port_));
  for (const char* const source : {"127.1.0.1", "127.1.5.77", "127.1.11.250"})
    EXPECT_FALSE(echoes(port_, {.source = source})) << source;
  EXPECT_TRUE(echoes(port_, {.source = "127.1.12.1"}));
  EXPECT_THAT(daemon.state("bans").back(), HasSubstr(", 3000 bans"));
}

// The bound is documented with deny_time; the ban that ends soonest goes, the new one included.
TEST_F(SensorAndWorkers, a_full_list_of_bans_keeps_the_longest) {
  constexpr int kMost = 10'240;
  const std::uint16_t brief = free_port();
  folder_.write("conf.d/brief.yaml",
                "service: brief\nflags: [SENSOR]\nlisten: " + tcp(brief) + "\ndeny_time: 1h\n");
  Daemon daemon(folder_);
  const auto source = [](int i) {
    return "127.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
  };
  // Whoever bans for less comes first, and makes room.
  (void)Client(brief, {.source = kFirst}).wait_end();
  EXPECT_TRUE(daemon.wait_log("brief: 127.0.0.2 is banned for 1h"));
  EXPECT_TRUE(eventually([&] { return !echoes(port_, {.source = kFirst}); }));
  for (int i = 0; i < kMost; ++i)
    fall_in(source(i));
  EXPECT_TRUE(eventually([&] { return contains(daemon.state("bans").back(), ", 10240 bans"); }));
  EXPECT_TRUE(eventually([&] { return echoes(port_, {.source = kFirst}); }));
  EXPECT_FALSE(echoes(port_, {.source = source(0)}));
  // Nobody is added who would be the first to go, and one line says so.
  for (const char* const late : {kFirst, kSecond})
    (void)Client(brief, {.source = late}).wait_end();
  EXPECT_TRUE(daemon.wait_log("brief: the list of bans is full of longer ones; nobody is added"));
  EXPECT_TRUE(daemon.wait_log("brief: refuse", 3));
  EXPECT_TRUE(echoes(port_, {.source = kFirst}));
  // Of bans that are equally long the oldest goes.
  fall_in(source(kMost));
  EXPECT_TRUE(eventually([&] { return !echoes(port_, {.source = source(kMost)}); }));
  EXPECT_TRUE(eventually([&] { return echoes(port_, {.source = source(0)}); }));
  EXPECT_FALSE(echoes(port_, {.source = source(1)}));
  EXPECT_THAT(daemon.state("bans").back(), HasSubstr(", 10240 bans"));
  EXPECT_THAT(daemon.log_lines("the list of bans is full"), SizeIs(1));
}

// Datagrams of who is banned are not answered, and start nothing.
TEST_F(SensorAndWorkers, datagrams_are_dropped_too) {
  const std::uint16_t wait_port = free_port();
  folder_.write("conf.d/server.yaml", program_on("server", {udp(wait_port)},
                                                 {"/bin/sh", "-c", "head -c 1 >/dev/null"}, "wait: yes\n"));
  Daemon daemon(folder_);
  fall_in(kFirst);
  UdpClient client(port_, {.source = kFirst});
  EXPECT_TRUE(eventually([&] { return client.send("x") && !client.receive(Milliseconds(50)).has_value(); }));
  UdpClient other(port_, {.source = kSecond});
  ASSERT_TRUE(other.send("y"));
  EXPECT_EQ(other.receive(), "y");
  UdpClient starter(wait_port, {.source = kFirst});
  ASSERT_TRUE(starter.send("x"));
  EXPECT_TRUE(eventually(
      [&] { return daemon.state("state: server:").back().find("banned=1") != std::string::npos; }));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("server: start")));
}

}  // namespace
}  // namespace xsd::test
