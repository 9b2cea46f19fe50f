// SPDX-License-Identifier: Apache-2.0
//
// Files of addresses in only_from and no_access: they are read beside the loop, again when they change, and a
// faulty version changes nothing.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/echo_of_a_kind.h"

namespace xsd::test {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class AddressFiles : public EchoOfAKind {
 protected:
  std::string entry(std::string_view name) const { return "\"file:" + folder_.string(name) + "\""; }
};

INSTANTIATE_TEST_SUITE_P(, AddressFiles, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(AddressFiles, let_in_whom_they_name) {
  folder_.write("allow", "# ours\n127.0.0.2  # the first\n\n127.1.0.0/16\n");
  write_echo("only_from: [127.0.0.9, " + entry("allow") + "]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves(kFirst));
  EXPECT_TRUE(serves("127.1.2.3"));
  EXPECT_TRUE(serves("127.0.0.9"));
  EXPECT_FALSE(serves(kSecond));
  EXPECT_TRUE(daemon.wait_log("reason=address"));
}

TEST_P(AddressFiles, count_as_their_list_does) {
  folder_.write("allow", "127.0.0.0/24\n127.0.1.5\n");
  folder_.write("deny", "127.0.0.2\n127.0.1.0/24\n127.0.1.5\n");
  write_echo("only_from: " + entry("allow") + "\nno_access: [" + entry("deny") + "]");
  Daemon daemon(folder_, options());
  EXPECT_FALSE(serves(kFirst)) << "the address is longer than the /24";
  EXPECT_TRUE(serves(kSecond));
  EXPECT_FALSE(serves("127.0.1.4"));
  EXPECT_FALSE(serves("127.0.1.5")) << "both have it";
}

TEST_P(AddressFiles, are_read_anew_when_they_change) {
  folder_.write("allow", "127.0.0.2\n");
  write_echo("only_from: " + entry("allow"));
  Daemon daemon(folder_, options());
  Client held = connect(kFirst);
  EXPECT_TRUE(is_served(held));
  EXPECT_FALSE(serves(kSecond));
  folder_.write("allow", "127.0.0.3\n");
  EXPECT_TRUE(daemon.wait_log("allow: changed, and in force"));
  EXPECT_TRUE(serves(kSecond));
  EXPECT_FALSE(serves(kFirst));
  EXPECT_TRUE(is_served(held));
}

TEST_P(AddressFiles, that_become_faulty_leave_the_last_good_version_in_force) {
  folder_.write("allow", "127.0.0.2\n");
  write_echo("only_from: " + entry("allow"));
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves(kFirst));
  folder_.write("allow", "127.0.0.3\n  127.0.0.256\n");
  EXPECT_TRUE(daemon.wait_log("what was read before stays in force"));
  EXPECT_THAT(daemon.log_lines("stays in force").at(0), HasSubstr("allow:2:3: '256' in '127.0.0.256'"));
  EXPECT_TRUE(serves(kFirst));
  EXPECT_FALSE(serves(kSecond));
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(serves(kFirst));
  folder_.remove("allow");
  EXPECT_TRUE(daemon.wait_log("what was read before stays in force", 2));
  EXPECT_TRUE(serves(kFirst));
  folder_.write("allow", "127.0.0.3\n");
  EXPECT_TRUE(daemon.wait_log("allow: changed, and in force"));
  EXPECT_TRUE(serves(kSecond));
  EXPECT_THAT(daemon.log_lines("stays in force"), SizeIs(2)) << "each once";
}

TEST_P(AddressFiles, that_are_missing_make_the_service_fail_until_they_are_there) {
  write_echo("only_from: " + entry("allow"));
  folder_.write("conf.d/other.yaml", echo_service("other", free_port()));
  Daemon daemon(folder_, options());
  EXPECT_THAT(daemon.log(), HasSubstr("allow: cannot open: No such file or directory"));
  EXPECT_TRUE(is_refused(port_));
  folder_.write("allow", "127.0.0.2\n");
  EXPECT_TRUE(daemon.wait_log("echo: works again"));
  EXPECT_TRUE(serves(kFirst));
  EXPECT_FALSE(serves(kSecond));
}

TEST_P(AddressFiles, come_and_go_with_a_reload) {
  folder_.write("allow", "127.0.0.2\n");
  write_echo("");
  Daemon daemon(folder_, options());
  Client held = connect(kSecond);
  EXPECT_TRUE(is_served(held));
  write_echo("only_from: " + entry("allow"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves(kFirst));
  EXPECT_FALSE(serves(kSecond));
  EXPECT_TRUE(is_served(held));
  write_echo("only_from: " + entry("missing"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_TRUE(serves(kFirst)) << "the old definition stays";
  write_echo("");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves(kSecond));
}

class AddressFilesOfSenders : public testing::TestWithParam<std::string> {
 protected:
  void write_echo(const std::string& more) const {
    const std::string listen = GetParam().starts_with("beside_streams") ? ", " + tcp(port_) : "";
    folder_.write("conf.d/echo.yaml",
                  "service: echo\nplugin: echo\nlisten: [" + udp(port_) + listen + "]\n" + more + "\n");
  }
  DaemonOptions options() const {
    DaemonOptions options;
    if (GetParam() == "in_the_daemon") options.arguments = {"--workers", "0"};
    return options;
  }
  std::string entry(std::string_view name) const { return "\"file:" + folder_.string(name) + "\""; }
  bool is_answered(const std::string& source, Milliseconds deadline = kDeadline) const {
    UdpClient client(port_, {.source = source});
    return client.send("x") && client.receive(deadline) == "x";
  }
  /// It is dropped: one that is sent after it has an answer, and it has none.
  bool is_dropped(const std::string& source, const std::string& listed) const {
    UdpClient client(port_, {.source = source});
    return client.send("x") && is_answered(listed) && !client.receive(Milliseconds(0));
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

INSTANTIATE_TEST_SUITE_P(, AddressFilesOfSenders,
                         testing::Values("in_a_worker", "beside_streams", "in_the_daemon"), name_of_kind);

TEST_P(AddressFilesOfSenders, let_in_whom_they_name) {
  folder_.write("allow", "127.0.0.0/24\n");
  folder_.write("deny", "127.0.0.3\n");
  write_echo("only_from: [127.1.0.0/16, " + entry("allow") + "]\nno_access: " + entry("deny"));
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_answered(kFirst));
  EXPECT_TRUE(is_answered("127.1.0.3"));
  EXPECT_TRUE(is_dropped(kSecond, kFirst));
  EXPECT_TRUE(is_dropped("127.2.0.1", kFirst));
}

TEST_P(AddressFilesOfSenders, are_read_anew_when_they_change) {
  folder_.write("allow", "127.0.0.2\n");
  write_echo("only_from: " + entry("allow"));
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_answered(kFirst));
  EXPECT_TRUE(is_dropped(kSecond, kFirst));
  folder_.write("allow", "127.0.0.3\n");
  EXPECT_TRUE(daemon.wait_log("allow: changed, and in force"));
  EXPECT_TRUE(eventually([this] { return is_answered(kSecond, Milliseconds(100)); }));
  EXPECT_TRUE(is_dropped(kFirst, kSecond));
  folder_.write("allow", "127.0.0.256\n");
  EXPECT_TRUE(daemon.wait_log("what was read before stays in force"));
  EXPECT_TRUE(is_answered(kSecond));
}

TEST_P(AddressFilesOfSenders, come_and_go_with_a_reload_and_are_waited_for) {
  write_echo("");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_answered(kSecond));
  folder_.write("allow", "127.0.0.2\n");
  write_echo("only_from: " + entry("allow"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_answered(kFirst));
  EXPECT_TRUE(is_dropped(kSecond, kFirst));
  write_echo("only_from: " + entry("missing"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_TRUE(is_answered(kFirst)) << "the old definition stays";
  EXPECT_TRUE(is_dropped(kSecond, kFirst));
  write_echo("");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_answered(kSecond));
}

TEST_P(AddressFilesOfSenders, are_shared_by_any_number_of_services) {
  folder_.write("allow", "127.0.0.2\n");
  const std::vector<std::uint16_t> ports = free_ports(40);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    folder_.write("conf.d/e" + std::to_string(i) + ".yaml", "service: echo\nid: e" + std::to_string(i) +
                                                                "\nplugin: echo\nlisten: " + udp(ports[i]) +
                                                                "\nonly_from: " + entry("allow") + "\n");
  }
  Daemon daemon(folder_, options());
  for (const std::uint16_t port : ports) {
    UdpClient client(port, {.source = kFirst});
    EXPECT_TRUE(client.send("x") && client.receive() == "x");
  }
  EXPECT_LT(fd_count(daemon.pid()), 40U + ports.size());
}

TEST(AddressFile, is_looked_at_by_check) {
  TempFolder folder;
  folder.write("allow", "127.0.0.2\nnonsense!\n");
  folder.write("conf.d/a.yaml",
               shell_service("a", 7, "true", "only_from: [\"file:" + folder.string("allow") + "\"]\n"));
  const RunResult faulty = run_xsd({"--check", "-c", folder.string("conf.d")});
  EXPECT_EQ(faulty.status, 78);
  EXPECT_THAT(faulty.out, HasSubstr("allow:2:1: 'nonsense!' is neither an address nor a name"));
  folder.write("allow", "127.0.0.2\n");
  EXPECT_EQ(run_xsd({"--check", "-c", folder.string("conf.d")}).status, 0);
}

TEST(AddressFile, that_others_may_write_is_refused) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  TempFolder folder;
  const auto file = folder.write("allow", "127.0.0.0/8\n");
  std::filesystem::permissions(file, std::filesystem::perms(0646));
  const std::uint16_t port = free_port();
  folder.write("conf.d/a.yaml",
               shell_service("a", port, "true", "only_from: [\"file:" + file.string() + "\"]\n"));
  folder.write("conf.d/b.yaml", echo_service("b", free_port()));
  Daemon daemon(folder);
  EXPECT_THAT(daemon.log(), HasSubstr("allow: others may write it"));
  EXPECT_TRUE(is_refused(port));
}

TEST(AddressFile, of_any_length_keeps_no_client_waiting) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t named = free_port();
  std::string text = "127.0.0.2\n";
  for (unsigned i = 0; i < 200'000; ++i) {
    const unsigned number = i * 2654435761U;
    text += std::to_string(1 + number % 120) + "." + std::to_string(number >> 8U & 255U) + "." +
            std::to_string(number >> 16U & 255U) + "." + std::to_string(1 + i % 250) + "\n";
  }
  folder.write("allow", text);
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/named.yaml",
               program_service("named", named, {"/bin/cat"},
                               "only_from: [\"file:" + folder.string("allow") + "\"]\n"));
  Daemon daemon(folder, {.wait_ready = false});
  ASSERT_TRUE(daemon.wait_ready(Milliseconds(60000)));
  EXPECT_TRUE(echoes(named, {.source = "127.0.0.2"}));
  folder.write("allow", text + "127.0.0.3\n");
  std::vector<Milliseconds> answers;
  const auto is_over = [&daemon] { return !daemon.log_lines("changed, and in force").empty(); };
  for (const auto begin = steady_clock::now(); !is_over() && elapsed(begin) < Milliseconds(60000);) {
    for (int i = 0; i < 20; ++i) {
      const auto asked = steady_clock::now();
      ASSERT_TRUE(echoes(port));
      answers.push_back(elapsed(asked));
    }
  }
  EXPECT_TRUE(echoes(named, {.source = "127.0.0.3"}));
  std::sort(answers.begin(), answers.end());
  const Milliseconds p99 = answers[answers.size() * 99 / 100];
  RecordProperty("answers", static_cast<int>(answers.size()));
  RecordProperty("p99_ms", static_cast<int>(p99.count()));
  EXPECT_LT(p99, Milliseconds(100));
}

}  // namespace
}  // namespace xsd::test
