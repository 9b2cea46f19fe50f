// SPDX-License-Identifier: Apache-2.0
//
// lingering: a program that answers without reading what its client sends does not reset the connection, and
// its client sees the end when its main process ends.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Each;

constexpr std::size_t kRequests = 200;
// As the health checks that are written for databases: the request is not read, its end is the connection's.
constexpr std::string_view kAnswer = R"(printf 'HTTP/1.0 200 OK\r\n\r\nfine\n')";

class Lingering : public testing::Test {
 protected:
  void write(std::string_view script, std::string_view more) const {
    folder_.write("conf.d/prog.yaml",
                  program_on("prog", {tcp(port_)}, {"/bin/sh", "-c", std::string(script)}, more));
  }
  /// The exit status of each of 200 requests.
  std::vector<std::string> request(const std::vector<std::string>& more) const {
    std::vector<std::string> argv{find_program("curl"), "-s", "-o", "/dev/null", "-w", "%{exitcode}\n"};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.push_back("http://127.0.0.1:" + std::to_string(port_) + "/[1-" + std::to_string(kRequests) + "]");
    return split_lines(run(argv, {}, Milliseconds(90000)).out);
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

TEST_F(Lingering, resets_nobody_who_is_answered_unread) {
  if (const std::string why = why_missing({"curl"}); !why.empty()) GTEST_SKIP() << why;
  write(kAnswer, "lingering: 2s\n");
  Daemon daemon(folder_);
  const std::size_t before = settled_fd_count(daemon);
  const auto plain = request({});
  EXPECT_EQ(plain.size(), kRequests);
  EXPECT_THAT(plain, Each("0"));
  folder_.write("body", std::string(std::size_t{256} * 1024, 'x'));
  const auto posted = request({"-H", "Expect:", "--data-binary", "@" + folder_.string("body")});
  EXPECT_EQ(posted.size(), kRequests);
  EXPECT_THAT(posted, Each("0"));
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before; }));
}

TEST_F(Lingering, is_what_keeps_them_from_it) {
  if (const std::string why = why_missing({"curl"}); !why.empty()) GTEST_SKIP() << why;
  write(kAnswer, "");
  Daemon daemon(folder_);
  const auto statuses = request({});
  const auto failed = std::count_if(statuses.begin(), statuses.end(), [](const auto& s) { return s != "0"; });
  RecordProperty("resets", static_cast<int>(failed));
  EXPECT_GT(failed, 0);
}

TEST_F(Lingering, shows_the_end_of_the_main_process) {
  write("sleep 60 & echo $! > '" + folder_.string("member") + "'; echo done", "lingering: 5s\n");
  Daemon daemon(folder_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  EXPECT_EQ(client.receive_until_eof(), "done\n");
  EXPECT_EQ(client.ending(), Ending::Closed);
  EXPECT_LE(elapsed(begin), Milliseconds(4000));
  const pid_t member = std::atoi(folder_.read("member").c_str());
  EXPECT_TRUE(is_alive(member)) << "it still has the connection";
  if (member > 1) (void)kill(member, SIGKILL);
}

TEST_F(Lingering, is_over_when_its_time_is) {
  write("echo done", "lingering: 500ms\n");
  Daemon daemon(folder_);
  const std::size_t before = settled_fd_count(daemon);
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  EXPECT_EQ(client.receive_until_eof(), "done\n");
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before; }));
  EXPECT_GE(elapsed(begin), Milliseconds(500));
  // Nobody is there any more: the first text is answered by a reset.
  EXPECT_TRUE(eventually([&] { return !client.send("x"); }));
}

TEST_F(Lingering, takes_no_slot_of_the_service) {
  write("echo done", "lingering: 1h\ninstances: 1\n");
  Daemon daemon(folder_);
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(port_);
    EXPECT_EQ(clients.back().receive_until_eof(), "done\n");
    EXPECT_TRUE(eventually([&] { return contains(daemon.state("state: prog:").back(), " active=0 "); }));
  }
  EXPECT_EQ(records(daemon, "prog", "refuse").size(), 0U);
}

TEST_F(Lingering, has_a_bound_and_closes_the_oldest) {
  constexpr std::size_t kDescriptors = 200;
  write("echo done", "lingering: 1h\n");
  DaemonOptions options;
  options.start.in_child = [] {
    const rlimit few{kDescriptors, kDescriptors};
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) _exit(1);
  };
  Daemon daemon(folder_, options);
  const std::size_t before = settled_fd_count(daemon);
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kDescriptors / 4 + 20; ++i) {
    clients.emplace_back(port_);
    EXPECT_EQ(clients.back().receive_until_eof(), "done\n");
  }
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before + kDescriptors / 4; }));
  EXPECT_TRUE(eventually([&] { return !clients.front().send("x"); })) << "it is closed";
  EXPECT_TRUE(clients.back().send("x"));
  EXPECT_TRUE(clients.back().send("x"));
}

TEST_F(Lingering, outlives_the_service) {
  write("echo done", "lingering: 1h\n");
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_EQ(client.receive_until_eof(), "done\n");
  folder_.remove("conf.d/prog.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), testing::HasSubstr("stopped 1"));
  const std::size_t before = settled_fd_count(daemon);
  EXPECT_TRUE(client.send("still read\n"));
  EXPECT_TRUE(client.send("still read\n"));
  client.close();
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before - 1; }));
}

TEST_F(Lingering, waits_for_the_end_of_a_unix_client) {
  folder_.make_folder("run");
  const std::string path = folder_.string("run/socket");
  folder_.write("conf.d/prog.yaml",
                program_on("prog", {"unix://" + path}, {"/bin/sh", "-c", "echo done"}, "lingering: 1h\n"));
  Daemon daemon(folder_);
  const std::size_t before = settled_fd_count(daemon);
  for (int i = 0; i < 5; ++i) {
    Client client = Client::to_unix_socket(path);
    (void)client.send("not read by anybody\n");
    EXPECT_EQ(client.receive_until_eof(), "done\n");
    EXPECT_EQ(client.ending(), Ending::Closed);
    client.close();
    EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before; }));
  }
}

// The daemon tells the kernel to drop what comes; it does not read it.
TEST_F(Lingering, reads_nothing) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  write("echo done", "lingering: 1h\n");
  DaemonOptions options;
  options.start.strace = {"-e", "trace=recvfrom", "-s", "64"};
  Daemon daemon(folder_, options);
  Client client(port_);
  EXPECT_EQ(client.receive_until_eof(), "done\n");
  EXPECT_TRUE(client.send("a secret of the client's\n"));
  client.close();
  EXPECT_TRUE(eventually([&] { return contains(daemon.strace_text(), "MSG_TRUNC"); }));
  daemon.end_tracing();
  EXPECT_FALSE(contains(daemon.strace_text(), "secret"));
}

class LingeringWith : public Lingering, public testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(, LingeringWith, testing::Values("epoll", "poll", "select"),
                         [](const auto& parameter) { return parameter.param; });

TEST_P(LingeringWith, any_poller_drains) {
  write(kAnswer, "lingering: 5s\n");
  DaemonOptions options;
  options.arguments = {"--poller", GetParam()};
  Daemon daemon(folder_, options);
  const std::size_t before = settled_fd_count(daemon);
  for (int i = 0; i < 10; ++i) {
    Client client(port_);
    EXPECT_TRUE(client.send(std::string(std::size_t{1} << 20, 'x')));
    EXPECT_EQ(client.receive_until_eof(), "HTTP/1.0 200 OK\r\n\r\nfine\n");
    EXPECT_EQ(client.ending(), Ending::Closed);
  }
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before; }));
}

}  // namespace
}  // namespace xsd::test
