// SPDX-License-Identifier: Apache-2.0
//
// tcpmux (RFC 1078): rows pro_1 to pro_4 of reliability.md; in a worker, from shards and with `--workers 0`.
#include <algorithm>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kNotFound = "-Service not found\r\n";

class Tcpmux : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string_view kind = GetParam();
    folder_.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
    if (kind == "in_the_daemon") options_.arguments = {"--workers", "0"};
    folder_.write("conf.d/tcpmux.yaml", "service: tcpmux\nplugin: tcpmux\nlisten: " + tcp(port_) + "\n" +
                                            (kind == "in_shards" ? "shards: 2\n" : ""));
    write_cat();
  }
  void write_cat(const std::string& more = "") const { write("cat", "TCPMUX", "/bin/cat", more); }
  void write(const std::string& name, const std::string& type, const std::string& server,
             const std::string& more = "") const {
    const std::string user = contains(more, "user: ") ? "" : "user: " + current_user() + "\n";
    folder_.write("conf.d/" + name + ".yaml",
                  "service: " + name + "\ntype: [" + type + "]\nserver: " + server + "\n" + user + more);
  }
  std::string answer(const std::string& request) const { return ask(port_, request); }
  static std::size_t starts(const Daemon& daemon) {
    return records(daemon, "cat", "start").size() + records(daemon, "other", "start").size();
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

INSTANTIATE_TEST_SUITE_P(, Tcpmux, testing::Values("in_a_worker", "in_shards", "in_the_daemon"),
                         [](const auto& one) { return one.param; });

// ---- names

TEST_P(Tcpmux, gives_a_client_to_the_service_that_it_names) {
  Daemon daemon(folder_, options_);
  for (const char* const line : {"cat\r\n", "CAT\r\n", "Cat\n"})
    EXPECT_EQ(answer(std::string(line) + "the rest"), "the rest") << line;
  const auto begun = wait_records(daemon, "cat", "start", 3);
  const auto handed = wait_records(daemon, "tcpmux", "end", 3);
  ASSERT_THAT(begun, SizeIs(3));
  ASSERT_THAT(handed, SizeIs(3));
  // Of two shards one may tell later than the other.
  const auto of_client = [&](const Record& record) { return record.at("from") == begun[0].at("from"); };
  const auto same = std::find_if(handed.begin(), handed.end(), of_client);
  ASSERT_NE(same, handed.end());
  EXPECT_EQ(begun[0].at("conn"), same->at("conn"));
  EXPECT_EQ(same->at("error"), "handed over");
}

// Row pro_2. What comes in one piece with the name, and a name that comes in many.
TEST_P(Tcpmux, leaves_every_byte_behind_the_name_to_the_service) {
  Daemon daemon(folder_, options_);
  const std::string binary("\0\r\n\xff +Go\r\n", 9);
  EXPECT_EQ(answer("cat\r\n" + binary), binary);
  EXPECT_EQ(answer("cat\r\n\r\ncat\r\n"), "\r\ncat\r\n");
  const std::string much(1'000'000, 'x');
  EXPECT_EQ(answer("cat\r\n" + much), much);
  Client slow(port_);
  for (const char byte : std::string("cat\r\nthe rest"))
    ASSERT_TRUE(slow.send(std::string(1, byte)));
  slow.half_close();
  EXPECT_EQ(slow.receive_until_eof(), "the rest");
}

TEST_P(Tcpmux, greets_the_clients_of_services_that_ask_for_it) {
  write("greeted", "TCPMUXPLUS, UNLISTED", "/bin/cat");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("greeted\r\nthe rest"), "+Go\r\nthe rest");
}

TEST_P(Tcpmux, lists_the_names) {
  write("greeted", "TCPMUXPLUS", "/bin/cat");
  write("Another", "TCPMUX", "/bin/cat", "id: other\n");
  write("off", "TCPMUX", "/bin/cat", "disable: yes\n");
  folder_.write("conf.d/secret.yaml", shell_service("secret", free_port(), "echo no"));
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("help\r\n"), "Another\r\ncat\r\ngreeted\r\n");
  EXPECT_EQ(answer("HELP\r\nmore"), "Another\r\ncat\r\ngreeted\r\n");
  EXPECT_EQ(answer("another\r\nx"), "x");
}

// Row pro_3.
TEST_P(Tcpmux, refuses_bad_names_on_one_line_without_a_nul) {
  Daemon daemon(folder_, options_);
  std::vector<std::string> lines;
  const std::string_view odd[] = {"",        " cat",   "cat ",   "cat\t",    "c\rat",   "%s%n%x", "../cat",
                                  "/bin/sh", "cat;id", "`id`",   "$(id)",    "-",       "+Go",    "cat\r",
                                  "tcpmux",  "ca",     "cat\\0", "\xff\xfe", "\x1b[2J", "ca\x01t"};
  for (const std::string_view one : odd)
    lines.push_back(std::string(one) + "\r\n");
  for (int i = 1; i < 32; ++i) {
    if (i != '\n') lines.push_back("cat" + std::string(1, static_cast<char>(i)) + "\r\n");
  }
  lines.push_back(std::string("cat\0\r\n", 6));
  lines.push_back(std::string("\0cat\r\n", 6));
  for (std::size_t length = 4; length <= 255; length += 4)
    lines.push_back(std::string(length, 'a') + "\r\n");
  for (std::size_t length = 256; length <= 3000; length += 70)
    lines.push_back(std::string(length, 'c') + "\r\n");
  for (std::size_t length = 1; lines.size() < 220; length += 13)
    lines.push_back(std::string(length, 'c'));  // no end
  ASSERT_GE(lines.size(), 200U);
  for (const std::string& line : lines) {
    const std::string got = answer(line);
    EXPECT_THAT(got, testing::StartsWith("-")) << testing::PrintToString(line);
    EXPECT_TRUE(got.ends_with("\r\n"));
    EXPECT_EQ(got.find('\n'), got.size() - 1);
    EXPECT_EQ(got.find('\0'), std::string::npos);
  }
  EXPECT_EQ(answer("c\r\n"), kNotFound);
  EXPECT_EQ(answer(std::string(256, 'c') + "\r\n"), "-The name is too long\r\n");
  EXPECT_EQ(answer("cat"), "-The line has no end\r\n");
  EXPECT_EQ(answer(""), "");
  EXPECT_EQ(starts(daemon), 0U);
  EXPECT_EQ(answer("cat\r\nstill there"), "still there");
}

// ---- who is reached

// Row pro_4.
TEST_P(Tcpmux, reaches_only_services_that_want_it) {
  const std::uint16_t other = free_port();
  folder_.write("conf.d/other.yaml", shell_service("other", other, "echo no"));
  folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + tcp(free_port()) + "\n");
  write("renamed", "TCPMUX", "/bin/cat", "id: its-id\n");
  write("off", "TCPMUX", "/bin/cat", "disable: yes\n");
  write("faulty", "TCPMUX", "/not/there");
  Daemon daemon(folder_, options_);
  for (const char* const name : {"other", "echo", "its-id", "off", "tcpmux"})
    EXPECT_EQ(answer(std::string(name) + "\r\n"), kNotFound) << name;
  EXPECT_EQ(answer("faulty\r\n"), "");  // it is meant to be there, and is not now
  EXPECT_EQ(answer("renamed\r\nx"), "x");
  EXPECT_EQ(starts(daemon), 0U);
  const auto refusals = wait_records(daemon, "tcpmux", "refuse", 1);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].at("reason"), "protocol");
}

TEST_P(Tcpmux, starts_a_program_with_all_that_its_service_says) {
  const std::string user = is_root() ? "user: nobody\n" : "user: " + current_user() + "\n";
  write("world", "TCPMUX", program("show_world"),
        user + "rlimit_nofile: 99\numask: 027\ndirectory: /usr\nenv: {MINE: here}\n");
  Daemon daemon(folder_, options_);
  World world = parse_world(answer("world\r\n"));
  EXPECT_EQ(world["fds"], "0 1 2");
  EXPECT_EQ(world["cwd"], "/usr");
  EXPECT_EQ(world["umask"], "027");
  EXPECT_EQ(world.environment["MINE"], "here");
  EXPECT_EQ(world.environment["REMOTE_HOST"], "127.0.0.1");
  EXPECT_EQ(world.environment["XSD_SERVICE"], "world");
  EXPECT_THAT(world["uids"], HasSubstr(is_root() ? "65534" : ""));
}

TEST_P(Tcpmux, asks_the_service_whether_the_client_may_in) {
  write_cat("no_access: [127.0.0.2]\ninstances: 1\n");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(ask(port_, "cat\r\nx", {.source = "127.0.0.2"}), "");
  Client first(port_);
  ASSERT_TRUE(first.send("cat\r\nx"));
  ASSERT_EQ(first.receive(1), "x");
  EXPECT_EQ(answer("cat\r\nx"), "");
  const auto refusals = wait_records(daemon, "cat", "refuse", 2);
  ASSERT_THAT(refusals, SizeIs(2));
  EXPECT_EQ(refusals[0].at("reason"), "address");
  EXPECT_EQ(refusals[1].at("reason"), "instances");
}

TEST_P(Tcpmux, may_listen_by_itself_as_well) {
  const std::uint16_t own = free_port();
  write_cat("listen: " + tcp(own) + "\n");
  Daemon daemon(folder_, options_);
  EXPECT_TRUE(echoes(own));
  EXPECT_EQ(answer("cat\r\nx"), "x");
}

// ---- time

// Row pro_1.
TEST_P(Tcpmux, closes_silent_clients_after_ten_seconds_and_starts_nothing_for_them) {
  Daemon daemon(folder_, options_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  std::vector<Client> clients;
  while (clients.size() < 500) {
    clients.emplace_back(port_);
    ASSERT_TRUE(clients.back().connected());
    const bool says_half = clients.size() % 2 == 0;
    ASSERT_TRUE(clients.back().send(says_half ? "ca" : ""));
  }
  EXPECT_EQ(answer("cat\r\nserved meanwhile"), "served meanwhile");
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid()).empty(); }));
  for (Client& client : clients) {
    EXPECT_EQ(client.receive_until_eof(), "-No name within 10 seconds\r\n");
    EXPECT_EQ(client.ending(), Ending::Closed);
  }
  EXPECT_GE(elapsed(begin), Milliseconds(9900));
  EXPECT_THAT(records(daemon, "cat", "start"), SizeIs(1));
  EXPECT_THAT(wait_records(daemon, "tcpmux", "end", 501), SizeIs(501));
}

// ---- reload

TEST_P(Tcpmux, knows_of_services_that_come_and_go_and_drops_no_client) {
  write("gone", "TCPMUX", "/bin/cat");
  write("shut", "TCPMUX", "/bin/cat");
  Daemon daemon(folder_, options_);
  EXPECT_EQ(answer("help\r\n"), "cat\r\ngone\r\nshut\r\n");
  Client old(port_);
  Client too_late(port_);
  ASSERT_TRUE(old.send("ca"));
  ASSERT_TRUE(too_late.send("shu"));
  ASSERT_TRUE(eventually([&] { return contains(daemon.state("state: tcpmux:").at(0), " active=2 "); }));
  folder_.remove("conf.d/gone.yaml");
  folder_.write("conf.d/shut.yaml", shell_service("shut", free_port(), "echo no"));
  write("fresh", "TCPMUX", "/bin/cat");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1, changed 2"));
  EXPECT_EQ(answer("help\r\n"), "cat\r\nfresh\r\n");
  EXPECT_EQ(answer("gone\r\n"), kNotFound);
  EXPECT_EQ(answer("fresh\r\nx"), "x");
  ASSERT_TRUE(old.send("t\r\nthe rest"));
  old.half_close();
  EXPECT_EQ(old.receive_until_eof(), "the rest");
  // The list that it was asked from is old; the service decides now.
  ASSERT_TRUE(too_late.send("t\r\n"));
  EXPECT_EQ(too_late.receive_until_eof(), "");
  EXPECT_THAT(records(daemon, "shut", "start"), IsEmpty());
}

TEST_P(Tcpmux, goes_on_with_a_service_whose_file_is_faulty_now) {
  Daemon daemon(folder_, options_);
  folder_.write("conf.d/cat.yaml", "service: cat\ntype: [TCPMUX\n");
  write("fresh", "TCPMUX", "/bin/cat");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_EQ(answer("help\r\n"), "cat\r\nfresh\r\n");
  EXPECT_EQ(answer("cat\r\nx"), "x");
}

TEST_P(Tcpmux, is_left_alone_by_a_reload_that_changes_no_name) {
  Daemon daemon(folder_, options_);
  write_cat("instances: 7\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1, kept 1"));
  EXPECT_EQ(answer("cat\r\nx"), "x");
}

// ---- the process

TEST_P(Tcpmux, leaves_no_descriptors_behind) {
  Daemon daemon(folder_, options_);
  (void)answer("cat\r\nx");
  (void)wait_records(daemon, "cat", "end", 1);
  const std::size_t before = settled_fd_count(daemon);
  for (int i = 0; i < 30; ++i) {
    (void)answer("cat\r\nx");
    (void)answer("nobody\r\n");
  }
  (void)wait_records(daemon, "cat", "end", 31);
  EXPECT_TRUE(eventually([&] { return settled_fd_count(daemon) == before; }));
  EXPECT_EQ(zombie_count(daemon.pid()), 0U);
}

TEST(TcpmuxWorker, reads_names_and_not_the_master) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/tcpmux.yaml", "service: tcpmux\nplugin: tcpmux\nlisten: " + tcp(port) + "\n");
  Daemon daemon(folder, {.start = {.strace = trace_reads()}});
  EXPECT_EQ(ask(port, "from the client\r\n"), kNotFound);
  EXPECT_EQ(daemon.stop(), 0);
  daemon.end_tracing();
  expect_not_read_by_master(daemon, "from the client");
}

}  // namespace
}  // namespace xsd::test
