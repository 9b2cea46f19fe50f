// SPDX-License-Identifier: Apache-2.0
//
// `wait` services: one instance for each socket, which has the socket until it ends; then the daemon watches
// again. What ends at once, or leaves what it was started for, is started ever more seldom (row dgm_3 of
// reliability.md).
#include <csignal>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kWait = "wait: true\n";
constexpr const char* kLoop = "accept_loop";
constexpr const char* kWorld = "wait_world";

class Wait : public testing::Test {
 protected:
  void write(const std::vector<std::string>& endpoints, const std::vector<std::string>& argv,
             const std::string& more = "") const {
    folder_.write("conf.d/server.yaml", program_on("server", endpoints, argv, kWait + more));
  }
  std::vector<std::string> world() const { return {program(kWorld), folder_.string("world")}; }
  std::vector<std::string> loop(const char* idle = "60000") const { return {program(kLoop), idle}; }
  /// The pid of the instance that answers a client.
  static pid_t ask_pid(std::uint16_t port) { return pid_of(ask(port)); }
  static pid_t ask_pid_udp(std::uint16_t port, std::string_view text = "hello") {
    UdpClient client(port);
    if (!client.send(text)) return 0;
    const std::string reply = client.receive().value_or("");
    EXPECT_THAT(reply, testing::EndsWith(": " + std::string(text)));
    return pid_of(reply);
  }
  void expect_wait_world(const std::string& type, const std::string& listening) {
    World world = parse_world(folder_.read("world"));
    EXPECT_EQ(world["fds"], "0 1 2 3");
    EXPECT_EQ(world["blocking"], "0 1 2 3");
    for (const char* const fd : {"inode1", "inode2", "inode3"})
      EXPECT_EQ(world[fd], world["inode0"]);
    EXPECT_EQ(world["type"], type);
    EXPECT_EQ(world["listening"], listening);
    EXPECT_EQ(world["pgid"], world["pid"]);
    EXPECT_EQ(world["sid"], world["pid"]);
    EXPECT_EQ(world.environment["LISTEN_FDS"], "1");
    EXPECT_EQ(world.environment["LISTEN_PID"], world["pid"]);
    EXPECT_EQ(world.environment["LISTEN_FDNAMES"], "server");
    EXPECT_EQ(world.environment["XSD_SERVICE"], "server");
    for (const char* const name :
         {"REMOTE_HOST", "REMOTE_ADDR", "REMOTE_PORT", "TCPREMOTEIP", "TCPREMOTEPORT"})
      EXPECT_FALSE(world.environment.contains(name)) << name;
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

TEST_F(Wait, gives_the_listening_socket_to_one_instance) {
  write({tcp(port_)}, world());
  Daemon daemon(folder_);
  EXPECT_GT(ask_pid(port_), 0);
  expect_wait_world(std::to_string(SOCK_STREAM), "1");
  World world = parse_world(folder_.read("world"));
  EXPECT_EQ(world.environment["SERVER_ADDR"], "127.0.0.1");
  EXPECT_EQ(world.environment["SERVER_PORT"], std::to_string(port_));
  EXPECT_EQ(world.environment["PROTO"], "TCP");
}

TEST_F(Wait, gives_the_udp_socket_to_one_instance) {
  write({udp(port_)}, world());
  Daemon daemon(folder_);
  EXPECT_GT(ask_pid_udp(port_), 0);
  expect_wait_world(std::to_string(SOCK_DGRAM), "0");
  World world = parse_world(folder_.read("world"));
  EXPECT_EQ(world.environment["PROTO"], "UDP");
  EXPECT_EQ(world.environment["SERVER_PORT"], std::to_string(port_));
  EXPECT_FALSE(world.environment.contains("TCPLOCALPORT"));
}

TEST_F(Wait, gives_unix_datagram_and_packet_sockets_too) {
  const std::string datagrams = folder_.string("datagrams");
  const std::string packets = folder_.string("packets");
  write({"unix-dgram://" + datagrams}, world());
  folder_.write("conf.d/packets.yaml", program_on("packets", {"unix-seqpacket://" + packets}, loop(), kWait));
  Daemon daemon(folder_);
  for (int i = 0; i < 2; ++i) {
    UnixClient client(SOCK_DGRAM, datagrams);
    ASSERT_TRUE(client.connected());
    EXPECT_TRUE(client.send("hello"));
    const std::string reply = client.receive();
    EXPECT_GT(pid_of(reply), 0);
    EXPECT_THAT(reply, testing::EndsWith(": hello"));
    if (i > 0) break;
    expect_wait_world(std::to_string(SOCK_DGRAM), "0");
    EXPECT_EQ(parse_world(folder_.read("world")).environment["SERVER_ADDR"], datagrams);
  }
  pid_t first = 0;
  for (int i = 0; i < 2; ++i) {
    UnixClient client(SOCK_SEQPACKET, packets);
    ASSERT_TRUE(client.connected());
    const pid_t pid = pid_of(client.receive());
    EXPECT_GT(pid, 0);
    EXPECT_EQ(first == 0 ? pid : first, pid);
    first = pid;
  }
}

TEST_F(Wait, serves_all_clients_by_the_same_instance) {
  write({tcp(port_)}, loop());
  Daemon daemon(folder_);
  // Nobody came yet; a role of ours that has just been started has no name of its own.
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid()).empty(); }));
  const pid_t pid = ask_pid(port_);
  ASSERT_GT(pid, 0);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(ask_pid(port_), pid);
  EXPECT_THAT(children_of(daemon.pid()), testing::ElementsAre(pid));
  EXPECT_THAT(wait_records(daemon, "server", "start", 1), SizeIs(1));
}

TEST_F(Wait, serves_all_datagrams_by_the_same_instance) {
  write({udp(port_)}, loop());
  Daemon daemon(folder_);
  const pid_t pid = ask_pid_udp(port_, "first");
  ASSERT_GT(pid, 0);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(ask_pid_udp(port_, "number " + std::to_string(i)), pid);
  EXPECT_EQ(ask_pid_udp(port_, ""), pid);
  EXPECT_EQ(ask_pid_udp(port_, std::string(20000, 'x')), pid);
  EXPECT_THAT(children_of(daemon.pid()), testing::ElementsAre(pid));
}

TEST_F(Wait, runs_one_instance_for_each_socket) {
  const std::uint16_t other = free_port();
  write({tcp(port_), tcp(other)}, loop());
  Daemon daemon(folder_);
  const pid_t one = ask_pid(port_);
  const pid_t two = ask_pid(other);
  ASSERT_GT(one, 0);
  ASSERT_GT(two, 0);
  EXPECT_NE(one, two);
  EXPECT_EQ(ask_pid(port_), one);
  EXPECT_EQ(ask_pid(other), two);
}

TEST_F(Wait, does_not_watch_the_socket_while_it_is_served) {
  const Barrier barrier(folder_ / "barrier");
  write({tcp(port_)}, {program("hold"), barrier.path()}, "stderr: \"null\"\n");  // accepts nobody
  const std::uint16_t echo = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder_);
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i)
    clients.emplace_back(port_);
  (void)wait_records(daemon, "server", "start", 1);
  const auto before = cpu_time(daemon.pid());
  EXPECT_TRUE(holds_for(Milliseconds(300), [&] { return children_of(daemon.pid()).size() == 1; }));
  EXPECT_LE(cpu_time(daemon.pid()) - before, Milliseconds(50));
  EXPECT_TRUE(echoes(echo));
  EXPECT_THAT(wait_records(daemon, "server", "start", 1), SizeIs(1));
  EXPECT_THAT(daemon.state("server"), Contains(ContainsRegex("waiting|listening")));
}

TEST_F(Wait, watches_again_after_the_instance_has_ended) {
  write({tcp(port_)}, loop("1"));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= 5; ++i) {
    EXPECT_GT(ask_pid(port_), 0);
    (void)wait_records(daemon, "server", "end", i);
  }
  const auto ends = records(daemon, "server", "end");
  EXPECT_THAT(ends, SizeIs(5));
  for (const Record& end : ends)
    EXPECT_EQ(end.at("exit"), "0");
  EXPECT_THAT(children_of(daemon.pid(), true), IsEmpty());
}

TEST_F(Wait, watches_the_udp_socket_again_after_the_instance_has_ended) {
  write({udp(port_)}, loop("1"));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= 5; ++i) {
    EXPECT_GT(ask_pid_udp(port_), 0);
    (void)wait_records(daemon, "server", "end", i);
  }
}

TEST_F(Wait, serves_many_clients_by_instances_that_serve_one_each) {
  constexpr std::size_t kClients = 50;
  write({tcp(port_)}, world());
  Daemon daemon(folder_);
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    clients.emplace_back(port_);
  std::set<pid_t> pids;
  for (Client& client : clients)
    pids.insert(pid_of(client.receive_line()));
  EXPECT_THAT(pids, SizeIs(kClients));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(Wait, serves_equal_datagrams_by_instances_that_serve_one_each) {
  constexpr std::size_t kDatagrams = 20;
  write({udp(port_)}, world());
  Daemon daemon(folder_);
  UdpClient client(port_);
  for (std::size_t i = 0; i < kDatagrams; ++i)
    EXPECT_TRUE(client.send("the same"));
  std::set<pid_t> pids;
  for (std::size_t i = 0; i < kDatagrams; ++i)
    pids.insert(pid_of(client.receive().value_or("")));
  EXPECT_THAT(pids, SizeIs(kDatagrams));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(Wait, serves_equal_datagrams_of_a_unix_socket_by_instances_that_serve_one_each) {
  constexpr std::size_t kDatagrams = 20;
  const std::string path = folder_.string("datagrams");
  write({"unix-dgram://" + path}, world());
  Daemon daemon(folder_);
  UnixClient client(SOCK_DGRAM, path);
  for (std::size_t i = 0; i < kDatagrams; ++i)
    EXPECT_TRUE(client.send("the same"));
  std::set<pid_t> pids;
  for (std::size_t i = 0; i < kDatagrams; ++i)
    pids.insert(pid_of(client.receive()));
  EXPECT_THAT(pids, SizeIs(kDatagrams));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

// There is always somebody in the queue when a server ends.
TEST_F(Wait, serves_many_clients_of_a_unix_socket_by_instances_that_serve_one_each) {
  constexpr std::size_t kClients = 50;
  const std::string path = folder_.string("socket");
  write({"unix://" + path}, world());
  Daemon daemon(folder_);
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    clients.push_back(Client::to_unix_socket(path));
  std::set<pid_t> pids;
  for (Client& client : clients)
    pids.insert(pid_of(client.receive_line()));
  EXPECT_THAT(pids, SizeIs(kClients));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(Wait, starts_another_instance_when_one_was_killed) {
  write({tcp(port_)}, loop());
  Daemon daemon(folder_);
  const pid_t one = ask_pid(port_);
  ASSERT_GT(one, 0);
  EXPECT_EQ(kill(one, SIGKILL), 0);
  const auto ends = wait_records(daemon, "server", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("signal"), "9");
  const pid_t two = ask_pid(port_);
  EXPECT_GT(two, 0);
  EXPECT_NE(two, one);
}

// ---- servers that fail

TEST_F(Wait, starts_a_server_that_fails_at_once_ever_more_seldom) {
  folder_.write("server", "#!/bin/sh\nexit 1\n");
  std::filesystem::permissions(folder_ / "server", std::filesystem::perms(0755));
  write({tcp(port_)}, {folder_.string("server")});
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(daemon.wait_log("pausing 2s"));
  EXPECT_THAT(records(daemon, "server", "start"), SizeIs(2));
  std::filesystem::remove(folder_ / "server");
  (void)copy_program(folder_, kLoop, "server");
  EXPECT_GT(pid_of(client.receive_line()), 0) << "the client was lost";
}

TEST_F(Wait, starts_a_server_that_accepts_nobody_not_without_end) {
  folder_.write("server", "#!/bin/sh\nexit 0\n");
  std::filesystem::permissions(folder_ / "server", std::filesystem::perms(0755));
  write({tcp(port_)}, {folder_.string("server")});
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(daemon.wait_log("pausing 1s"));
  const std::size_t starts = records(daemon, "server", "start").size();
  EXPECT_LE(starts, 10U);
  EXPECT_TRUE(daemon.wait_log("pausing 2s"));
  EXPECT_EQ(records(daemon, "server", "start").size(), starts + 1);
  std::filesystem::remove(folder_ / "server");
  (void)copy_program(folder_, kLoop, "server");
  EXPECT_GT(pid_of(client.receive_line()), 0) << "the client was lost";
}

TEST_F(Wait, starts_a_server_that_accepts_nobody_from_a_unix_socket_not_without_end) {
  const std::string path = folder_.string("socket");
  write({"unix://" + path}, {"/bin/true"});
  Daemon daemon(folder_);
  const Client client = Client::to_unix_socket(path);
  EXPECT_TRUE(daemon.wait_log("pausing 1s"));
  EXPECT_LE(records(daemon, "server", "start").size(), 10U);
  EXPECT_TRUE(daemon.wait_log("pausing 2s"));
}

// Who comes again at once is in the queue before the end of the server that served it before is seen.
TEST_F(Wait, never_pauses_for_a_client_that_comes_again_at_once) {
  write({tcp(port_)}, world());
  Daemon daemon(folder_);
  Client client(port_);
  for (int i = 0; i < 40; ++i) {
    EXPECT_GT(pid_of(client.receive_line()), 0);
    client = Client(port_);
  }
  EXPECT_GT(pid_of(client.receive_line()), 0);
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

// dgm_3.
TEST_F(Wait, drops_a_datagram_that_was_left_unread_again_and_again) {
  folder_.write("server", "#!/bin/sh\nexit 0\n");
  std::filesystem::permissions(folder_ / "server", std::filesystem::perms(0755));
  write({udp(port_)}, {folder_.string("server")});
  const std::uint16_t echo = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder_);
  UdpClient client(port_);
  EXPECT_TRUE(client.send("poison"));
  EXPECT_TRUE(daemon.wait_log("it is dropped"));
  EXPECT_TRUE(daemon.wait_log("error: server: ", 3));
  EXPECT_THAT(records(daemon, "server", "start"), SizeIs(3));
  for (const char* const pause : {"pausing 1s", "pausing 2s", "pausing 4s"})
    EXPECT_THAT(daemon.log_lines(pause), SizeIs(1));
  EXPECT_TRUE(echoes(echo));

  // Repaired, it serves the next one, and only that, as soon as the pause is over.
  std::filesystem::remove(folder_ / "server");
  (void)copy_program(folder_, kLoop, "server");
  EXPECT_TRUE(client.send("next"));
  EXPECT_THAT(client.receive().value_or(""), testing::EndsWith(": next"));
}

TEST_F(Wait, gives_a_repaired_server_what_it_missed) {
  const std::string path = copy_program(folder_, kLoop, "server");
  const std::uint16_t stream = free_port();
  write({udp(port_)}, {path});
  folder_.write("conf.d/stream.yaml", program_on("stream", {tcp(stream)}, {path}, kWait));
  Daemon daemon(folder_);
  folder_.remove("server");
  UdpClient datagrams(port_);
  EXPECT_TRUE(datagrams.send("kept"));
  Client client(stream);
  for (const char* const name : {"server", "stream"}) {
    const auto ends = wait_records(daemon, name, "end", 1);
    ASSERT_FALSE(ends.empty());
    EXPECT_EQ(ends[0].at("error"), "exec " + path + ": No such file or directory");
    EXPECT_THAT(records(daemon, name, "start"), IsEmpty());
  }
  EXPECT_EQ(client.ending(), Ending::Open);
  (void)copy_program(folder_, kLoop, "server");
  (void)daemon.hup_and_wait();
  EXPECT_GT(pid_of(client.receive_line()), 0);
  EXPECT_THAT(datagrams.receive().value_or(""), testing::EndsWith(": kept"));
}

// ---- servers that leave the socket in a bad state

class WaitSpoiled : public Wait {
 protected:
  static std::vector<std::string> spoil(const char* how) { return {program("spoil_socket"), how}; }
  /// That the daemon has nothing to do any more.
  static void expect_quiet(const Daemon& daemon) {
    const auto before = cpu_time(daemon.pid());
    EXPECT_TRUE(holds_for(Milliseconds(300), [&] { return children_of(daemon.pid()).empty(); }));
    EXPECT_LE(cpu_time(daemon.pid()) - before, Milliseconds(50));
  }
  static constexpr std::size_t kClients = 5;
};

TEST_F(WaitSpoiled, a_port_that_was_shut_down_listens_again) {
  write({tcp(port_)}, spoil("shutdown"));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= kClients; ++i) {
    EXPECT_GT(ask_pid(port_), 0);
    EXPECT_TRUE(daemon.wait_log("open again", i));
  }
  expect_quiet(daemon);
  EXPECT_THAT(records(daemon, "server", "start"), SizeIs(kClients));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(WaitSpoiled, a_udp_port_that_was_shut_down_is_opened_again) {
  write({udp(port_)}, spoil("shutdown"));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= kClients; ++i) {
    EXPECT_GT(ask_pid_udp(port_), 0);
    EXPECT_TRUE(daemon.wait_log("open again", i));
  }
  expect_quiet(daemon);
  EXPECT_THAT(records(daemon, "server", "start"), SizeIs(kClients));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(WaitSpoiled, unix_sockets_that_were_shut_down_are_opened_again) {
  const std::string datagrams = folder_.string("datagrams");
  const std::string packets = folder_.string("packets");
  const std::string stream = folder_.string("stream");
  write({"unix-dgram://" + datagrams}, spoil("shutdown"));
  folder_.write(
      "conf.d/streams.yaml",
      program_on("streams", {"unix-seqpacket://" + packets, "unix://" + stream}, spoil("shutdown"), kWait));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= kClients; ++i) {
    UnixClient one(SOCK_DGRAM, datagrams);
    EXPECT_TRUE(one.send("hello"));
    EXPECT_GT(pid_of(one.receive()), 0);
    UnixClient two(SOCK_SEQPACKET, packets);
    EXPECT_GT(pid_of(two.receive()), 0);
    EXPECT_GT(pid_of(Client::to_unix_socket(stream).receive_line()), 0);
    EXPECT_TRUE(daemon.wait_log("open again", 3 * i));
  }
  expect_quiet(daemon);
  EXPECT_THAT(records(daemon, "server", "start"), SizeIs(kClients));
  EXPECT_THAT(records(daemon, "streams", "start"), SizeIs(2 * kClients));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
  EXPECT_EQ(daemon.stop(), 0);
  for (const std::string& path : {datagrams, packets, stream})
    EXPECT_FALSE(std::filesystem::exists(path)) << path;
}

TEST_F(WaitSpoiled, a_socket_that_cannot_be_opened_again_is_told_of_and_tried_later) {
  folder_.make_folder("place");
  const std::string path = folder_.string("place/socket");
  write({"unix://" + path}, {program("spoil_socket"), "shutdown"});
  Daemon daemon(folder_);
  std::filesystem::rename(folder_ / "place", folder_ / "away");
  Client client = Client::to_unix_socket(folder_.string("away/socket"));
  EXPECT_GT(pid_of(client.receive_line()), 0);
  EXPECT_TRUE(daemon.wait_log("pausing 1s"));
  EXPECT_THAT(daemon.log_lines("pausing 1s"),
              ElementsAre(HasSubstr("has shut unix://" + path + " down: bind")));
  EXPECT_THAT(daemon.state("server"), Contains(HasSubstr("paused")));
  folder_.make_folder("place");
  EXPECT_TRUE(daemon.wait_log("open again"));
  EXPECT_GT(pid_of(Client::to_unix_socket(path).receive_line()), 0);
}

TEST_F(WaitSpoiled, a_socket_that_was_connected_hears_others_again) {
  const std::string path = folder_.string("datagrams");
  write({udp(port_), "unix-dgram://" + path}, spoil("connect"));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= kClients; ++i) {
    EXPECT_GT(ask_pid_udp(port_), 0);
    UnixClient client(SOCK_DGRAM, path);
    EXPECT_TRUE(client.send("hello"));
    EXPECT_GT(pid_of(client.receive()), 0);
    (void)wait_records(daemon, "server", "end", 2 * i);
  }
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

TEST_F(WaitSpoiled, errors_that_a_server_has_collected_wake_nobody) {
  write({udp(port_)}, spoil("errors"));
  Daemon daemon(folder_);
  for (std::size_t i = 1; i <= kClients; ++i) {
    EXPECT_GT(ask_pid_udp(port_), 0);
    (void)wait_records(daemon, "server", "end", i);
  }
  expect_quiet(daemon);
  EXPECT_THAT(records(daemon, "server", "start"), SizeIs(kClients));
  EXPECT_THAT(daemon.log_lines("pausing"), IsEmpty());
}

// ---- reloads

TEST_F(Wait, keeps_its_instance_when_only_limits_change) {
  write({tcp(port_)}, loop());
  Daemon daemon(folder_);
  const pid_t pid = ask_pid(port_);
  ASSERT_GT(pid, 0);
  write({tcp(port_)}, loop(), "instances: 7\nnice: 3\nrlimit_core: 0\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(ask_pid(port_), pid);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
  EXPECT_EQ(ask_pid(port_), pid);
  // The next one follows the new definition.
  EXPECT_EQ(kill(pid, SIGTERM), 0);
  (void)wait_records(daemon, "server", "end", 1);
  const pid_t next = ask_pid(port_);
  EXPECT_NE(next, pid);
  EXPECT_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(next)), getpriority(PRIO_PROCESS, 0) + 3);
}

TEST_F(Wait, ends_its_instance_when_the_socket_changes) {
  write({tcp(port_)}, loop());
  Daemon daemon(folder_);
  const pid_t pid = ask_pid(port_);
  ASSERT_GT(pid, 0);
  const std::uint16_t other = free_port();
  write({tcp(other)}, loop());
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  const auto ends = wait_records(daemon, "server", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("pid"), std::to_string(pid));
  EXPECT_EQ(ends[0].at("signal"), "15");
  EXPECT_TRUE(is_refused(port_));
  const pid_t next = ask_pid(other);
  EXPECT_GT(next, 0);
  EXPECT_NE(next, pid);
}

TEST_F(Wait, ends_only_the_instance_whose_socket_went) {
  const std::uint16_t other = free_port();
  write({tcp(port_), tcp(other)}, loop());
  Daemon daemon(folder_);
  const pid_t one = ask_pid(port_);
  const pid_t two = ask_pid(other);
  write({tcp(port_)}, loop());
  (void)daemon.hup_and_wait();
  const auto ends = wait_records(daemon, "server", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("pid"), std::to_string(two));
  EXPECT_EQ(ask_pid(port_), one);
}

TEST_F(Wait, ends_its_instance_when_the_service_is_removed_or_disabled) {
  write({tcp(port_)}, loop());
  Daemon daemon(folder_);
  EXPECT_GT(ask_pid(port_), 0);
  write({tcp(port_)}, loop(), "disable: yes\n");
  (void)daemon.hup_and_wait();
  (void)wait_records(daemon, "server", "end", 1);
  EXPECT_TRUE(eventually([&] { return is_refused(port_); }));
  write({tcp(port_)}, loop());
  (void)daemon.hup_and_wait();
  EXPECT_GT(ask_pid(port_), 0);
  folder_.remove("conf.d/server.yaml");
  (void)daemon.hup_and_wait();
  (void)wait_records(daemon, "server", "end", 2);
  EXPECT_TRUE(eventually([&] { return is_refused(port_); }));
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).empty(); }));
}

TEST_F(Wait, becomes_a_service_of_one_program_for_each_connection_and_back) {
  write({tcp(port_)}, loop());
  Daemon daemon(folder_);
  const pid_t pid = ask_pid(port_);
  ASSERT_GT(pid, 0);
  folder_.write("conf.d/server.yaml", program_on("server", {tcp(port_)}, {"/bin/echo", "each"}));
  (void)daemon.hup_and_wait();
  (void)wait_records(daemon, "server", "end", 1);
  EXPECT_EQ(ask(port_), "each\n");
  EXPECT_EQ(ask(port_), "each\n");
  write({tcp(port_)}, loop());
  (void)daemon.hup_and_wait();
  const pid_t again = ask_pid(port_);
  EXPECT_GT(again, 0);
  EXPECT_EQ(ask_pid(port_), again);
}

}  // namespace
}  // namespace xsd::test
