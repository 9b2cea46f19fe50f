// SPDX-License-Identifier: Apache-2.0
//
// The same service behind each of the event demultiplexers, and what select cannot do.
#include <cstdlib>
#include <list>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;

constexpr rlim_t kDescriptors = 4096;
constexpr std::size_t kSelectLimit = 1024;  // FD_SETSIZE

/// Until now the shell may have said another poller for all tests.
DaemonOptions with_poller(const std::string& poller) {
  (void)unsetenv("XSD_TEST_POLLER");
  return {.arguments = {"--poller", poller}};
}

class Poller : public testing::TestWithParam<const char*> {};

TEST_P(Poller, serves_plugins_and_programs) {
  constexpr int kRounds = 20;
  TempFolder folder;
  const std::uint16_t echo = free_port();
  const std::uint16_t daytime = free_port();
  const std::uint16_t program = free_port();
  const std::uint16_t datagrams = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", echo));
  folder.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", daytime));
  folder.write("conf.d/program.yaml", shell_service("program", program, "read line; echo \"got $line\""));
  folder.write("conf.d/wait.yaml", "service: wait\nlisten: [" + yaml_quoted(udp(datagrams)) +
                                       "]\nwait: yes\nserver: " + test::program("accept_loop") +
                                       "\nuser: " + current_user() + "\n");
  Daemon daemon(folder, with_poller(GetParam()));
  Client held(echo);
  EXPECT_TRUE(echoes(held));
  for (int i = 0; i < kRounds; ++i) {
    EXPECT_TRUE(echoes(echo));
    EXPECT_TRUE(udp_echoes(echo));
    EXPECT_THAT(ask(daytime), HasSubstr(":"));
    EXPECT_EQ(ask(program, "me\n"), "got me\n");
  }
  UdpClient client(datagrams);
  EXPECT_TRUE(client.send("wait"));
  EXPECT_THAT(client.receive().value_or(""), HasSubstr("wait"));
  folder.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", daytime) + "disable: yes\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(is_refused(daytime));
  EXPECT_TRUE(echoes(held));
  EXPECT_TRUE(eventually([&] { return zombie_count(daemon.pid()) == 0; }));
  held.close();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(Poller, ends_idle_connections) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port, "idle_timeout: 100ms"));
  const Daemon daemon(folder, with_poller(GetParam()));
  Client client(port);
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(client.wait_end(), Ending::Closed);
}

INSTANTIATE_TEST_SUITE_P(, Poller, testing::Values("epoll", "poll", "select"),
                         [](const auto& chosen) { return std::string(chosen.param); });

class Select : public testing::Test {
 protected:
  void SetUp() override {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < kDescriptors) GTEST_SKIP() << "needs " << kDescriptors << " descriptors";
    limit.rlim_cur = std::max(limit.rlim_cur, kDescriptors);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
};

TEST_F(Select, refuses_a_connection_beyond_its_descriptors_and_goes_on) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t program = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/program.yaml", shell_service("program", program, "echo here"));
  DaemonOptions options = with_poller("select");
  options.arguments.insert(options.arguments.end(), {"--workers", "0"});  // one process for both
  Daemon daemon(folder, options);
  EXPECT_EQ(ask(program), "here\n");

  std::list<Client> clients;
  while (clients.size() < kSelectLimit && echoes(clients.emplace_back(port))) {
  }
  ASSERT_LT(clients.size(), kSelectLimit) << "nobody was refused";
  EXPECT_GT(clients.size(), kSelectLimit - 200);
  EXPECT_NE(clients.back().wait_end(), Ending::Open);
  clients.pop_back();
  EXPECT_TRUE(daemon.wait_log("echo: refuse "));
  EXPECT_EQ(ask(program), "") << "its end could not be watched";
  EXPECT_TRUE(daemon.wait_log("program: refuse "));
  EXPECT_EQ(daemon.log_lines("refuse ").size(), daemon.log_lines("reason=resources").size());
  EXPECT_TRUE(echoes(clients.front()));
  EXPECT_TRUE(echoes(clients.back()));
  EXPECT_TRUE(udp_echoes(port));

  for (std::size_t leaving = clients.size() / 2; leaving > 0; --leaving)
    clients.pop_front();
  EXPECT_TRUE(eventually([&] { return echoes(port); }));
  EXPECT_TRUE(eventually([&] { return ask(program) == "here\n"; }));
  clients.clear();
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
