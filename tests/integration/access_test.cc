// SPDX-License-Identifier: Apache-2.0
//
// only_from and no_access, by address: who is refused costs no program, and is told nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"

namespace xsd::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class AddressLists : public EchoOfAKind {};

INSTANTIATE_TEST_SUITE_P(, AddressLists, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(AddressLists, let_in_whom_they_name) {
  write_echo("only_from: [127.0.0.2, 192.0.2.0/24]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves(kFirst));
  Client refused = connect(kSecond);
  EXPECT_EQ(refused.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr("from=127.0.0.3:")));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr(" reason=address")));
  EXPECT_THAT(daemon.log_lines("echo: start"), SizeIs(1)) << "nothing was started for the other one";
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr(" started=1 "));
}

TEST_P(AddressLists, go_by_the_longest_network) {
  write_echo("only_from: [127.0.0.0, 127.0.0.3]\nno_access: [127.0.0.0/24, 127.0.1.5]");
  Daemon daemon(folder_, options());
  EXPECT_FALSE(serves(kFirst)) << "the /24 is longer than the /8";
  EXPECT_TRUE(serves(kSecond)) << "the address is longer than the /24";
  EXPECT_TRUE(serves("127.0.2.1"));
  EXPECT_FALSE(serves("127.0.1.5"));
}

TEST_P(AddressLists, refuse_where_both_have_the_same) {
  write_echo("only_from: [127.0.0.2, 127.0.0.3]\nno_access: [127.0.0.2/32]");
  Daemon daemon(folder_, options());
  EXPECT_FALSE(serves(kFirst));
  EXPECT_TRUE(serves(kSecond));
}

TEST_P(AddressLists, that_are_empty_let_nobody_in) {
  write_echo("only_from: []");
  Daemon daemon(folder_, options());
  EXPECT_FALSE(serves(kFirst));
  EXPECT_FALSE(serves("127.0.0.1"));
}

TEST_P(AddressLists, that_change_hold_for_new_clients_at_once) {
  write_echo("");
  Daemon daemon(folder_, options());
  Client held = connect(kFirst);
  ASSERT_TRUE(is_served(held));
  write_echo("no_access: [127.0.0.2]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_FALSE(serves(kFirst));
  EXPECT_TRUE(serves(kSecond));
  EXPECT_TRUE(is_served(held)) << "who was in stays";
  write_echo("");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves(kFirst));
}

TEST(AddressListsOfDatagrams, drop_what_a_plugin_would_answer) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + yaml_quoted(udp(port)) +
                                       "\nonly_from: [127.0.0.2]\n");
  Daemon daemon(folder);
  UdpClient second(port, {.source = kSecond});
  UdpClient first(port, {.source = kFirst});
  ASSERT_TRUE(second.send("x"));
  ASSERT_TRUE(first.send("y"));
  EXPECT_EQ(first.receive(), "y");
  EXPECT_EQ(second.receive(Milliseconds(100)), std::nullopt);
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr("address=1"));
}

// The sender of the datagram that a server would be started for is known, those after it are its business.
TEST(AddressListsOfDatagrams, keep_a_server_from_being_started) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/server.yaml",
               "service: server\nlisten: " + yaml_quoted(udp(port)) +
                   "\nwait: yes\nserver: /bin/sh\nserver_args: [-c, \"head -c 1 >/dev/null\"]\nuser: " +
                   current_user() + "\nno_access: [127.0.0.3]\n");
  Daemon daemon(folder);
  UdpClient second(port, {.source = kSecond});
  ASSERT_TRUE(second.send("x"));
  ASSERT_TRUE(daemon.wait_log("server: datagrams from 127.0.0.3 are dropped (only_from, no_access)"));
  EXPECT_THAT(daemon.log_lines("server: start"), IsEmpty());
  UdpClient first(port, {.source = kFirst});
  ASSERT_TRUE(first.send("y"));
  EXPECT_TRUE(daemon.wait_log("server: start"));
  EXPECT_THAT(daemon.state("state: server:").back(), HasSubstr("address=1"));
}

TEST(AddressListsOfUnixSockets, are_not_asked) {
  const TempFolder folder;
  const std::string path = folder / "echo.sock";
  folder.write("conf.d/echo.yaml",
               "service: echo\nplugin: echo\nlisten: " + yaml_quoted("unix://" + path) + "\nonly_from: []\n");
  Daemon daemon(folder);
  Client client = Client::to_unix_socket(path);
  EXPECT_TRUE(echoes(client));
}

}  // namespace
}  // namespace xsd::test
