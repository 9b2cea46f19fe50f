// SPDX-License-Identifier: Apache-2.0
//
// Names in only_from and no_access: they are asked for where they decide, they must lead back to the address,
// and nobody but the client itself waits for the answer (row sys_3 of reliability.md).
#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"
#include "tests/integration/own_resolver.h"

namespace xsd::test {
namespace {

using std::chrono::steady_clock;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::vector<std::pair<std::string, std::string>> kHosts = {{"127.0.0.2", "friend.example.org"},
                                                                 {"127.0.0.3", "a.inside.example"},
                                                                 {"127.0.0.4", "b.Inside.Example"}};

pid_t inquirer_of(const Daemon& daemon) {
  return role_of(daemon.pid(), "inquirer");
}

class NamesInLists : public EchoOfAKind {
 protected:
  void SetUp() override {
    if (!resolver_.why_not().empty()) GTEST_SKIP() << resolver_.why_not();
  }
  bool is_refused(const std::string& source) const { return connect(source).wait_end() != Ending::Open; }

  OwnResolver resolver_{folder_, kHosts};
};

INSTANTIATE_TEST_SUITE_P(, NamesInLists, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(NamesInLists, let_in_whom_they_name) {
  write_echo("only_from: [Friend.example.org, .inside.example]");
  Daemon daemon(folder_, options());
  EXPECT_EQ(inquirer_of(daemon), 0) << "nobody has asked yet";
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(serves("127.0.0.3"));
  EXPECT_TRUE(serves("127.0.0.4"));
  EXPECT_TRUE(is_refused("127.0.0.9")) << "it has no name";
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse").at(0), HasSubstr("from=127.0.0.9:"));
  EXPECT_THAT(daemon.log_lines("echo: refuse").at(0), HasSubstr(" reason=address"));
  EXPECT_TRUE(daemon.wait_log("echo: start", 3));
  const pid_t inquirer = inquirer_of(daemon);
  ASSERT_GT(inquirer, 0);
  EXPECT_NE(status_field(inquirer, "Uid").substr(0, 2), "0\t") << "these tests run as root, it does not";
  EXPECT_TRUE(eventually([&] { return children_of(inquirer).empty(); }));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(eventually([inquirer] { return !is_alive(inquirer); }));
}

TEST_P(NamesInLists, may_stand_in_a_file) {
  resolver_.cover("/etc/networks", "ours 127.3.0.0\n");
  ASSERT_EQ(resolver_.why_not(), "");
  folder_.write("allow", "friend.example.org\n.inside.example\nours\n");
  write_echo("only_from: \"file:" + folder_.string("allow") + "\"");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(serves("127.0.0.3"));
  EXPECT_TRUE(serves("127.3.0.3"));
  EXPECT_TRUE(is_refused("127.0.0.9"));
}

TEST_P(NamesInLists, must_lead_back) {
  resolver_.add_reverse("127.0.0.8", "friend.example.org");
  resolver_.add_reverse("127.0.0.9", "nowhere.inside.example");
  write_echo("only_from: [friend.example.org, .inside.example]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_refused("127.0.0.8"));
  EXPECT_TRUE(is_refused("127.0.0.9"));
  EXPECT_TRUE(serves("127.0.0.2"));
}

TEST_P(NamesInLists, keep_out_whom_they_name) {
  write_echo("no_access: [.inside.example]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_refused("127.0.0.3"));
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(serves("127.0.0.9"));
}

TEST_P(NamesInLists, are_asked_for_where_they_decide_and_not_again_for_a_while) {
  write_echo("only_from: [127.0.0.5, friend.example.org]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.5"));
  EXPECT_EQ(resolver_.questions(), 0U);
  EXPECT_TRUE(serves("127.0.0.2"));
  const std::size_t questions = resolver_.questions();
  EXPECT_GE(questions, 2U);
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_EQ(resolver_.questions(), questions);
}

TEST_P(NamesInLists, may_be_networks) {
  resolver_.cover("/etc/networks", "ours 127.0.0.0\nothers 127.1\n");
  ASSERT_EQ(resolver_.why_not(), "");
  write_echo("only_from: [ours]\nno_access: [others]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(serves("127.2.0.2"));
  EXPECT_TRUE(is_refused("127.1.0.2"));
  EXPECT_EQ(resolver_.questions(), 0U);
}

TEST_P(NamesInLists, that_cannot_be_found_out_let_nobody_in) {
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org]");
  Daemon daemon(folder_, options());
  const auto begin = steady_clock::now();
  Client client = connect("127.0.0.2");
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_LT(elapsed(begin), Milliseconds(4500));
  EXPECT_TRUE(daemon.wait_log("reason=address"));
  // Who comes again soon is told at once.
  const auto again = steady_clock::now();
  EXPECT_EQ(connect("127.0.0.2").wait_end(), Ending::Closed);
  EXPECT_LT(elapsed(again), Milliseconds(1000));
}

TEST_P(NamesInLists, keep_a_client_within_the_limits_while_they_are_asked_for) {
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org]\ninstances: 1");
  Daemon daemon(folder_, options());
  Client first = connect("127.0.0.2");
  ASSERT_TRUE(resolver_.is_asked());
  EXPECT_EQ(connect("127.0.0.3").wait_end(Milliseconds(2500)), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=instances"));
  EXPECT_EQ(first.wait_end(), Ending::Closed);
}

TEST_P(NamesInLists, that_are_being_asked_for_do_not_delay_the_end) {
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org]");
  Daemon daemon(folder_, options());
  Client client = connect("127.0.0.2");
  ASSERT_TRUE(resolver_.is_asked());
  const auto begin = steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LT(elapsed(begin), Milliseconds(2000));
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_THAT(daemon.log(), HasSubstr("reason=draining"));
}

TEST_P(NamesInLists, that_change_leave_a_client_that_is_being_asked_about_to_the_old_ones) {
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org]");
  Daemon daemon(folder_, options());
  Client client = connect("127.0.0.2");
  ASSERT_TRUE(resolver_.is_asked());
  write_echo("only_from: [other.example.org]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  resolver_.set_silent(false);  // the library asks again after a second
  EXPECT_TRUE(is_served(client));
  EXPECT_TRUE(is_refused("127.0.0.2"));
}

TEST_P(NamesInLists, come_and_go_with_a_reload) {
  write_echo("");
  Daemon daemon(folder_, options());
  Client held = connect("127.0.0.9");
  EXPECT_TRUE(is_served(held));
  write_echo("only_from: [friend.example.org]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(is_refused("127.0.0.9"));
  EXPECT_TRUE(is_served(held));
  write_echo("");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves("127.0.0.9"));
}

TEST_P(NamesInLists, are_unknown_when_the_process_that_asks_dies_and_asked_by_the_next_one) {
  resolver_.set_silent(true);
  write_echo("only_from: [friend.example.org, .inside.example]");
  Daemon daemon(folder_, options());
  Client client = connect("127.0.0.2");
  ASSERT_TRUE(resolver_.is_asked());
  const pid_t first = inquirer_of(daemon);
  ASSERT_GT(first, 0);
  ASSERT_EQ(kill(first, SIGKILL), 0);
  EXPECT_EQ(client.wait_end(Milliseconds(2000)), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("inquirer: ended by signal 9"));
  resolver_.set_silent(false);
  EXPECT_TRUE(eventually([this] { return serves("127.0.0.3"); }));
  EXPECT_TRUE(daemon.wait_log("inquirer: it answers again"));
  EXPECT_NE(inquirer_of(daemon), first);
}

class NamesForOthers : public testing::Test {
 protected:
  void SetUp() override {
    if (!resolver_.why_not().empty()) GTEST_SKIP() << resolver_.why_not();
  }
  TempFolder folder_;
  std::uint16_t port_ = free_port();
  OwnResolver resolver_{folder_, kHosts};
};

TEST_F(NamesForOthers, keep_no_client_of_another_service_waiting) {
  resolver_.set_silent(true);
  const std::uint16_t other = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  folder_.write("conf.d/named.yaml",
                program_service("named", other, {"/bin/cat"}, "only_from: [.inside.example]\n"));
  Daemon daemon(folder_);
  std::vector<Client> waiting;
  for (int i = 2; i < 200; ++i)
    waiting.emplace_back(other, ClientOptions{.source = "127.0.1." + std::to_string(i)});
  ASSERT_TRUE(resolver_.is_asked());
  const SteadyTime begin = steady_clock::now();
  ASSERT_NO_FATAL_FAILURE(expect_prompt_echoes(port_, [&] { return elapsed(begin) >= Milliseconds(2500); }));
  for (Client& client : waiting)
    EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("named: refuse", 198));
  EXPECT_THAT(daemon.log_lines("named: refuse"), Each(HasSubstr("reason=address")));
  EXPECT_THAT(daemon.log_lines("named: start"), IsEmpty());
}

TEST_F(NamesForOthers, are_asked_for_so_many_clients_of_a_service_at_a_time) {
  constexpr std::size_t kMost = 256;
  resolver_.set_silent(true);
  folder_.write("conf.d/named.yaml", program_service("named", port_, {"/bin/cat"},
                                                     "only_from: [.inside.example]\ninstances: 1000\n"));
  Daemon daemon(folder_);
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kMost + 4; ++i) {
    clients.emplace_back(port_, ClientOptions{.source = "127.1." + std::to_string(i / 250) + "." +
                                                        std::to_string(1 + i % 250)});
  }
  EXPECT_TRUE(daemon.wait_log("reason=resources", 4, Milliseconds(2500)));
  for (Client& client : clients)
    EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=address", kMost));
  EXPECT_THAT(daemon.log_lines("reason=resources"), SizeIs(4));
  EXPECT_TRUE(eventually([&daemon] { return fd_count(daemon.pid()) < 60; }));
}

TEST_F(NamesForOthers, are_asked_for_so_many_clients_of_all_services_at_a_time) {
  constexpr std::size_t kMost = 1024;
  constexpr std::size_t kServices = 5;
  constexpr std::size_t kEach = 250;
  resolver_.set_silent(true);
  const std::vector<std::uint16_t> ports = free_ports(kServices);
  for (std::size_t i = 0; i < kServices; ++i) {
    const std::string name = "named" + std::to_string(i);
    folder_.write("conf.d/" + name + ".yaml",
                  program_service(name, ports[i], {"/bin/cat"}, "only_from: [.inside.example]\n"));
  }
  Daemon daemon(folder_);
  std::vector<Client> clients;
  const auto begin = steady_clock::now();
  for (std::size_t i = 0; i < kServices * kEach; ++i) {
    clients.emplace_back(ports[i / kEach], ClientOptions{.source = "127.1." + std::to_string(i / kEach) +
                                                                   "." + std::to_string(1 + i % kEach)});
  }
  // Who comes then is refused at once, the others when their time is up.
  const std::size_t beyond = kServices * kEach - kMost;
  EXPECT_TRUE(daemon.wait_log("reason=address", beyond));
  if (elapsed(begin) < Milliseconds(2500)) {
    EXPECT_THAT(daemon.log_lines("reason=address"), SizeIs(beyond));
  }
  for (Client& client : clients)
    EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=address", kServices * kEach));
}

TEST_F(NamesForOthers, do_not_read_a_datagram_before_its_sender_may) {
  folder_.write("conf.d/ask.yaml", "service: ask\nlisten: " + udp(port_) +
                                       "\nserver: " + program("wait_world") + "\nserver_args: [" +
                                       folder_.string("world") + "]" + "\nuser: " + current_user() +
                                       "\nonly_from: [friend.example.org]\n");
  Daemon daemon(folder_);
  UdpClient stranger(port_, {.source = "127.0.0.3"});
  ASSERT_TRUE(stranger.send("hello"));
  EXPECT_TRUE(daemon.wait_log("datagrams from 127.0.0.3 are dropped (only_from, no_access)"));
  EXPECT_THAT(daemon.log_lines("ask: start"), IsEmpty());
  UdpClient friendly(port_, {.source = "127.0.0.2"});
  ASSERT_TRUE(friendly.send("hello"));
  EXPECT_TRUE(daemon.wait_log("ask: start"));
  EXPECT_TRUE(friendly.receive().has_value());
}

TEST_F(NamesForOthers, are_given_up_when_nobody_answers_for_the_process_that_asks) {
  folder_.write("conf.d/named.yaml", program_service("named", port_, {"/bin/cat"},
                                                     "only_from: [friend.example.org, .inside.example]\n"));
  Daemon daemon(folder_);
  ASSERT_TRUE(echoes(port_, {.source = "127.0.0.2"}));
  const pid_t stopped = inquirer_of(daemon);
  ASSERT_GT(stopped, 0);
  ASSERT_EQ(kill(stopped, SIGSTOP), 0);
  Client client(port_, {.source = "127.0.0.3"});
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(eventually([stopped] { return !is_alive(stopped); })) << "it is replaced";
  EXPECT_TRUE(eventually([this] { return echoes(port_, {.source = "127.0.0.4"}); }));
}

}  // namespace
}  // namespace xsd::test
