// SPDX-License-Identifier: Apache-2.0
//
// Sockets that were bound before the daemon: those of a socket unit, and those that it has left with its
// service manager, which the tests play.
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/kept_sockets.h"

namespace xsd::test {
namespace {

using KeptSockets = KeptSocketsTest;

TEST_F(KeptSockets, are_served_with_the_clients_that_wait_there) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  const Fd stream = bound(SOCK_STREAM, port_);
  const Fd datagram = bound(SOCK_DGRAM, port_);
  const int on = 1;  // PassPacketInfo=yes; otherwise what came before us does not say where it was sent to
  ASSERT_EQ(setsockopt(datagram.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on), 0);
  Client early(port_);
  UdpClient peer(port_);
  ASSERT_TRUE(early.connected());
  EXPECT_TRUE(early.send("early"));
  EXPECT_TRUE(peer.send("soon"));
  Daemon daemon(folder_, with_sockets({stream.get(), datagram.get()}));
  EXPECT_EQ(early.receive(5), "early");
  EXPECT_EQ(peer.receive(), "soon");
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.log_lines("warning: a socket").empty());
  EXPECT_TRUE(daemon.store().empty()) << "nobody has asked for that";
}

TEST_F(KeptSockets, outlive_a_restart) {
  const std::uint16_t program_port = free_port();
  const std::string path = folder_.string("socket");
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  folder_.write("conf.d/file.yaml", "service: file\nplugin: echo\nlisten: ['unix://" + path + "']\n");
  folder_.write("conf.d/cat.yaml", program_service("cat", program_port, {"/bin/cat"}));
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.store().size(), 4U);
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(first.stop(), 0);
  std::vector<Client> waiting;
  waiting.emplace_back(port_);
  waiting.emplace_back(program_port);
  waiting.push_back(Client::to_unix_socket(path));
  for (Client& client : waiting) {
    ASSERT_TRUE(client.connected());
    EXPECT_TRUE(client.send("x"));
  }
  Daemon second(folder_, with_store(first.take_store()));
  for (Client& client : waiting)
    EXPECT_EQ(client.receive(1), "x");
  EXPECT_EQ(second.store().size(), 4U);
  EXPECT_TRUE(second.log_lines("warning: a socket").empty());
}

TEST_F(KeptSockets, are_forgotten_when_they_are_closed) {
  const std::uint16_t other_port = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  folder_.write("conf.d/other.yaml", echo_service("other", other_port));
  Daemon daemon(folder_, with_store());
  EXPECT_EQ(daemon.store().size(), 4U);
  const std::uint16_t next_port = free_port();
  folder_.write("conf.d/other.yaml", echo_service("other", next_port));
  daemon.hup_and_wait();
  EXPECT_TRUE(echoes(next_port));
  EXPECT_EQ(daemon.store().size(), 4U);
  EXPECT_EQ(Client(other_port).error(), ECONNREFUSED);
  folder_.remove("conf.d/other.yaml");
  daemon.hup_and_wait();
  EXPECT_EQ(daemon.store().size(), 2U);
  EXPECT_EQ(Client(next_port).error(), ECONNREFUSED);
  EXPECT_TRUE(echoes(port_));
}

TEST_F(KeptSockets, give_way_to_what_overlaps_them) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.store().size(), 2U);
  EXPECT_EQ(first.stop(), 0);
  folder_.write("conf.d/echo.yaml",
                "service: echo\nplugin: echo\nlisten: ['tcp4://*:" + std::to_string(port_) + "']\n");
  Daemon second(folder_, with_store(first.take_store()));
  EXPECT_EQ(second.store().size(), 1U);
  EXPECT_TRUE(echoes(port_));
}

TEST_F(KeptSockets, survive_a_start_that_fails) {
  const std::string path = folder_.string("socket");
  folder_.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
  folder_.write("conf.d/file.yaml", "service: file\nplugin: echo\nlisten: ['unix://" + path + "']\n");
  const auto options = [this](Store store) {
    DaemonOptions all = with_store(std::move(store));
    all.config = folder_ / "xsd.yaml";
    return all;
  };
  Daemon first(folder_, options({}));
  EXPECT_EQ(first.stop(), 0);
  folder_.write("xsd.yaml", "daemon: {no_such_key: 1}\n");
  DaemonOptions faulty = options(first.take_store());
  faulty.wait_ready = false;
  Daemon second(folder_, faulty);
  EXPECT_EQ(second.wait_exit(), 78);
  Client waiting = Client::to_unix_socket(path);
  ASSERT_TRUE(waiting.connected()) << "the file is there yet";
  folder_.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
  Daemon third(folder_, options(second.take_store()));
  EXPECT_TRUE(echoes(waiting));
  folder_.remove("conf.d/file.yaml");
  third.hup_and_wait();
  EXPECT_FALSE(std::filesystem::exists(path)) << "nobody listens there any more";
}

TEST_F(KeptSockets, of_a_unit_stay_with_it) {
  const std::string path = folder_.string("socket");
  const Fd unit = bound_unix(path);
  const Fd stream = bound(SOCK_STREAM, port_);
  const std::string file = "service: file\nplugin: echo\nlisten: ['unix://" + path + "']\n";
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  DaemonOptions options = with_sockets({unit.get(), stream.get()});
  options.start.environment = {"FDSTORE=64"};
  Daemon daemon(folder_, options);
  EXPECT_EQ(daemon.log_lines("socket: a socket from the service manager at which no service listens").size(),
            1U);
  EXPECT_EQ(daemon.store().size(), 1U) << "the datagrams' alone";
  for (int i = 0; i < 2; ++i) {
    folder_.write("conf.d/file.yaml", file);
    daemon.hup_and_wait();
    Client client = Client::to_unix_socket(path);
    EXPECT_TRUE(echoes(client));
    client.close();
    folder_.remove("conf.d/file.yaml");
    daemon.hup_and_wait();
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(Client::to_unix_socket(path).connected());
}

TEST_F(KeptSockets, keep_nobody_waiting_for_a_manager_that_does_not_read) {
  constexpr std::size_t kServices = 40;
  const std::vector<std::uint16_t> ports = free_ports(kServices);
  for (const std::uint16_t port : ports)
    folder_.write("conf.d/" + std::to_string(port) + ".yaml", echo_service(std::to_string(port), port));
  DaemonOptions options = with_store();
  options.start.environment = {"FDSTORE=100"};
  options.store_size = 100;
  options.wait_ready = false;
  Daemon daemon(folder_, options);
  for (const std::uint16_t port : ports)
    EXPECT_TRUE(eventually([&] { return echoes(port); }));
  EXPECT_TRUE(daemon.signal(SIGHUP));
  EXPECT_TRUE(daemon.wait_log("reload: "));
  EXPECT_TRUE(echoes(ports[0]));
  EXPECT_TRUE(daemon.wait_ready()) << "the rest comes when there is room, READY=1 after it";
  EXPECT_EQ(daemon.store().size(), 2 * kServices);
}

TEST_F(KeptSockets, that_no_service_wants_are_closed_and_forgotten) {
  const std::uint16_t other_port = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  folder_.write("conf.d/other.yaml", echo_service("other", other_port));
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.stop(), 0);
  folder_.remove("conf.d/other.yaml");
  Daemon second(folder_, with_store(first.take_store()));
  EXPECT_EQ(second.store().size(), 2U);
  EXPECT_EQ(Client(other_port).error(), ECONNREFUSED);
  EXPECT_EQ(
      second.log_lines(std::to_string(other_port) + ": closed, no service listens there any more").size(),
      2U);
  EXPECT_TRUE(echoes(port_));
}

TEST_F(KeptSockets, that_cannot_be_served_harm_nobody) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  const Fd both(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(free_port());
  ASSERT_EQ(bind(both.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const Fd unbound(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const Fd one(pair[0]);
  const Fd two(pair[1]);
  Daemon daemon(folder_, with_sockets({both.get(), unbound.get(), file.get(), one.get()}));
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.log_lines("a socket from the service manager is not used: descriptor 3: ").size(), 1U);
  EXPECT_EQ(daemon.log_lines("takes IPv4 as well (BindIPv6Only=ipv6-only makes it IPv6 alone)").size(), 1U);
  EXPECT_EQ(daemon.log_lines("not used: descriptor 4: it is not bound").size(), 1U);
  EXPECT_EQ(daemon.log_lines("not used: descriptor 5: SO_TYPE: ").size(), 1U);
  EXPECT_EQ(daemon.log_lines("not used: descriptor 6: it is not bound").size(), 1U);
}

TEST_F(KeptSockets, meant_for_another_process_are_not_taken) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  const std::uint16_t other_port = free_port();
  const Fd other = bound(SOCK_STREAM, other_port);
  DaemonOptions options;
  options.start.environment = {"LISTEN_PID=1", "LISTEN_FDS=1"};
  options.start.in_child = [fd = other.get()] { (void)dup2(fd, 3); };
  Daemon daemon(folder_, options);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.log_lines("service manager").empty());
}

TEST_F(KeptSockets, are_none_of_a_programs_business) {
  const Fd stream = bound(SOCK_STREAM, port_);
  folder_.write("conf.d/world.yaml",
                program_service("world", port_, {program("show_world")}, "passenv: ['*']\n"));
  DaemonOptions options = with_sockets({stream.get()});
  options.start.environment = {"LISTEN_PIDFDID=1"};
  Daemon daemon(folder_, options);
  const std::string world = ask(port_);
  EXPECT_EQ(world.find("LISTEN_"), std::string::npos) << world;
  EXPECT_EQ(world.find("FDSTORE"), std::string::npos) << world;
  EXPECT_NE(world.find("fds 0 1 2\n"), std::string::npos) << world;
}

}  // namespace
}  // namespace xsd::test
