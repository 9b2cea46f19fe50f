// SPDX-License-Identifier: Apache-2.0
//
// Reload when something is wrong (interface.md sections 3 and 4; rows cfg_1 and cfg_7 of reliability.md): a
// fault costs nobody what runs.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string on(std::string_view name, const std::vector<std::string>& endpoints, std::string_view more = "") {
  std::string list;
  for (const std::string& endpoint : endpoints)
    list += (list.empty() ? "" : ", ") + yaml_quoted(endpoint);
  return "service: " + std::string(name) + "\nplugin: echo\nlisten: [" + list + "]\n" + std::string(more) +
         "\n";
}

class ReloadFaults : public testing::Test {
 protected:
  TempFolder folder_;
};

// ---- the text

TEST_F(ReloadFaults, no_fault_in_a_file_stops_the_service_of_that_file) {
  const std::uint16_t port = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder_);
  Client held(port);
  for (const std::string& text :
       {"service: \"echo;\"\nplugin: echo\nlisten: [" + yaml_quoted(tcp(port)) + "]\n",
        "service: other\nplugin: echo\nlisten: [" + yaml_quoted(tcp(port)) + "]\nbacklog: x\n",
        "services:\n- {service: other, plugin: echo, listen: " + yaml_quoted(tcp(free_port())) +
            "}\n- {service: echo 2, plugin: echo}\n"}) {
    folder_.write("conf.d/echo.yaml", text);
    EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 0")) << text;
    EXPECT_TRUE(echoes(held)) << text;
    EXPECT_TRUE(echoes(port)) << text;
  }
  folder_.write("conf.d/echo.yaml", echo_service("renamed", port));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 2")) << "a file without a fault is meant";
  EXPECT_TRUE(echoes(port));
}

TEST_F(ReloadFaults, a_fault_in_the_text_gives_up_nothing_that_is_waited_for) {
  const std::uint16_t port = free_port();
  folder_.write("conf.d/other.yaml", echo_service("other", free_port()));
  folder_.write("conf.d/echo.yaml", echo_service("echo", port));
  HeldPort stranger(port);
  Daemon daemon(folder_);
  folder_.write("conf.d/echo.yaml", echo_service("echo", port, "nonsense: 1"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  stranger.release();
  EXPECT_TRUE(daemon.wait_log("echo: works again"));
  EXPECT_TRUE(echoes(port));
  EXPECT_THAT(daemon.state("state: echo:").at(0), HasSubstr("unknown key 'nonsense'"));
}

TEST_F(ReloadFaults, of_many_faults_in_a_file_the_log_shows_ten) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  Daemon daemon(folder_);
  std::string text;
  for (int i = 0; i < 50; ++i)
    text += "nonsense" + std::to_string(i) + ": 1\n";
  folder_.write("conf.d/bad.yaml", echo_service("bad", free_port()) + text);
  (void)daemon.hup_and_wait();
  EXPECT_THAT(daemon.log_lines("unknown key"), SizeIs(10));
  EXPECT_THAT(daemon.log(), HasSubstr("bad.yaml: 40 more; xsd --check shows them"));
  EXPECT_THAT(daemon.log_lines("40 more").at(0), HasSubstr(" error: "));
}

TEST_F(ReloadFaults, notes_that_the_log_does_not_show_are_no_errors) {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += "service echo\n{\n id = e" + std::to_string(i) +
            "\n type = INTERNAL UNLISTED\n socket_type = stream\n wait = no\n user = root\n port = " +
            std::to_string(free_port()) + "\n}\n";
  }
  Daemon daemon(folder_, {.config = folder_.write("xinetd.conf", text), .config_option = "--xinetd"});
  EXPECT_THAT(daemon.log_lines("'user' is left out"), SizeIs(10));
  EXPECT_THAT(daemon.log_lines("2 more; xsd --check shows them").at(0), HasSubstr(" info: "));
}

TEST_F(ReloadFaults, changes_nothing_while_the_service_folder_is_away) {
  const std::uint16_t port = free_port();
  folder_.write("xsd.yaml", "");
  folder_.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder_, {.config = folder_ / "xsd.yaml"});
  std::filesystem::rename(folder_ / "conf.d", folder_ / "moved");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stays as it was"));
  EXPECT_TRUE(echoes(port));
  std::filesystem::rename(folder_ / "moved", folder_ / "conf.d");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
}

TEST_F(ReloadFaults, changes_nothing_while_a_folder_stands_for_the_main_file) {
  const std::uint16_t port = free_port();
  folder_.write("xsd.yaml", "");
  folder_.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder_, {.config = folder_ / "xsd.yaml"});
  std::filesystem::rename(folder_ / "xsd.yaml", folder_ / "moved");
  folder_.make_folder("xsd.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stays as it was"));
  EXPECT_TRUE(echoes(port));
  std::filesystem::remove(folder_ / "xsd.yaml");
  std::filesystem::rename(folder_ / "moved", folder_ / "xsd.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
}

// ---- sockets

TEST_F(ReloadFaults, a_port_is_not_taken_from_a_service_that_cannot_move) {
  const std::uint16_t first = free_port();
  const std::uint16_t second = free_port();
  const std::uint16_t busy = free_port();
  const HeldPort stranger(busy);
  // In both orders of their names: a wants to leave `first`, the other wants to have it.
  for (const auto& [mover, taker] : {std::pair("a", "b"), std::pair("b", "a")}) {
    TempFolder folder;
    folder.write("conf.d/mover.yaml", on(mover, {tcp(first)}));
    folder.write("conf.d/taker.yaml", on(taker, {tcp(second)}));
    Daemon daemon(folder);
    Client held(first);
    folder.write("conf.d/mover.yaml", on(mover, {tcp(busy)}));
    folder.write("conf.d/taker.yaml", on(taker, {tcp(first)}));
    EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 0, kept 0, failed 2")) << mover;
    EXPECT_TRUE(echoes(held)) << mover;
    EXPECT_TRUE(echoes(first)) << mover;
    EXPECT_TRUE(echoes(second)) << mover;
    EXPECT_THAT(daemon.log(), HasSubstr("used by service '" + std::string(mover) + "'"));
  }
}

TEST_F(ReloadFaults, a_chain_of_moves_stays_where_it_is_when_its_end_cannot_move) {
  constexpr int kServices = 5;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i <= kServices; ++i)
    ports.push_back(free_port());
  const auto name = [](int i) { return std::string(1, static_cast<char>('a' + i)); };
  const auto write = [&](int shift) {
    for (int i = 0; i < kServices; ++i)
      folder_.write("conf.d/" + name(i) + ".yaml",
                    on(name(i), {tcp(ports[static_cast<std::size_t>(i + shift)])}));
  };
  write(0);
  Daemon daemon(folder_);
  HeldPort stranger(ports.back());
  write(1);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 0, kept 0, failed 5"));
  for (int i = 0; i < kServices; ++i)
    EXPECT_TRUE(echoes(ports[static_cast<std::size_t>(i)])) << i;
  stranger.release();
  EXPECT_TRUE(daemon.wait_log("works again", kServices)) << "one after the other";
  EXPECT_TRUE(eventually([&] { return is_refused(ports.front()); }));  // once the worker has let go of it
  EXPECT_TRUE(echoes(ports.back()));
}

TEST_F(ReloadFaults, overlapping_endpoints_of_two_services_never_both_listen) {
  const std::uint16_t port = free_port();
  folder_.write("conf.d/a.yaml", on("a", {tcp(port)}));
  folder_.write("conf.d/b.yaml", on("b", {"tcp4://*:" + std::to_string(port)}));
  folder_.write("conf.d/c.yaml", on("c", {tcp(free_port())}));
  Daemon daemon(folder_);
  folder_.write("conf.d/a.yaml", on("a", {tcp(port)}, "nonsense: 1"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 2")) << "a goes on, so b must wait";
  EXPECT_TRUE(daemon.wait_log("b: failed: bind", 1));
  EXPECT_THAT(daemon.state("state: b:").at(0), HasSubstr("used by service 'a'"));
  folder_.remove("conf.d/a.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1"));
  EXPECT_TRUE(echoes(port));
}

TEST_F(ReloadFaults, what_the_poller_cannot_watch_leaves_the_service_as_it_was) {
  const std::uint16_t port = free_port();
  folder_.write("conf.d/echo.yaml", on("echo", {tcp(port)}));
  Daemon daemon(folder_, {.arguments = {"--poller", "select"}});
  Client held(port);
  // An address and ports that no other test has: nobody could claim so many.
  const std::string range = "tcp://127.99.0.1:30100-31100";
  folder_.write("conf.d/echo.yaml", on("echo", {tcp(port), range}));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_TRUE(echoes(held));
  EXPECT_TRUE(echoes(port));
}

TEST_F(ReloadFaults, many_busy_ports_keep_nobody_waiting) {
  constexpr int kBusy = 100;
  const std::uint16_t port = free_port();
  std::vector<std::unique_ptr<HeldPort>> strangers;
  for (int i = 0; i < kBusy; ++i) {
    const std::uint16_t busy = free_port();
    strangers.push_back(std::make_unique<HeldPort>(busy));
    folder_.write("conf.d/busy" + std::to_string(i) + ".yaml",
                  on("busy" + std::to_string(i), {tcp(busy)}, "disable: yes"));
  }
  folder_.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder_);
  for (int i = 0; i < kBusy; ++i) {
    const std::string file = "conf.d/busy" + std::to_string(i) + ".yaml";
    std::string text = read_file(folder_ / file);
    text.resize(text.find("disable"));
    folder_.write(file, text);
  }
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1, failed 100"));
  EXPECT_THAT(daemon.log_lines("(held by it_reload["), SizeIs(kBusy));
  EXPECT_TRUE(echoes(port));
}

// ---- what runs

TEST_F(ReloadFaults, programs_go_on_when_only_how_they_are_started_changes) {
  const std::uint16_t port = free_port();
  const std::string cat = shell_service("cat", port, "echo here; cat");
  folder_.write("conf.d/cat.yaml", cat);
  Daemon daemon(folder_);
  Client client(port);
  EXPECT_EQ(client.receive_line(), "here");
  folder_.write("conf.d/cat.yaml", cat + "wait: yes\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(client.send("still there\n"));
  EXPECT_EQ(client.receive_line(), "still there");
  EXPECT_THAT(daemon.state("state: cat: draining"), SizeIs(1));
  client.half_close();
  EXPECT_TRUE(daemon.wait_log("exit=0"));
}

}  // namespace
}  // namespace xsd::test
