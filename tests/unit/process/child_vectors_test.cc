// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/child_vectors.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <gmock/gmock.h>

#include "started_world.h"

namespace xsd::process {
namespace {

using testing::ElementsAre;

class ChildVectorsTest : public testing::Test {
 protected:
  static std::vector<std::string> list(char* const* strings) {
    std::vector<std::string> out;
    for (; *strings != nullptr; ++strings)
      out.emplace_back(*strings);
    return out;
  }
  std::vector<std::string> environment() const {
    auto out = list(vectors_.envp());
    std::sort(out.begin(), out.end());
    return out;
  }
  std::vector<std::string> arguments() const { return list(vectors_.argv()); }

  ExecPlan plan_ = world_plan();
  SpawnRequest request_ = tcp_request(0);
  ChildVectors vectors_;
};

TEST_F(ChildVectorsTest, describes_a_tcp_connection) {
  plan_.environment = {"PATH=/bin", "ZZZ=last"};
  vectors_.build(plan_, request_);
  EXPECT_THAT(environment(),
              ElementsAre("PATH=/bin", "PROTO=TCP", "REMOTE_ADDR=192.0.2.7", "REMOTE_HOST=192.0.2.7",
                          "REMOTE_PORT=40122", "SERVER_ADDR=192.0.2.1", "SERVER_PORT=79",
                          "TCPLOCALIP=192.0.2.1", "TCPLOCALPORT=79", "TCPREMOTEIP=192.0.2.7",
                          "TCPREMOTEPORT=40122", "XSD_CONNECTION=7f3a", "XSD_SERVICE=world", "ZZZ=last"));
  EXPECT_EQ(vectors_.listen_pid(), nullptr);
}

TEST_F(ChildVectorsTest, says_nothing_of_a_connection_that_is_not_there) {
  plan_.environment = {"PATH=/bin", "PROTO=mine", "REMOTE_ADDR=192.0.2.9"};
  SpawnRequest unconnected;
  unconnected.unconnected = true;
  vectors_.build(plan_, unconnected);
  EXPECT_THAT(environment(),
              ElementsAre("PATH=/bin", "PROTO=mine", "REMOTE_ADDR=192.0.2.9", "XSD_SERVICE=world"));
}

TEST_F(ChildVectorsTest, writes_ipv6_addresses_without_brackets) {
  request_.remote = *net::SocketAddress::parse("2001:db8::7", 1);
  request_.local = *net::SocketAddress::parse("::1", 65535);
  plan_.arguments.emplace_back("[%{remote_addr}]:%{remote_port}");
  vectors_.build(plan_, request_);
  EXPECT_EQ(arguments().back(), "[2001:db8::7]:1");
  EXPECT_THAT(environment(), ElementsAre("PROTO=TCP", "REMOTE_ADDR=2001:db8::7", "REMOTE_HOST=2001:db8::7",
                                         "REMOTE_PORT=1", "SERVER_ADDR=::1", "SERVER_PORT=65535",
                                         "TCPLOCALIP=::1", "TCPLOCALPORT=65535", "TCPREMOTEIP=2001:db8::7",
                                         "TCPREMOTEPORT=1", "XSD_CONNECTION=7f3a", "XSD_SERVICE=world"));
}

TEST_F(ChildVectorsTest, keeps_the_zone_of_a_link_local_address) {
  const auto remote = net::SocketAddress::parse("fe80::1%lo", 9);
  if (!remote) GTEST_SKIP() << "needs an interface named lo";
  request_.remote = *remote;
  vectors_.build(plan_, request_);
  EXPECT_THAT(environment(), testing::Contains("REMOTE_ADDR=fe80::1%lo"));
}

TEST_F(ChildVectorsTest, describes_udp_without_the_variables_of_tcp) {
  request_.transport = net::Transport::Datagram;
  vectors_.build(plan_, request_);
  EXPECT_THAT(environment(), ElementsAre("PROTO=UDP", "REMOTE_ADDR=192.0.2.7", "REMOTE_HOST=192.0.2.7",
                                         "REMOTE_PORT=40122", "SERVER_ADDR=192.0.2.1", "SERVER_PORT=79",
                                         "XSD_CONNECTION=7f3a", "XSD_SERVICE=world"));
}

TEST_F(ChildVectorsTest, describes_a_unix_connection) {
  request_.local = *net::SocketAddress::unix_path("/run/x.sock");
  sockaddr_un unnamed{};
  unnamed.sun_family = AF_UNIX;
  request_.remote =
      net::SocketAddress(reinterpret_cast<const sockaddr*>(&unnamed), offsetof(sockaddr_un, sun_path));
  plan_.arguments.emplace_back("<%{remote_addr}|%{remote_port}|%{server_port}>");
  vectors_.build(plan_, request_);
  EXPECT_EQ(arguments().back(), "<||>");
  EXPECT_THAT(environment(), ElementsAre("PROTO=UNIX", "SERVER_ADDR=/run/x.sock", "XSD_CONNECTION=7f3a",
                                         "XSD_SERVICE=world"));
}

TEST_F(ChildVectorsTest, escapes_a_unix_peers_path_and_keeps_it_out_of_arguments) {
  request_.local = *net::SocketAddress::unix_path("@x");
  request_.remote = *net::SocketAddress::unix_path("-rf\n\x1b[2J");
  request_.transport = net::Transport::SeqPacket;
  plan_.arguments.emplace_back("%{remote_addr}");
  vectors_.build(plan_, request_);
  EXPECT_EQ(arguments().back(), "");
  EXPECT_THAT(environment(),
              ElementsAre("PROTO=UNIX", "REMOTE_ADDR=-rf\\n\\x1b[2J", "REMOTE_HOST=-rf\\n\\x1b[2J",
                          "SERVER_ADDR=@x", "XSD_CONNECTION=7f3a", "XSD_SERVICE=world"));
}

TEST_F(ChildVectorsTest, describes_a_listening_socket_and_no_peer) {
  request_.listening = true;
  plan_.arguments.emplace_back("%{remote_addr}%{remote_port}");
  vectors_.build(plan_, request_);
  ASSERT_NE(vectors_.listen_pid(), nullptr);
  std::strcpy(vectors_.listen_pid(), "12345678901234567890");
  EXPECT_EQ(arguments().back(), "");
  EXPECT_THAT(environment(),
              ElementsAre("LISTEN_FDNAMES=world", "LISTEN_FDS=1", "LISTEN_PID=12345678901234567890",
                          "PROTO=TCP", "SERVER_ADDR=192.0.2.1", "SERVER_PORT=79", "TCPLOCALIP=192.0.2.1",
                          "TCPLOCALPORT=79", "XSD_CONNECTION=7f3a", "XSD_SERVICE=world"));
}

TEST_F(ChildVectorsTest, expands_arguments_once) {
  plan_.service = "%{remote_addr}";  // no service is called that; if one were:
  plan_.arguments = {"zero",       "-w",          "%{remote_addr}:%{remote_port}>%{server_port}",
                     "%{service}", "%%{service}", "100%"};
  vectors_.build(plan_, request_);
  EXPECT_THAT(arguments(),
              ElementsAre("zero", "-w", "192.0.2.7:40122>79", "%{remote_addr}", "%{service}", "100%"));
}

TEST_F(ChildVectorsTest, names_the_program_if_the_plan_has_no_arguments) {
  plan_.arguments.clear();
  vectors_.build(plan_, request_);
  EXPECT_THAT(arguments(), ElementsAre(plan_.program));
}

TEST_F(ChildVectorsTest, starts_afresh_with_each_build) {
  const std::string big(100000, 'x');
  plan_.service = big;
  plan_.arguments = {"%{service}", "%{service}"};
  request_.listening = true;
  vectors_.build(plan_, request_);
  EXPECT_THAT(arguments(), ElementsAre(big, big));
  EXPECT_THAT(environment(), testing::Contains("XSD_SERVICE=" + big));

  plan_.service = "small";
  plan_.arguments = {"%{service}"};
  request_.listening = false;
  request_.connection_id = {};
  vectors_.build(plan_, request_);
  EXPECT_THAT(arguments(), ElementsAre("small"));
  EXPECT_EQ(vectors_.listen_pid(), nullptr);
  EXPECT_EQ(environment().size(), 11U);
}

TEST_F(ChildVectorsTest, knows_the_names_that_it_sets) {
  EXPECT_TRUE(is_connection_variable("REMOTE_HOST"));
  EXPECT_TRUE(is_connection_variable("LISTEN_PID"));
  EXPECT_FALSE(is_connection_variable("REMOTE"));
  EXPECT_FALSE(is_connection_variable("PATH"));
}

}  // namespace
}  // namespace xsd::process
