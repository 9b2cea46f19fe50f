// SPDX-License-Identifier: Apache-2.0
//
// `redirect`: what is passed on, to whom, and what becomes of a client when nobody is there; in a worker and
// with `--workers 0`. Names are in redirect_names_test.cc.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::size_t kMuch = std::size_t{16} * 1024 * 1024;

/// One connection at the other end.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Peer& operator=(Peer&&) = delete;

  explicit operator bool() const { return fd_ >= 0; }
  void send(std::string_view text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  void half_close() const { (void)shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) (void)::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger now{1, 0};
    (void)setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  /// What comes next, "" at the end, "reset", or "nothing" at the deadline.
  std::string receive() const {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(kDeadline.count())) <= 0) return "nothing";
    char buffer[4096];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    return got < 0 ? "reset" : std::string(buffer, static_cast<std::size_t>(got));
  }

 private:
  int fd_;
};

/// A server of the test's own.
class Server {
 public:
  explicit Server(std::uint16_t port, int backlog = 16)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    (void)setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, backlog), 0);
  }
  ~Server() { (void)close(fd_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Peer accept() const {
    pollfd ready{fd_, POLLIN, 0};
    const bool is_there = poll(&ready, 1, static_cast<int>(kDeadline.count())) > 0;
    return Peer(is_there ? accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC) : -1);
  }

 private:
  int fd_;
};

class Redirect : public testing::TestWithParam<const char*> {
 protected:
  bool has_workers() const { return std::string_view(GetParam()) != "in_the_daemon"; }
  void SetUp() override {
    folder_.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
    if (!has_workers()) options_.arguments = {"--workers", "0"};
  }
  std::string target() const { return "127.0.0.1:" + std::to_string(target_); }
  void write_front(const std::string& to, const std::string& more = "settings: {retries: 0}\n") const {
    folder_.write("conf.d/front.yaml", "service: front\nredirect: " + yaml_quoted(to) +
                                           "\nlisten: " + tcp(port_) +
                                           "\nlog_on_success: [HOST, EXIT, DURATION, TRAFFIC]\n" + more);
  }
  void write_echo() const {
    folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + tcp(target_) + "\n");
  }
  /// Of whoever passes the connections on.
  std::size_t front_fds(Daemon& daemon) const {
    if (!has_workers()) return settled_fd_count(daemon);
    return fd_count(worker_of(daemon.pid(), "network built-in"));
  }
  bool is_active(Daemon& daemon, std::size_t count) const {
    const std::string text = " active=" + std::to_string(count) + " ";
    return eventually([&] { return contains(daemon.state("state: front:").at(0), text); });
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t target_ = free_port();
  DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

INSTANTIATE_TEST_SUITE_P(, Redirect, testing::Values("in_a_worker", "in_the_daemon"),
                         [](const auto& one) { return one.param; });

// ---- bytes

TEST_P(Redirect, passes_bytes_on_counts_them_and_starts_no_process) {
  write_echo();
  write_front(target());
  Daemon daemon(folder_, options_);
  Client client(port_);
  EXPECT_TRUE(echoes(client, "hello there\n"));
  // While it is connected; a role of ours that has just been started has no name of its own yet.
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid()).empty(); }));
  client.close();
  const auto ends = wait_records(daemon, "front", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("bytes_in"), "12");
  EXPECT_EQ(ends[0].at("bytes_out"), "12");
}

TEST_P(Redirect, gives_the_answer_to_a_client_that_has_ended_its_direction) {
  folder_.write("conf.d/count.yaml", shell_service("count", target_, "cat | wc -c"));
  write_front(target());
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "twelve bytes"), "12\n");
}

TEST_P(Redirect, goes_on_in_one_direction_when_the_server_has_ended_the_other) {
  const Server server(target_);
  write_front(target());
  Daemon daemon(folder_, options_);
  Client client(port_);
  const Peer peer = server.accept();
  ASSERT_TRUE(peer);
  peer.send("bye");
  peer.half_close();
  EXPECT_EQ(client.receive_until_eof(), "bye");
  EXPECT_TRUE(client.send("still here"));
  EXPECT_EQ(peer.receive(), "still here");
  client.half_close();
  EXPECT_EQ(peer.receive(), "");
  EXPECT_THAT(wait_records(daemon, "front", "end", 1), SizeIs(1));
}

TEST_P(Redirect, carries_much_both_ways) {
  std::string text(kMuch, '\0');
  std::uint32_t state = 1;
  std::generate(text.begin(), text.end(), [&state] {
    state = state * 1664525U + 1013904223U;
    return static_cast<char>(state >> 24U);
  });
  const std::string file = folder_.write("much", text).string();
  folder_.write("conf.d/sum.yaml", shell_service("sum", target_, "sha256sum; cat " + file));
  write_front(target());
  Daemon daemon(folder_, options_);
  const std::string sum = run({"/bin/sh", "-c", "sha256sum < " + file}).out;
  Client client(port_, {.deadline = 4 * kDeadline});
  ASSERT_TRUE(client.send(text, 4 * kDeadline));
  client.half_close();
  const std::string got = client.receive_until_eof(4 * kDeadline);
  const std::size_t line = got.find('\n') + 1;
  EXPECT_EQ(got.substr(0, line), sum);
  EXPECT_EQ(got.size() - line, text.size());
  EXPECT_TRUE(got.compare(line, std::string::npos, text) == 0);
  const auto ends = wait_records(daemon, "front", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("bytes_in"), std::to_string(kMuch));
  EXPECT_EQ(ends[0].at("bytes_out"), std::to_string(kMuch + line));
}

TEST_P(Redirect, reaches_unix_sockets) {
  const std::string path = folder_.string("app.sock");
  folder_.write("conf.d/app.yaml",
                "service: app\nplugin: echo\nlisten: [\"unix://" + path + "\", \"unix://@" + path + "\"]\n");
  write_front("unix:" + path);
  const std::uint16_t abstract = free_port();
  folder_.write("conf.d/abstract.yaml",
                "service: abstract\nredirect: \"unix:@" + path + "\"\nlisten: " + tcp(abstract) + "\n");
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  Daemon daemon(folder_, options_);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(echoes(abstract));
}

TEST_P(Redirect, serves_clients_of_a_unix_socket) {
  write_echo();
  const std::string path = folder_.string("front.sock");
  folder_.write("conf.d/front.yaml",
                "service: front\nredirect: \"" + target() + "\"\nlisten: \"unix://" + path + "\"\n");
  Daemon daemon(folder_, options_);
  Client client = Client::to_unix_socket(path);
  EXPECT_TRUE(echoes(client));
}

// ---- ends

TEST_P(Redirect, tells_each_side_when_the_other_is_reset) {
  const Server server(target_);
  write_front(target());
  Daemon daemon(folder_, options_);
  const std::size_t before = front_fds(daemon);
  {
    Client client(port_);
    const Peer peer = server.accept();
    ASSERT_TRUE(client.send("x"));
    EXPECT_EQ(peer.receive(), "x");
    client.reset();
    EXPECT_EQ(peer.receive(), "");
  }
  {
    Client client(port_);
    Peer peer = server.accept();
    ASSERT_TRUE(client.send("x"));
    EXPECT_EQ(peer.receive(), "x");
    peer.reset();
    EXPECT_NE(client.wait_end(), Ending::Open);
  }
  EXPECT_THAT(wait_records(daemon, "front", "end", 2), SizeIs(2));
  EXPECT_TRUE(eventually([&] { return front_fds(daemon) == before; }));
}

TEST_P(Redirect, closes_what_is_idle_if_it_is_asked_to) {
  const Server server(target_);
  write_front(target(), "idle_timeout: 200ms\n");
  Daemon daemon(folder_, options_);
  Client client(port_);
  const Peer peer = server.accept();
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_EQ(peer.receive(), "");
  const auto ends = wait_records(daemon, "front", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("error"), "timeout");
}

TEST_P(Redirect, leaves_no_descriptors_behind) {
  write_echo();
  write_front(target());
  Daemon daemon(folder_, options_);
  ASSERT_TRUE(echoes(port_));
  (void)wait_records(daemon, "front", "end", 1);
  const std::size_t before = front_fds(daemon);
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return front_fds(daemon) == before; }));
}

// ---- reload

TEST_P(Redirect, keeps_its_connections_when_the_target_changes) {
  write_echo();
  write_front(target());
  Daemon daemon(folder_, options_);
  Client old(port_);
  ASSERT_TRUE(echoes(old));
  const std::uint16_t other = free_port();
  const Server server(other);
  write_front("127.0.0.1:" + std::to_string(other));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  Client fresh(port_);
  const Peer peer = server.accept();
  ASSERT_TRUE(fresh.send("new"));
  EXPECT_EQ(peer.receive(), "new");
  EXPECT_TRUE(echoes(old));
}

// ---- nobody is there

TEST_P(Redirect, closes_a_client_and_says_why_once) {
  write_front(target());
  Daemon daemon(folder_, options_);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(ask(port_, "hello"), "");
  EXPECT_THAT(wait_records(daemon, "front", "end", 3), SizeIs(3));
  EXPECT_THAT(
      daemon.log_lines("front: cannot connect to " + target() + ": Connection refused; the client is closed"),
      SizeIs(1));
  EXPECT_THAT(daemon.state("state: front:").at(0), HasSubstr("failed=3"));
  write_echo();
  ASSERT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  EXPECT_TRUE(eventually([&] {
    return echoes(port_) && !daemon.log_lines("front: " + target() + " takes connections again").empty();
  }));
}

TEST_P(Redirect, tries_again_so_that_a_server_that_comes_back_loses_nobody) {
  write_front(target(), "settings: {retries: 30}\n");
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_TRUE(client.send("I can wait"));
  ASSERT_TRUE(is_active(daemon, 1));
  const Server server(target_);
  const Peer peer = server.accept();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer.receive(), "I can wait");
  peer.send("good");
  EXPECT_EQ(client.receive(4), "good");
}

TEST_P(Redirect, waits_no_longer_than_the_connect_timeout) {
  // Its queue is full, so that it answers nobody.
  const Server server(target_, 0);
  const Client first(target_);
  write_front(target(), "settings: {retries: 0, connect_timeout: 300ms}\n");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "hello"), "");
  EXPECT_TRUE(daemon.wait_log("front: cannot connect to " + target() + ": no answer within 300ms"));
}

TEST_P(Redirect, gives_up_a_client_that_goes_meanwhile) {
  const Server server(target_, 0);
  const Client first(target_);
  write_front(target(), "settings: {retries: 0, connect_timeout: 1m}\nidle_timeout: 300ms\n");
  Daemon daemon(folder_, options_);
  const std::size_t before = front_fds(daemon);
  EXPECT_EQ(ask(port_, "hello"), "");
  EXPECT_TRUE(eventually([&] { return front_fds(daemon) == before; }));
}

TEST_P(Redirect, is_stopped_while_clients_wait) {
  write_front(target(), "settings: {retries: 1000}\nstop_timeout: 200ms\n");
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_TRUE(is_active(daemon, 1));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_NE(client.wait_end(), Ending::Open);
}

TEST_P(Redirect, does_not_lead_to_itself) {
  write_front("127.0.0.1:" + std::to_string(port_));
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "hello"), "");
  EXPECT_TRUE(daemon.wait_log("127.0.0.1:" + std::to_string(port_) + " is this service itself"));
  EXPECT_THAT(daemon.state("state: front:"), Contains(HasSubstr(" started=1 ")));
}

TEST_P(Redirect, works_as_an_ordinary_user) {
  if (const std::string why = why_not_as_nobody(); !why.empty()) GTEST_SKIP() << why;
  write_echo();
  write_front("localhost:" + std::to_string(target_));
  folder_.give_to(kNobody, kNobody);
  options_.start.in_child = become_nobody;
  Daemon daemon(folder_, options_);
  EXPECT_TRUE(echoes(port_));
}

// ---- settings

TEST(RedirectSettings, are_checked_at_their_place) {
  TempFolder folder;
  const auto faults = [&folder](const std::string& lines) {
    folder.write("conf.d/front.yaml", "service: front\nlisten: tcp://127.0.0.1:9\n" + lines);
    return run_xsd({"--check", "-c", folder.string("conf.d")}).out;
  };
  EXPECT_THAT(faults("redirect: db:1\nsettings: {retries: 2000, connect_timeout: 2h}\n"),
              testing::AllOf(HasSubstr("front.yaml:4:21: error: 'retries' is at most 1000"),
                             HasSubstr("front.yaml:4:44: error: 'connect_timeout' is more than nothing")));
  EXPECT_THAT(faults("redirect: db:1\nsettings: {retry: 1}\n"), HasSubstr("front.yaml:4:12: error: "));
  EXPECT_THAT(faults("plugin: redirect\n"), HasSubstr("front.yaml:3:9: error: "));
  EXPECT_THAT(faults("plugin: redirect\nsettings: {host: /run/x, port: 1}\n"),
              HasSubstr("a unix socket has no port"));
  EXPECT_THAT(faults("plugin: redirect\nsettings: {host: db}\n"), HasSubstr("'port' is missing"));
  EXPECT_THAT(faults("plugin: redirect\nsettings: {host: db, port: 70000}\n"),
              HasSubstr("the port is not in 1 to 65535"));
}

// ---- the process

TEST(RedirectWorker, alone_may_make_sockets) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t front = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/front.yaml", "service: front\nredirect: \"127.0.0.1:" + std::to_string(port) +
                                        "\"\nlisten: " + tcp(front) + "\n");
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(front));
  const pid_t one = worker_of(daemon.pid(), "built-in");
  const pid_t other = worker_of(daemon.pid(), "network built-in");
  EXPECT_GT(one, 0);
  EXPECT_GT(other, 0);
  EXPECT_NE(one, other);
  EXPECT_EQ(status_field(other, "Seccomp"), "2");
  folder.remove("conf.d/front.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(eventually([&] { return worker_of(daemon.pid(), "network built-in") == 0; }));
}

TEST(RedirectWorker, is_replaced_when_it_dies) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t front = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/front.yaml", "service: front\nredirect: \"127.0.0.1:" + std::to_string(port) +
                                        "\"\nlisten: " + tcp(front) + "\nshards: 2\n");
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(front));
  for (const pid_t shard : roles_of(daemon.pid(), "worker"))
    (void)kill(shard, SIGKILL);
  EXPECT_TRUE(eventually([&] { return echoes(front); }));
}

}  // namespace
}  // namespace xsd::test
