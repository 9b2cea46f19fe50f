// SPDX-License-Identifier: Apache-2.0
//
// What of its sockets a daemon leaves with its service manager, and what it takes out of there again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/kept_sockets.h"
#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;

class KeptSocketsStore : public KeptSocketsTest {
 protected:
  /// One service on all of these ports.
  void write_ports(const std::vector<std::uint16_t>& ports) const {
    std::string listen;
    for (const std::uint16_t port : ports)
      listen += (listen.empty() ? "'" : ", '") + tcp(port) + "'";
    folder_.write("conf.d/many.yaml", "service: many\nplugin: echo\nlisten: [" + listen + "]\n");
  }
  static std::size_t count_of(Daemon& daemon, std::string_view part) {
    const auto& all = daemon.notifications();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const std::string& one) { return contains(one, part); }));
  }
};

TEST_F(KeptSocketsStore, is_not_filled_up_to_the_limit_of_open_files) {
  const std::vector<std::uint16_t> ports = free_ports(130);
  write_ports(ports);
  const auto options = [](Store store) {
    DaemonOptions all = with_store(std::move(store));
    all.start.environment = {"FDSTORE=200"};
    all.store_size = 200;
    all.start.in_child = [] {
      rlimit limit{};
      (void)getrlimit(RLIMIT_NOFILE, &limit);
      limit.rlim_cur = 128;
      (void)setrlimit(RLIMIT_NOFILE, &limit);
    };
    return all;
  };
  Daemon first(folder_, options({}));
  EXPECT_EQ(first.store().size(), 64U);
  EXPECT_TRUE(first.wait_log("66 listening sockets are not kept over a restart: there is room for 64"));
  first.hup_and_wait();
  EXPECT_EQ(first.log_lines("are not kept over a restart").size(), 1U) << "told once";
  EXPECT_EQ(first.stop(), 0);
  Daemon second(folder_, options(first.take_store()));
  EXPECT_TRUE(echoes(ports.front()));
  EXPECT_TRUE(echoes(ports.back()));
}

TEST_F(KeptSocketsStore, that_is_full_does_not_have_the_rest) {
  std::vector<std::string> paths;
  std::string listen;
  for (int i = 0; i < 6; ++i) {
    paths.push_back(folder_.string("socket" + std::to_string(i)));
    listen += (i == 0 ? "'unix://" : ", 'unix://") + paths.back() + "'";
  }
  folder_.write("conf.d/many.yaml", "service: many\nplugin: echo\nlisten: [" + listen + "]\n");
  const auto options = [](Store store) {
    DaemonOptions all = with_store(std::move(store));
    all.start.environment = {"FDSTORE=4"};
    all.store_size = 4;
    return all;
  };
  Daemon first(folder_, options({}));
  EXPECT_EQ(first.store().size(), 4U);
  EXPECT_TRUE(first.wait_log("2 listening sockets are not kept over a restart: there is room for 4"));
  EXPECT_EQ(first.stop(), 0);
  EXPECT_EQ(std::count_if(paths.begin(), paths.end(), [](const auto& path) { return fs::exists(path); }), 4)
      << "nobody listens at the others";
  // What moves finds room as soon as the old places are given up.
  Daemon second(folder_, options(first.take_store()));
  folder_.write("conf.d/many.yaml", "service: many\nplugin: echo\nlisten: ['" + tcp(port_) + "']\n");
  second.hup_and_wait();
  EXPECT_EQ(second.store().size(), 1U);
}

TEST_F(KeptSocketsStore, has_nothing_that_a_unit_has_too) {
  const Fd unit = bound(SOCK_STREAM, port_, true);
  const Fd kept = bound(SOCK_STREAM, port_, true);
  folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: ['" + tcp(port_) + "']\n");
  DaemonOptions options = with_sockets({unit.get()});
  options.start.environment = {"FDSTORE=64"};
  options.store.emplace("xsd-tcp+3a//127.0.0.1+3a" + std::to_string(port_), dup(kept.get()));
  Daemon daemon(folder_, options);
  EXPECT_TRUE(daemon.store().empty());
}

TEST_F(KeptSocketsStore, is_emptied_without_being_asked_for) {
  const std::uint16_t other_port = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  folder_.write("conf.d/other.yaml", echo_service("other", other_port));
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.store().size(), 4U);
  EXPECT_EQ(first.stop(), 0);
  folder_.remove("conf.d/other.yaml");
  DaemonOptions options;
  options.store = first.take_store();
  Daemon second(folder_, options);
  EXPECT_EQ(second.store().size(), 2U);
  EXPECT_EQ(Client(other_port).error(), ECONNREFUSED);
  folder_.remove("conf.d/echo.yaml");
  second.hup_and_wait();
  EXPECT_TRUE(second.store().empty());
  EXPECT_EQ(Client(port_).error(), ECONNREFUSED);
}

TEST_F(KeptSocketsStore, gets_nothing_twice_and_forgets_by_its_own_names) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  Daemon first(folder_, with_store());
  EXPECT_EQ(count_of(first, "FDSTORE=1"), 2U);
  EXPECT_EQ(first.stop(), 0);
  Store renamed;
  for (const auto& [name, fd] : first.take_store())
    renamed.emplace(name + "+2eold", fd);
  Daemon second(folder_, with_store(std::move(renamed)));
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(count_of(second, "FDSTORE=1"), 0U);
  EXPECT_EQ(second.store().size(), 2U);
  folder_.remove("conf.d/echo.yaml");
  second.hup_and_wait();
  EXPECT_TRUE(second.store().empty());
  EXPECT_EQ(Client(port_).error(), ECONNREFUSED);
}

TEST_F(KeptSocketsStore, has_unix_sockets_of_no_use_once_their_file_is_gone) {
  const std::string path = folder_.string("socket");
  folder_.write("conf.d/file.yaml", "service: file\nplugin: echo\nlisten: ['unix://" + path + "']\n");
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.stop(), 0);
  ASSERT_TRUE(fs::remove(path)) << "a runtime folder that is emptied does that";
  Daemon second(folder_, with_store(first.take_store()));
  Client client = Client::to_unix_socket(path);
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(second.store().size(), 1U);
  folder_.remove("conf.d/file.yaml");
  second.hup_and_wait();
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(KeptSocketsStore, leaves_the_file_of_somebody_else_alone) {
  folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: ['" + tcp(port_) + "']\n");
  for (const bool is_wanted : {true, false}) {
    const std::string path = folder_.string(is_wanted ? "wanted" : "unwanted");
    folder_.write("conf.d/file.yaml", "service: file\nplugin: echo\nlisten: ['unix://" + path + "']\n");
    Daemon first(folder_, with_store());
    EXPECT_EQ(first.stop(), 0);
    ASSERT_TRUE(fs::remove(path));
    const Fd stranger = bound_unix(path);
    if (!is_wanted) folder_.remove("conf.d/file.yaml");
    Daemon second(folder_, with_store(first.take_store()));
    EXPECT_EQ(second.store().size(), 1U);
    if (is_wanted) {
      EXPECT_TRUE(second.wait_log("bind unix://" + path + ": Address already in use"));
    }
    EXPECT_EQ(second.stop(), 0);
    EXPECT_TRUE(Client::to_unix_socket(path).connected()) << "it is the stranger's";
  }
}

TEST_F(KeptSocketsStore, is_not_what_a_unit_is_called) {
  const std::uint16_t other_port = free_port();
  folder_.write("conf.d/other.yaml", echo_service("other", other_port));
  const Fd unit = bound(SOCK_STREAM, port_);
  DaemonOptions options = with_sockets({unit.get()}, "xsd-inetd.socket");
  options.start.environment = {"FDSTORE=64"};
  Daemon daemon(folder_, options);
  folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: ['" + tcp(port_) + "']\n");
  daemon.hup_and_wait();
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.store().size(), 2U) << "the other service's";
}

class KeptSocketsWait : public KeptSocketsStore, public testing::WithParamInterface<int> {
 protected:
  void write_server(const std::string& more = "", const char* idle = "60000") const {
    folder_.write("conf.d/server.yaml",
                  program_on("server", {tcp(port_)}, {program("accept_loop"), idle}, "wait: true\n" + more));
  }
};
INSTANTIATE_TEST_SUITE_P(After, KeptSocketsWait, testing::Values(SIGTERM, SIGKILL),
                         [](const auto& parameter) {
                           return std::string(parameter.param == SIGKILL ? "a_crash" : "a_stop");
                         });

TEST_P(KeptSocketsWait, have_no_rival_of_a_server_that_lives_on) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  write_server("on_stop: leave\n");
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.store().size(), 3U);
  const pid_t pid = pid_of(ask(port_));
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(eventually([&] { return first.store().size() == 2; })) << "the server has it";
  EXPECT_TRUE(first.signal(GetParam()));
  EXPECT_EQ(first.wait_exit(), GetParam() == SIGKILL ? 128 + SIGKILL : 0);
  Daemon second(folder_, with_store(first.take_store()));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(pid_of(ask(port_)), pid);
  EXPECT_LE(records(second, "server", "start").size(), 1U) << "of the first, unless its logger was too late";
  EXPECT_EQ(kill(pid, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] {
    const pid_t next = pid_of(ask(port_));
    return next > 0 && next != pid;
  }));
}

TEST_F(KeptSocketsWait, come_back_at_a_reload_when_the_server_has_ended) {
  write_server("", "200");
  Daemon daemon(folder_, with_store());
  EXPECT_EQ(daemon.store().size(), 1U);
  ASSERT_GT(pid_of(ask(port_)), 0);
  EXPECT_TRUE(eventually([&] { return count_of(daemon, "FDSTOREREMOVE=1") == 1; }));
  EXPECT_TRUE(daemon.wait_log("server: end "));
  EXPECT_EQ(daemon.store().size(), 0U) << "clients make no work for the manager";
  daemon.hup_and_wait();
  EXPECT_TRUE(eventually([&] { return daemon.store().size() == 1; }));
}

TEST_F(KeptSocketsWait, come_back_when_the_server_is_stopped) {
  write_server();
  Daemon first(folder_, with_store());
  const pid_t pid = pid_of(ask(port_));
  ASSERT_GT(pid, 0);
  EXPECT_EQ(first.stop(), 0);
  EXPECT_EQ(first.store().size(), 1U);
  Client waiting(port_);
  ASSERT_TRUE(waiting.connected());
  Daemon second(folder_, with_store(first.take_store()));
  const pid_t next = pid_of(waiting.receive_line());
  EXPECT_GT(next, 0);
  EXPECT_NE(next, pid);
}

TEST_F(KeptSocketsStore, keeps_what_belongs_to_a_service_that_cannot_run_yet) {
  const std::string cat = folder_.string("cat");
  const std::string away = folder_.string("away");
  ASSERT_TRUE(fs::copy_file("/bin/cat", cat));
  folder_.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {cat}));
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.stop(), 0);
  Client waiting(port_);
  ASSERT_TRUE(waiting.connected());
  EXPECT_TRUE(waiting.send("x"));
  fs::rename(cat, away);
  Daemon second(folder_, with_store(first.take_store()));
  EXPECT_EQ(second.store().size(), 3U);
  fs::rename(away, cat);
  EXPECT_EQ(waiting.receive(1), "x");
  EXPECT_EQ(second.store().size(), 3U);
  EXPECT_EQ(second.stop(), 0);
  // It is no longer awaited.
  fs::rename(cat, away);
  Daemon third(folder_, with_store(second.take_store()));
  EXPECT_EQ(third.store().size(), 3U);
  folder_.remove("conf.d/cat.yaml");
  third.hup_and_wait();
  EXPECT_EQ(third.store().size(), 2U);
  EXPECT_TRUE(is_refused(port_));
}

TEST_F(KeptSocketsStore, keeps_the_rest_of_a_service_that_cannot_have_one_of_its_ports) {
  const std::uint16_t other_port = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  folder_.write("conf.d/one.yaml", "service: one\nplugin: echo\nlisten: ['" + tcp(port_) + "']\n");
  Daemon first(folder_, with_store());
  EXPECT_EQ(first.stop(), 0);
  Client waiting(port_);
  ASSERT_TRUE(waiting.connected());
  EXPECT_TRUE(waiting.send("x"));
  HeldPort held(other_port);
  folder_.write("conf.d/one.yaml",
                "service: one\nplugin: echo\nlisten: ['" + tcp(port_) + "', '" + tcp(other_port) + "']\n");
  Daemon second(folder_, with_store(first.take_store()));
  EXPECT_TRUE(second.wait_log("one: failed: "));
  EXPECT_EQ(second.store().size(), 3U);
  held.release();
  EXPECT_EQ(waiting.receive(1), "x");
  EXPECT_TRUE(echoes(other_port));
}

TEST_F(KeptSocketsStore, is_told_how_long_a_stop_may_take) {
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}, "stop_timeout: 200s\n"));
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(count_of(daemon, "STOPPING=1"), 1U);
  const std::string last = daemon.notifications().back();
  constexpr std::string_view kTime = "EXTEND_TIMEOUT_USEC=";
  ASSERT_TRUE(contains(last, kTime)) << last;
  EXPECT_GE(std::stoll(last.substr(last.find(kTime) + kTime.size())), 200'000'000);
}

TEST_F(KeptSocketsStore, s_manager_hears_that_we_are_alive) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_));
  DaemonOptions options;
  options.start.environment = {"WATCHDOG_USEC=200000"};
  Daemon daemon(folder_, options);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(daemon.wait_notification("WATCHDOG=1"));
}

}  // namespace
}  // namespace xsd::test
