// SPDX-License-Identifier: Apache-2.0
//
// Reload by HUP (interface.md section 4; rows lif_1 and lif_2 of reliability.md): what is told, what changes,
// and who notices.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

std::string listening(std::string_view name, std::string_view plugin,
                      const std::vector<std::string>& endpoints, std::string_view more = "") {
  std::string list;
  for (const std::string& endpoint : endpoints)
    list += (list.empty() ? "" : ", ") + yaml_quoted(endpoint);
  return "service: " + std::string(name) + "\nplugin: " + std::string(plugin) + "\nlisten: [" + list + "]\n" +
         std::string(more) + "\n";
}

/// Stops the daemon, so that clients queue up in the kernel; goes on when destroyed.
class Frozen {
 public:
  explicit Frozen(Daemon& daemon) : daemon_(daemon) {
    (void)daemon_.signal(SIGSTOP);
    EXPECT_TRUE(eventually([&] { return process_state(daemon_.pid()) == 'T'; }));
  }
  ~Frozen() { (void)daemon_.signal(SIGCONT); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  Daemon& daemon_;
};

std::vector<Client> queue_clients(std::uint16_t port, int count) {
  std::vector<Client> clients;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back(port);
    EXPECT_TRUE(clients.back().send("client " + std::to_string(i) + "\n"));
    clients.back().half_close();
  }
  return clients;
}

void expect_answers(std::vector<Client>& clients) {
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i].receive_until_eof(), "client " + std::to_string(i) + "\n");
    EXPECT_EQ(clients[i].ending(), Ending::Closed);
  }
}

pid_t pid_said(Client& client) {
  const std::string line = client.receive_line();
  return line.starts_with("pid ") ? std::stoi(line.substr(4)) : 0;
}

// ---- the plan

TEST(Reload, counts_what_was_started_stopped_changed_kept_and_failed) {
  TempFolder folder;
  const std::uint16_t kept = free_port();
  const std::uint16_t changed = free_port();
  const std::uint16_t stopped = free_port();
  const std::uint16_t started = free_port();
  folder.write("conf.d/kept.yaml", echo_service("kept", kept));
  folder.write("conf.d/changed.yaml", echo_service("changed", changed));
  folder.write("conf.d/stopped.yaml", echo_service("stopped", stopped));
  folder.write("conf.d/disabled.yaml", echo_service("disabled", free_port()));
  Daemon daemon(folder);
  EXPECT_THAT(daemon.log(), HasSubstr("started: 4 services, 0 failed, 0 disabled"));
  folder.write("conf.d/changed.yaml", echo_service("changed", changed, "idle_timeout: 7s"));
  folder.remove("conf.d/stopped.yaml");
  folder.write("conf.d/disabled.yaml", echo_service("disabled", free_port(), "disable: yes"));
  folder.write("conf.d/started.yaml", echo_service("started", started));
  folder.write("conf.d/bad.yaml", "service: bad\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("reload: started 1, stopped 2, changed 1, kept 1, failed 1"));
  EXPECT_TRUE(echoes(kept));
  EXPECT_TRUE(echoes(changed));
  EXPECT_TRUE(echoes(started));
  EXPECT_TRUE(is_refused(stopped));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("reload: started 0, stopped 0, changed 0, kept 3, failed 1"));
  for (const char* const line : {"started started", "changed changed", "stopped stopped", "stopped disabled"})
    EXPECT_EQ(daemon.log_lines(std::string("info: ") + line).size(), 1U) << line;
}

TEST(Reload, is_told_of_once_also_where_no_worker_is_asked) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/cat.yaml", shell_service("cat", port, "exec cat"));
  Daemon daemon(folder);
  constexpr std::size_t kReloads = 3;
  for (std::size_t i = 0; i < kReloads; ++i)
    EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log_lines("reload: "), SizeIs(kReloads));
}

TEST(Reload, touching_a_file_without_changing_it_changes_nothing) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  folder.write("conf.d/echo.yaml", "# a comment\n" + echo_service("echo", port));
  folder.write("conf.d/empty.yaml", "");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 0, stopped 0, changed 0, kept 1, failed 0"));
}

TEST(Reload, faulty_main_file_rejects_all_of_it_and_says_so) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t other = free_port();
  folder.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder, {.config = folder / "xsd.yaml"});
  Client client(port);
  folder.write("conf.d/other.yaml", echo_service("other", other));
  folder.remove("conf.d/echo.yaml");
  for (const char* const main :
       {"include: [conf.d/*.yaml]\ndefaults: {backlog: x}\n", "include: [\n", "daemon: {nonsense: 1}\n"}) {
    folder.write("xsd.yaml", main);
    const std::string line = daemon.hup_and_wait();
    EXPECT_THAT(line, HasSubstr("stays as it was")) << main;
    EXPECT_THAT(daemon.log(), HasSubstr(folder.string("xsd.yaml") + ":"));
    EXPECT_TRUE(echoes(client));
    EXPECT_TRUE(echoes(port));
    EXPECT_TRUE(is_refused(other));
  }
  folder.remove("xsd.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stays as it was"));
  EXPECT_TRUE(echoes(port));
  folder.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1"));
  EXPECT_TRUE(echoes(other));
}

TEST(Reload, a_fifo_among_the_files_does_not_block) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  ASSERT_EQ(mkfifo(folder.string("conf.d/x.yaml").c_str(), 0644), 0);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
  EXPECT_THAT(daemon.log(), HasSubstr(folder.string("conf.d/x.yaml") + ": error: "));
  EXPECT_TRUE(echoes(port));
}

TEST(Reload, only_yaml_files_without_a_dot_are_read) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  for (const char* const name :
       {"conf.d/.hidden.yaml", "conf.d/echo.yaml~", "conf.d/echo.yaml.bak", "conf.d/README"}) {
    folder.write(name, "not: [yaml");
  }
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1, failed 0"));
}

// ---- clients

TEST(Reload, held_and_queued_clients_of_a_changed_service_are_served) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  Client held(port);
  ASSERT_TRUE(echoes(held));
  std::vector<Client> queued;
  {
    const Frozen frozen(daemon);
    queued = queue_clients(port, 50);
    folder.write("conf.d/echo.yaml", echo_service("echo", port, "idle_timeout: 30s\nbacklog: 64"));
    (void)daemon.signal(SIGHUP);
  }
  EXPECT_THAT(daemon.wait_reload(), HasSubstr("changed 1"));
  expect_answers(queued);
  EXPECT_TRUE(echoes(held));
}

TEST(Reload, held_and_queued_clients_of_a_port_that_moves_are_served) {
  TempFolder folder;
  const std::uint16_t before = free_port();
  const std::uint16_t after = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", before));
  Daemon daemon(folder);
  Client held(before);
  ASSERT_TRUE(echoes(held));
  std::vector<Client> queued;
  {
    const Frozen frozen(daemon);
    queued = queue_clients(before, 20);
    folder.write("conf.d/echo.yaml", echo_service("echo", after));
    (void)daemon.signal(SIGHUP);
  }
  EXPECT_THAT(daemon.wait_reload(), HasSubstr("changed 1"));
  EXPECT_TRUE(echoes(after));
  EXPECT_TRUE(udp_echoes(after));
  EXPECT_TRUE(is_refused(before));
  expect_answers(queued);
  EXPECT_TRUE(echoes(held));
}

TEST(Reload, clients_of_another_service_notice_nothing) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t program_port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/cat.yaml", program_service("cat", program_port, {"/bin/cat"}));
  Daemon daemon(folder);
  Client internal(port);
  Client program(program_port);
  ASSERT_TRUE(echoes(internal));
  ASSERT_TRUE(echoes(program));
  for (int i = 0; i < 5; ++i) {
    folder.write("conf.d/other" + std::to_string(i) + ".yaml",
                 echo_service("other" + std::to_string(i), free_port()));
    EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
    EXPECT_TRUE(echoes(internal));
    EXPECT_TRUE(echoes(program));
  }
}

TEST(Reload, bind_can_change_between_all_addresses_and_one) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::string all = listening("echo", "echo", {tcp(port, "*"), udp(port, "*")});
  const std::string one = listening("echo", "echo", {tcp(port), udp(port)});
  folder.write("conf.d/echo.yaml", all);
  Daemon daemon(folder);
  Client held(port, {.host = "127.0.0.2"});
  ASSERT_TRUE(echoes(held));
  folder.write("conf.d/echo.yaml", one);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1")) << daemon.log();
  EXPECT_TRUE(echoes(port));
  EXPECT_TRUE(udp_echoes(port));
  EXPECT_TRUE(is_refused(port, {.host = "127.0.0.2"}));
  EXPECT_TRUE(is_refused(port, {.host = "::1"}));
  EXPECT_TRUE(echoes(held));
  folder.write("conf.d/echo.yaml", all);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1")) << daemon.log();
  EXPECT_TRUE(echoes(port, {.host = "127.0.0.2"}));
  EXPECT_TRUE(udp_echoes(port));
}

TEST(Reload, ports_swapped_between_two_services_are_never_refused) {
  TempFolder folder;
  const std::uint16_t a = free_port();
  const std::uint16_t b = free_port();
  const auto write = [&](std::uint16_t first, std::uint16_t second) {
    folder.write("conf.d/first.yaml", listening("first", "echo", {tcp(first)}, "idle_timeout: 50s"));
    folder.write("conf.d/second.yaml", listening("second", "echo", {tcp(second)}));
  };
  write(a, b);
  Daemon daemon(folder);
  std::vector<Client> queued_a;
  std::vector<Client> queued_b;
  {
    const Frozen frozen(daemon);
    queued_a = queue_clients(a, 20);
    queued_b = queue_clients(b, 20);
    write(b, a);
    (void)daemon.signal(SIGHUP);
  }
  EXPECT_THAT(daemon.wait_reload(), HasSubstr("changed 2, kept 0, failed 0"));
  expect_answers(queued_a);
  expect_answers(queued_b);
  std::atomic<unsigned> turn = 0;
  EchoLoad load(2, [&] { return ++turn % 2 == 0 ? a : b; });
  for (int i = 0; i < 30; ++i) {
    write(i % 2 == 0 ? a : b, i % 2 == 0 ? b : a);
    EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 2, kept 0, failed 0"));
  }
  EXPECT_TRUE(eventually([&] { return load.served() > 20; }));
  const EchoLoad::Totals totals = load.stop();
  EXPECT_EQ(totals.refused + totals.wrong, 0U) << totals.first_error;
  const auto state = daemon.state("state: first:");
  ASSERT_EQ(state.size(), 1U);
  EXPECT_THAT(state[0], HasSubstr(tcp(b)));
}

TEST(Reload, a_port_handed_from_a_removed_service_to_a_new_one_is_never_refused) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", listening("old0", "echo", {tcp(port)}, "on_remove: drain"));
  Daemon daemon(folder);
  EchoLoad load(2, [&] { return port; });
  for (int i = 1; i <= 30; ++i) {
    folder.write("conf.d/echo.yaml",
                 listening("old" + std::to_string(i), "echo", {tcp(port)}, "on_remove: drain"));
    EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1"));
  }
  EXPECT_TRUE(eventually([&] { return load.served() > 20; }));
  const EchoLoad::Totals totals = load.stop();
  EXPECT_EQ(totals.refused + totals.wrong, 0U) << totals.first_error;
}

TEST(Reload, a_port_of_a_service_that_became_faulty_is_not_taken_from_it) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t unknown_port = free_port();
  folder.write("conf.d/a.yaml", listening("first", "echo", {tcp(port)}));
  folder.write("conf.d/b.yaml", listening("second", "echo", {tcp(unknown_port)}));
  Daemon daemon(folder);
  folder.write("conf.d/a.yaml", "service: first\nplugin: [\n");
  folder.write("conf.d/b.yaml", "[");
  folder.write("conf.d/c.yaml", listening("third", "daytime", {tcp(port), tcp(free_port())}));
  folder.write("conf.d/d.yaml", listening("fourth", "daytime", {tcp(unknown_port)}));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 0, stopped 0, changed 0, kept 0, failed 4"));
  EXPECT_TRUE(echoes(port));
  EXPECT_TRUE(echoes(unknown_port));
  EXPECT_THAT(daemon.log(), HasSubstr("used by service 'first'"));
  EXPECT_THAT(daemon.log(), HasSubstr("used by service 'second'"));
  folder.remove("conf.d/a.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1"));
  EXPECT_THAT(ask(port), HasSubstr(":"));
}

TEST(Reload, a_service_can_become_another_kind_on_the_same_port) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/s.yaml", program_service("s", port, {"/bin/echo", "program"}, "on_remove: drain"));
  Daemon daemon(folder);
  EXPECT_EQ(ask(port), "program\n");
  std::vector<Client> queued;
  {
    const Frozen frozen(daemon);
    queued = queue_clients(port, 10);
    folder.write("conf.d/s.yaml", listening("s", "echo", {tcp(port)}));
    (void)daemon.signal(SIGHUP);
  }
  EXPECT_THAT(daemon.wait_reload(), HasSubstr("changed 1"));
  for (Client& client : queued)
    EXPECT_NE(client.receive_until_eof(), "");
  EXPECT_TRUE(echoes(port));
  folder.write("conf.d/s.yaml", program_service("s", port, {"/bin/echo", "program"}));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(ask(port), "program\n");
}

TEST(Reload, limits_hold_for_new_connections_at_once) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/cat.yaml", program_service("cat", port, {"/bin/cat"}, "instances: 1"));
  Daemon daemon(folder);
  Client first(port);
  ASSERT_TRUE(echoes(first));
  EXPECT_EQ(ask(port, "x"), "");
  EXPECT_TRUE(daemon.wait_log("reason=instances"));
  folder.write("conf.d/cat.yaml", program_service("cat", port, {"/bin/cat"}, "instances: 2"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(echoes(first));
  EXPECT_EQ(ask(port, "second\n"), "second\n");
  folder.write("conf.d/cat.yaml", program_service("cat", port, {"/bin/cat"}, "instances: 1"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(echoes(first));
  EXPECT_EQ(ask(port, "x"), "");
}

// ---- what becomes of running programs and connections

TEST(Reload, programs_of_a_removed_service_get_term_and_then_kill) {
  TempFolder folder;
  const std::uint16_t stubborn_port = free_port();
  const std::uint16_t polite_port = free_port();
  const std::uint16_t echo_port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", echo_port));
  folder.write("conf.d/stubborn.yaml",
               program_service("stubborn", stubborn_port,
                               {program("ignore_term"), folder.string("grandchild")}, "stop_timeout: 700ms"));
  folder.write("conf.d/polite.yaml",
               program_service("polite", polite_port, {"/bin/cat"}, "stop_timeout: 60s"));
  Daemon daemon(folder);
  Client stubborn(stubborn_port);
  Client polite(polite_port);
  const pid_t pid = pid_said(stubborn);
  ASSERT_TRUE(is_alive(pid));
  ASSERT_TRUE(echoes(polite));
  const pid_t grandchild = std::stoi(folder.read("grandchild"));
  folder.remove("conf.d/stubborn.yaml");
  folder.remove("conf.d/polite.yaml");
  const SteadyTime begin = std::chrono::steady_clock::now();
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 2"));
  EXPECT_EQ(polite.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("signal=15"));
  EXPECT_TRUE(is_alive(pid));
  EXPECT_TRUE(echoes(echo_port)) << "nobody else waits";
  EXPECT_TRUE(eventually([&] { return !is_alive(pid) && !is_alive(grandchild); }));
  EXPECT_GE(elapsed(begin), Milliseconds(650));
  EXPECT_TRUE(daemon.wait_log("signal=9"));
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).empty(); }));
}

TEST(Reload, programs_of_a_changed_service_live_on_under_the_old_definition) {
  TempFolder folder;
  const std::uint16_t before = free_port();
  const std::uint16_t after = free_port();
  folder.write("conf.d/cat.yaml", program_service("cat", before, {"/bin/cat"}));
  Daemon daemon(folder);
  Client client(before);
  ASSERT_TRUE(echoes(client));
  folder.write("conf.d/cat.yaml", program_service("cat", after, {"/bin/echo", "new"}, "instances: 3"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(ask(after), "new\n");
  EXPECT_TRUE(echoes(client));
}

TEST(Reload, programs_of_a_drained_service_may_finish) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t echo_port = free_port();
  folder.write("conf.d/cat.yaml", program_service("cat", port, {"/bin/cat"}, "on_remove: drain"));
  folder.write("conf.d/echo.yaml", echo_service("echo", echo_port, "on_remove: drain"));
  Daemon daemon(folder);
  Client program(port);
  Client internal(echo_port);
  ASSERT_TRUE(echoes(program));
  ASSERT_TRUE(echoes(internal));
  folder.remove("conf.d/cat.yaml");
  folder.remove("conf.d/echo.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 2"));
  EXPECT_TRUE(is_refused(port));
  EXPECT_TRUE(is_refused(echo_port));
  EXPECT_TRUE(echoes(program));
  EXPECT_TRUE(echoes(internal));
  program.half_close();
  internal.half_close();
  EXPECT_EQ(program.wait_end(), Ending::Closed);
  EXPECT_EQ(internal.wait_end(), Ending::Closed);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Reload, disabling_closes_internal_connections) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  Client client(port);
  ASSERT_TRUE(echoes(client));
  folder.write("conf.d/echo.yaml", echo_service("echo", port, "disable: yes"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_NE(client.wait_end(), Ending::Open);
  EXPECT_TRUE(is_refused(port));
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  EXPECT_TRUE(echoes(port));
}

class WaitServer : public testing::Test {
 protected:
  void write(std::uint16_t port, std::string_view more = "") const {
    folder_.write("conf.d/wait.yaml", program_service("waiter", port, {program("accept_loop")},
                                                      "wait: yes\nstop_timeout: 5s\n" + std::string(more)));
  }
  static pid_t server_of(std::uint16_t port) {
    Client client(port);
    return pid_said(client);
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

TEST_F(WaitServer, is_kept_when_its_socket_stays) {
  write(port_);
  Daemon daemon(folder_);
  const pid_t server = server_of(port_);
  ASSERT_TRUE(is_alive(server));
  write(port_, "nice: 3");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(server_of(port_), server);
}

TEST_F(WaitServer, gets_term_when_its_socket_changes) {
  write(port_);
  Daemon daemon(folder_);
  const pid_t server = server_of(port_);
  const std::uint16_t next = free_port();
  write(next);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(eventually([&] { return !is_alive(server); }));
  EXPECT_TRUE(is_refused(port_));
  const pid_t other = server_of(next);
  EXPECT_TRUE(is_alive(other));
  EXPECT_NE(other, server);
}

TEST_F(WaitServer, gets_term_when_it_is_removed) {
  write(port_);
  Daemon daemon(folder_);
  const pid_t server = server_of(port_);
  folder_.remove("conf.d/wait.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  EXPECT_TRUE(eventually([&] { return !is_alive(server); }));
  EXPECT_TRUE(is_refused(port_));
}

// ---- storms and load

TEST(Reload, a_storm_of_hups_coalesces_and_the_last_file_wins) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t last = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  Client held(port);
  constexpr int kSignals = 5000;
  for (int i = 0; i < kSignals; ++i)
    ASSERT_TRUE(daemon.signal(SIGHUP));
  folder.write("conf.d/echo.yaml", echo_service("echo", last));
  (void)daemon.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return echoes(last); }));
  EXPECT_TRUE(is_refused(port));
  EXPECT_TRUE(echoes(held));
  EXPECT_TRUE(daemon.wait_log("changed 1"));
  EXPECT_LT(daemon.log_lines("info: reload: ").size(), static_cast<std::size_t>(kSignals));
  held.close();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Reload, three_hundred_under_load_lose_nobody) {
  TempFolder folder;
  const std::uint16_t echo = free_port();
  const std::uint16_t changing = free_port();
  const std::vector<std::uint16_t> moving = free_ports(2);
  folder.write("conf.d/echo.yaml", echo_service("echo", echo));
  folder.write("conf.d/changing.yaml", echo_service("changing", changing));
  folder.write("conf.d/moving.yaml", echo_service("moving", moving[0]));
  Daemon daemon(folder, {.arguments = {"--log-level", "info"}});
  std::vector<Client> held;
  for (int i = 0; i < 100; ++i)
    held.emplace_back(i % 2 == 0 ? echo : changing);
  std::atomic<unsigned> turn = 0;
  EchoLoad load(2, [&] { return ++turn % 2 == 0 ? echo : changing; });
  const std::uint16_t extra = free_port();
  for (int i = 0; i < 300; ++i) {
    switch (i % 4) {
      case 0:
        folder.write("conf.d/changing.yaml",
                     echo_service("changing", changing, "idle_timeout: " + std::to_string(60 + i) + "s"));
        break;
      case 1:
        folder.write("conf.d/extra.yaml", echo_service("extra", extra));
        break;
      case 2:
        folder.remove("conf.d/extra.yaml");
        break;
      default:
        folder.write("conf.d/moving.yaml", echo_service("moving", moving[i / 4 % 2 == 0 ? 1 : 0]));
        break;
    }
    const std::string line = daemon.hup_and_wait();
    EXPECT_THAT(line, HasSubstr("failed 0"));
    EXPECT_THAT(line, Not(HasSubstr("started 0, stopped 0, changed 0")));
  }
  EXPECT_TRUE(eventually([&] { return load.served() > 100; }));
  const EchoLoad::Totals totals = load.stop();
  EXPECT_EQ(totals.refused, 0U) << totals.first_error;
  EXPECT_EQ(totals.wrong, 0U) << totals.first_error;
  for (Client& client : held)
    EXPECT_TRUE(echoes(client));
  held.clear();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Reload, leaves_no_descriptor_behind) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t moving = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  const auto reload = [&](Daemon& daemon, int i) {
    folder.write("conf.d/moving.yaml",
                 i % 3 == 0 ? std::string("service: moving\n")
                            : echo_service("moving", moving, "instances: " + std::to_string(i + 1)));
    (void)daemon.hup_and_wait();
    EXPECT_TRUE(echoes(port));
  };
  Daemon daemon(folder);
  for (int i = 0; i < 3; ++i)
    reload(daemon, i);
  const std::size_t before = fd_count(daemon.pid());
  for (int i = 3; i < 60; ++i)
    reload(daemon, i);
  EXPECT_TRUE(eventually([&] { return fd_count(daemon.pid()) <= before; }))
      << before << " became " << fd_count(daemon.pid());
}

}  // namespace
}  // namespace xsd::test
