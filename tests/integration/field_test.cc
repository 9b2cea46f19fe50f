// SPDX-License-Identifier: Apache-2.0
//
// Two stories from the field, replayed with the shipped files, on the real ports of a network of our own.
// (a) A telnet service as xinetd's users write it, with a real telnetd: who has which descriptors, sessions
//     and groups. (b) Echo disabled and telnet enabled in the files, then HUP: who is closed, who is
//     unharmed, and how the signal arrives.
#include <algorithm>
#include <csignal>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::uint16_t kEcho = 7;
constexpr std::uint16_t kTelnet = 23;
constexpr char kTelnetCommand = '\xff';  // "interpret as command": with this telnetd begins

class Field : public testing::Test {
 protected:
  void SetUp() override {
    if (!network_.why_not().empty()) GTEST_SKIP() << network_.why_not();
    if (const std::string why = why_missing({"telnetd"}); !why.empty()) GTEST_SKIP() << why;
    if (getservbyname("telnet", "tcp") == nullptr) GTEST_SKIP() << "no telnet in /etc/services (netbase)";
  }

  OwnNetwork network_;
  TempFolder folder_;
};

/// The name of the listening socket of a port, of IPv4 (first) and IPv6.
std::vector<std::string> listening_sockets(std::uint16_t port) {
  std::vector<std::string> names;
  for (const TcpSocket& socket : tcp_sockets()) {
    if (socket.listening && socket.local_port == port) names.push_back(socket.name);
  }
  return names;
}

/// The name of the server's end of a connection.
std::string server_end(const Client& client, std::uint16_t port) {
  for (const TcpSocket& socket : tcp_sockets()) {
    if (socket.local_port == port && socket.remote_port == client.local_port()) return socket.name;
  }
  return {};
}

/// Everybody who has this file open.
std::vector<pid_t> holders(const std::string& name) {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const std::string text = entry.path().filename().string();
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
    const auto pid = static_cast<pid_t>(std::stol(text));
    const auto fds = open_fds(pid);
    if (std::any_of(fds.begin(), fds.end(), [&](const auto& fd) { return fd.second == name; }))
      pids.push_back(pid);
  }
  return pids;
}

bool has_signal(pid_t pid, const std::string& mask, int signal) {
  constexpr int kHex = 16;
  return (std::stoull(status_field(pid, mask), nullptr, kHex) >> (signal - 1) & 1) != 0;
}

// (a)
TEST_F(Field, telnet_gives_each_client_a_process_of_its_own) {
  constexpr std::size_t kClients = 2;
  folder_.write("conf.d/telnet.yaml", recipe("telnet.yaml"));
  Daemon daemon(folder_);
  Client clients[kClients]{Client(kTelnet), Client(kTelnet)};
  for (Client& client : clients) {
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.receive(1), std::string(1, kTelnetCommand));
  }
  const std::vector<pid_t> children = children_of(daemon.pid());
  ASSERT_EQ(children.size(), kClients);
  for (const Client& client : clients) {
    const std::string connection = server_end(client, kTelnet);
    ASSERT_FALSE(connection.empty());
    const std::vector<pid_t> owners = holders(connection);
    ASSERT_EQ(owners.size(), 1U) << "nobody else has the connection, the daemon neither";
    const pid_t child = owners[0];
    EXPECT_EQ(std::count(children.begin(), children.end(), child), 1);
    EXPECT_EQ(getsid(child), child);
    EXPECT_EQ(getpgid(child), child);
    EXPECT_EQ(fs::read_symlink("/proc/" + std::to_string(child) + "/exe").filename(), "telnetd");
    EXPECT_EQ(status_field(child, "Uid"), "0\t0\t0\t0");
    const auto fds = open_fds(child);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      EXPECT_EQ(fds.at(standard), connection);
  }
  const std::vector<std::string> listening = listening_sockets(kTelnet);
  EXPECT_EQ(listening.size(), 2U) << "0.0.0.0 and [::]";
  for (const std::string& socket : listening)
    EXPECT_EQ(holders(socket), std::vector<pid_t>{daemon.pid()});
  EXPECT_EQ(daemon.log_lines("telnet: start ").size(), kClients);

  clients[0].close();
  EXPECT_TRUE(daemon.wait_log("telnet: end "));
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).size() == 1; }));
  EXPECT_EQ(Client(kTelnet).receive(1), std::string(1, kTelnetCommand)) << "the next one";
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(clients[1].wait_end(), Ending::Closed);
  EXPECT_TRUE(listening_sockets(kTelnet).empty());
}

TEST_F(Field, telnet_shows_a_login_prompt) {
  if (const std::string why = why_missing({"telnet", "login"}); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/telnet.yaml", recipe("telnet.yaml"));
  Daemon daemon(folder_);
  const std::string pipe = folder_.string("pipe");  // an input that does not end
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const Process telnet({"telnet", "127.0.0.1"}, {.input = pipe, .output = folder_ / "out"});
  EXPECT_TRUE(eventually([&] { return contains(folder_.read("out"), "login:"); })) << folder_.read("out");
  EXPECT_EQ(daemon.stop(), 0);
}

// (b)
TEST_F(Field, hup_closes_echo_opens_telnet_and_harms_nobody_else) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  const std::string echo = read_file(source_folder() / "conf.d/echo.yaml");
  const std::uint16_t other = free_port();
  const std::uint16_t program = free_port();
  folder_.write("conf.d/echo.yaml", echo);
  folder_.write("conf.d/telnet.yaml", read_file(source_folder() / "conf.d/telnet.yaml"));
  folder_.write("conf.d/other.yaml", echo_service("other", other));
  folder_.write("conf.d/program.yaml", program_service("program", program, {"/bin/cat"}));
  Daemon daemon(folder_, {.start = {.strace = {"-e",
                                               "trace=read,epoll_ctl,epoll_wait,epoll_pwait,epoll_pwait2,"
                                               "rt_sigreturn"}}});
  Client held_echo(kEcho);
  Client held_other(other);
  Client held_program(program);
  for (Client* const client : {&held_echo, &held_other, &held_program})
    ASSERT_TRUE(echoes(*client));
  EXPECT_TRUE(is_refused(kTelnet));
  const auto fds = open_fds(daemon.pid());
  const auto signalfd =
      std::find_if(fds.begin(), fds.end(), [](const auto& fd) { return contains(fd.second, "signalfd"); });
  ASSERT_NE(signalfd, fds.end());
  const std::string number = std::to_string(signalfd->first);
  const std::string hup_read =
      "read(" + number + ", \"\\1\\0\\0\\0";  // signalfd_siginfo begins with ssi_signo
  EXPECT_EQ(count_lines(daemon.strace_text(), hup_read), 0U);

  folder_.write("conf.d/echo.yaml", "disable: yes\n" + echo);
  folder_.write("conf.d/telnet.yaml", recipe("telnet.yaml"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1, changed 0, kept 2, failed 0"));
  EXPECT_EQ(held_echo.wait_end(), Ending::Closed);
  EXPECT_TRUE(is_refused(kEcho));
  EXPECT_EQ(Client(kTelnet).receive(1), std::string(1, kTelnetCommand));
  EXPECT_TRUE(echoes(held_other));
  EXPECT_TRUE(echoes(held_program));
  EXPECT_TRUE(echoes(other));

  const pid_t pid = daemon.pid();
  EXPECT_TRUE(has_signal(pid, "SigBlk", SIGHUP));
  EXPECT_FALSE(has_signal(pid, "SigCgt", SIGHUP));
  held_other.close();
  held_program.close();
  EXPECT_EQ(daemon.stop(), 0);
  const std::string ours = std::to_string(pid) + " ";
  std::string calls;
  ASSERT_TRUE(eventually([&] {
    calls.clear();
    for (const std::string& line : split_lines(daemon.strace_text())) {
      if (line.starts_with(ours)) calls += line + "\n";
    }
    return contains(calls, "+++ exited");
  }));
  // strace breaks a call in two where another process comes between.
  EXPECT_EQ(count_lines(calls, hup_read) + count_lines(calls, R"(<... read resumed>"\1\0\0\0)"), 1U)
      << "the signal is data";
  EXPECT_GE(count_lines(calls, "EPOLL_CTL_ADD, " + number + ","), 1U) << "on a descriptor of the loop";
  EXPECT_EQ(count_lines(calls, "--- SIG"), 0U) << "no signal is delivered";
  EXPECT_EQ(count_lines(calls, "rt_sigreturn"), 0U) << "no handler runs";
}

}  // namespace
}  // namespace xsd::test
