// SPDX-License-Identifier: Apache-2.0
//
// The log from the outside: rotation, JSON, hostile bytes (log_1 of reliability.md), and places that cannot
// be written (log_3).
#include <csignal>
#include <regex>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// Every line of a text log begins like this, whatever was logged.
void expect_whole_text_lines(const std::string& log) {
  static const std::regex kLine(
      R"(^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z xsd\[\d+\] (error|warning|info|debug): .*)");
  for (const std::string& line : split_lines(log)) {
    EXPECT_TRUE(std::regex_match(line, kLine)) << line;
    for (const char byte : line)
      EXPECT_FALSE(static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) << line;
  }
  EXPECT_TRUE(log.empty() || log.ends_with('\n'));
}

void expect_json_lines(const std::string& log) {
  for (const std::string& line : split_lines(log)) {
    const auto keys = parse_json_line(line);
    ASSERT_TRUE(keys) << line;
    EXPECT_TRUE(keys->contains("ts")) << line;
    EXPECT_TRUE(keys->contains("event") || keys->contains("message")) << line;
  }
}

std::string first_with(const std::string& log, std::string_view part) {
  for (const std::string& line : split_lines(log)) {
    if (contains(line, part)) return line;
  }
  return {};
}

class Log : public testing::Test {
 protected:
  void write_echo() const { folder_.write("conf.d/echo.yaml", echo_service("echo", port_)); }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
  std::uint16_t program_port_ = free_port();
};

TEST_F(Log, a_renamed_file_is_opened_anew_by_hup) {
  write_echo();
  Daemon daemon(folder_);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
  fs::rename(folder_ / "xsd.log", folder_ / "xsd.log.1");
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return count_lines(folder_.read("xsd.log.1"), "echo: end") == 2; }));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1"));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
  EXPECT_EQ(count_lines(folder_.read("xsd.log.1"), "echo: end"), 2U);
}

TEST_F(Log, the_target_can_change_by_reload_and_a_bad_one_keeps_the_old) {
  const auto main = [&](const std::string& name) {
    return "daemon: {log: {target: {file: " + folder_.string(name) + "}}}\ninclude: [conf.d/*.yaml]\n";
  };
  write_echo();
  folder_.write("xsd.yaml", main("first.log"));
  Daemon daemon(folder_, {.config = folder_ / "xsd.yaml", .log_to_file = false});
  folder_.write("xsd.yaml", main("second.log"));
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return contains(folder_.read("second.log"), "echo: end"); }));
  folder_.write("xsd.yaml", main("no/folder/third.log"));
  (void)daemon.hup_and_wait();
  EXPECT_THAT(folder_.read("second.log"), HasSubstr("no/folder/third.log"));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return count_lines(folder_.read("second.log"), "echo: end") == 2; }));
}

TEST_F(Log, json_is_one_object_a_line) {
  write_echo();
  folder_.write("conf.d/sh.yaml",
                shell_service("sh", program_port_, "echo 'it \"failed\"' >&2; read x; exit 3",
                              "stderr: log\ninstances: 1"));
  folder_.write("conf.d/bad.yaml", "service: \"bad\\tname\"\nplugni: x\n");
  Daemon daemon(folder_, {.arguments = {"--log-format", "json"}});
  EXPECT_TRUE(echoes(port_));
  Client first(program_port_);
  EXPECT_TRUE(daemon.wait_log("\"event\":\"start\",\"service\":\"sh\""));
  EXPECT_EQ(ask(program_port_), "");
  first.half_close();
  EXPECT_EQ(first.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("\"event\":\"end\",\"service\":\"sh\""));
  EXPECT_TRUE(daemon.wait_log("it \\\"failed\\\""));
  EXPECT_EQ(daemon.stop(), 0);
  const std::string log = daemon.log();
  expect_json_lines(log);

  const auto echo_end = parse_json_line(first_with(log, "\"event\":\"end\",\"service\":\"echo\"")).value();
  for (const char* const key : {"ts", "conn", "from", "to", "duration_ms", "bytes_in", "bytes_out"}) {
    EXPECT_TRUE(echo_end.contains(key)) << key;
  }
  EXPECT_EQ(echo_end.at("to"), "127.0.0.1:" + std::to_string(port_));
  EXPECT_FALSE(echo_end.contains("pid"));
  EXPECT_TRUE(std::regex_match(echo_end.at("ts"), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
  const auto end = parse_json_line(first_with(log, "\"event\":\"end\",\"service\":\"sh\"")).value();
  EXPECT_EQ(end.at("exit"), "3");
  const auto start = parse_json_line(first_with(log, "\"event\":\"start\",\"service\":\"sh\"")).value();
  EXPECT_EQ(start.at("pid"), end.at("pid"));
  EXPECT_EQ(start.at("conn"), end.at("conn"));
  EXPECT_EQ(start.at("from"),
            "127.0.0.1:" + std::to_string(first.local_port() != 0 ? first.local_port() : 0));
  const auto refuse = parse_json_line(first_with(log, "\"event\":\"refuse\"")).value();
  EXPECT_EQ(refuse.at("reason"), "instances");
}

TEST_F(Log, text_records_say_what_the_contract_says) {
  folder_.write("conf.d/sh.yaml", shell_service("sh", program_port_, "exit 3"));
  Daemon daemon(folder_);
  Client client(program_port_);
  const std::string from = "127.0.0.1:" + std::to_string(client.local_port());
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("sh: end"));
  EXPECT_THAT(first_with(daemon.log(), "sh: start"),
              testing::ContainsRegex("sh: start conn=[0-9a-f]+ pid=[0-9]+ from=" + from + "$"));
  EXPECT_THAT(first_with(daemon.log(), "sh: end"),
              testing::ContainsRegex("sh: end conn=[0-9a-f]+ pid=[0-9]+ from=" + from +
                                     " exit=3 duration_ms=[0-9]+$"));
}

TEST_F(Log, empty_lists_switch_the_records_off) {
  folder_.write("conf.d/echo.yaml", echo_service("echo", port_, "log_on_success: []\nlog_on_failure: []"));
  Daemon daemon(folder_);
  EXPECT_TRUE(echoes(port_));
  const auto state = daemon.state("state: echo:");
  ASSERT_EQ(state.size(), 1U);
  EXPECT_THAT(state[0], HasSubstr("started=1"));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("conn=")));
}

/// What a program may write, and a trap for whoever trusts lines: a line that looks like one of ours.
const std::string kHostile =
    "\x1b[31mred\x1b[0m\r\nbell\a nul\\0 del\x7f bad\xff\xfe utf8 \xc3\xa4\n2026-01-01T00:00:00.000Z xsd[1] "
    "error: forged\n"
    "{\"ts\":\"x\",\"event\":\"forged\"}\nback\\slash \"quote\"\n\n\xe2\x80\xa8sep\xc2\x85nel\n";

class Hostile : public Log {
 protected:
  void write_program() const {
    folder_.write("hostile", kHostile + std::string(5000, 'x') + "\nno end of line");
    folder_.write(
        "conf.d/sh.yaml",
        shell_service("sh", program_port_, "cat " + folder_.string("hostile") + " >&2", "stderr: log"));
  }
};

TEST_F(Hostile, standard_error_stays_in_its_lines_in_text) {
  write_program();
  Daemon daemon(folder_);
  (void)ask(program_port_);
  EXPECT_TRUE(daemon.wait_log("sh: end"));
  EXPECT_TRUE(daemon.wait_log("sep"));
  EXPECT_EQ(daemon.stop(), 0);
  expect_whole_text_lines(daemon.log());
  EXPECT_EQ(daemon.log_lines("forged").size(), 2U);
  for (const std::string& line : daemon.log_lines("forged"))
    EXPECT_THAT(line, HasSubstr("sh: stderr: "));
  for (const std::string& line : daemon.log_lines("xxxx"))
    EXPECT_LT(line.size(), 1200U);
}

TEST_F(Hostile, standard_error_comes_back_whole_from_json) {
  write_program();
  Daemon daemon(folder_, {.arguments = {"--log-format", "json"}});
  (void)ask(program_port_);
  EXPECT_TRUE(daemon.wait_log("\"event\":\"end\""));
  EXPECT_TRUE(daemon.wait_log("sep"));
  EXPECT_EQ(daemon.stop(), 0);
  expect_json_lines(daemon.log());
  for (const std::string& line : daemon.log_lines("forged"))
    EXPECT_TRUE(parse_json_line(line)->at("message").starts_with("sh: stderr: "));
}

TEST_F(Hostile, names_of_services_and_files_stay_in_their_lines) {
  write_echo();
  folder_.write("conf.d/a\nb\x1b[2J.yaml",
                "service: \"x\\ny\\e[31m\"\nplugin: \"z\\r\\n\"\nlisten: [\"tcp://\\n:1\"]\n");
  folder_.write("conf.d/c.yaml", "service: \"\xc3\xa4 b: c=1 pid=2\"\nplugin: echo\nlisten: [" +
                                     yaml_quoted(tcp(program_port_)) + "]\n");
  Daemon daemon(folder_);
  (void)echoes(program_port_);
  (void)daemon.hup_and_wait();
  (void)daemon.state();
  EXPECT_EQ(daemon.stop(), 0);
  expect_whole_text_lines(daemon.log());
}

/// A client of `path` that calls itself `name` in the abstract name space, once served.
void echo_as(const std::string& path, std::string_view name) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  name.copy(own.sun_path + 1, sizeof own.sun_path - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&own), length), 0);
  sockaddr_un server{};
  server.sun_family = AF_UNIX;
  path.copy(server.sun_path, sizeof server.sun_path - 1);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
  char byte = 'x';
  EXPECT_EQ(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(recv(fd, &byte, 1, 0), 1);
  close(fd);
}

TEST_F(Hostile, names_of_unix_peers_make_no_keys) {
  const std::string path = folder_.string("echo.sock");
  folder_.write("conf.d/echo.yaml",
                "service: echo\nplugin: echo\nlisten: [" + yaml_quoted("unix://" + path) + "]\n");
  const std::string name = " pid=1 exit=0 '\n" + std::to_string(getpid());
  {
    Daemon daemon(folder_);
    echo_as(path, name);
    EXPECT_TRUE(daemon.wait_log("echo: end"));
    EXPECT_EQ(daemon.stop(), 0);
    expect_whole_text_lines(daemon.log());
    const std::string shown = " from='unix:@ pid=1 exit=0 \\'\\n" + std::to_string(getpid()) + "'";
    EXPECT_THAT(first_with(daemon.log(), "echo: start"), testing::EndsWith(shown));
    EXPECT_THAT(first_with(daemon.log(), "echo: end"), HasSubstr(shown + " duration_ms="));
  }
  Daemon daemon(folder_, {.arguments = {"--log-format", "json", "--log-file", folder_.string("json.log")},
                          .log_to_file = false});
  echo_as(path, name);
  EXPECT_TRUE(eventually([&] { return contains(folder_.read("json.log"), "\"event\":\"end\""); }));
  expect_json_lines(folder_.read("json.log"));
  const auto end = parse_json_line(first_with(folder_.read("json.log"), "\"event\":\"end\"")).value();
  EXPECT_EQ(end.at("from"), "unix:@" + name);
  EXPECT_FALSE(end.contains("pid"));
}

TEST_F(Hostile, programs_that_cannot_be_executed_are_told_of_in_one_line) {
  const std::string path = folder_
                               .write("bad\nprogram",
                                      "\x7f"
                                      "ELF garbage")
                               .string();
  fs::permissions(path, fs::perms(0755));
  folder_.write("conf.d/p.yaml", program_service("p", program_port_, {path}));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(program_port_), "");
  EXPECT_TRUE(daemon.wait_log("p: end"));
  expect_whole_text_lines(daemon.log());
  EXPECT_THAT(first_with(daemon.log(), "p: end"), HasSubstr("error="));
}

// ---- log_3

TEST_F(Log, a_full_device_does_not_stop_the_service) {
  write_echo();
  Daemon daemon(folder_, {.arguments = {"--log-file", "/dev/full"}, .log_to_file = false});
  for (int i = 0; i < 50; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.signal(SIGHUP));
  EXPECT_TRUE(daemon.wait_notification("READY=1"));
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Log, a_full_disk_does_not_stop_the_service_and_the_log_goes_on_when_there_is_room) {
  if (!is_root()) GTEST_SKIP() << "needs root for a mount namespace";
  if (run({"unshare", "--mount", "true"}).status != 0) GTEST_SKIP() << "no mount namespace here";
  write_echo();
  folder_.make_folder("disk");
  const std::string disk = folder_.string("disk");
  const auto mount_disk = [&] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k,mode=755") != 0) {
      _exit(99);
    }
  };
  Daemon daemon(folder_, {.arguments = {"--log-file", disk + "/xsd.log"},
                          .log_to_file = false,
                          .start = {.in_child = mount_disk}});
  // Seen from here through the daemon's own root.
  const fs::path inside = "/proc/" + std::to_string(daemon.pid()) + "/root" + disk;
  const auto log = [&] { return read_file(inside / "xsd.log"); };
  const auto is_full = [&] {
    std::error_code error;
    return fs::space(inside, error).available == 0;
  };
  int served = 0;
  while (!is_full() && served < 3000)
    served += echoes(port_) ? 1 : 0;
  ASSERT_TRUE(is_full());
  for (int i = 0; i < 500; ++i)  // more than the logger collects before it writes
    EXPECT_TRUE(echoes(port_));
  const std::size_t before = log().size();
  // Room again: as a rotation by copy and truncate makes it.
  fs::resize_file(inside / "xsd.log", 0);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return contains(log(), "echo: end"); })) << before << " bytes before";
  EXPECT_THAT(log(), testing::ContainsRegex("log: [0-9]+ lines were dropped: .*No space left"));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Log, errors_of_the_device_do_not_stop_the_service_and_the_log_goes_on_after_them) {
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  write_echo();
  folder_.write("xsd.log", "");
  Daemon daemon(folder_, {.start = {.strace = {"-P", folder_.string("xsd.log"), "-e", "trace=write,writev",
                                               "-e", "inject=write,writev:error=EIO:when=2..20"}}});
  int served = 0;
  EXPECT_TRUE(eventually([&] {
    served += echoes(port_) ? 1 : 0;
    return !daemon.log_lines("lines were dropped").empty();
  }));
  EXPECT_GE(count_lines(daemon.strace_text(), "(INJECTED)"),
            19U);  // of the logger; the daemon had some before
  EXPECT_THAT(daemon.log(), testing::ContainsRegex("log: [0-9]+ lines were dropped: Input/output error"));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return contains(split_lines(daemon.log()).back(), "echo: end"); }));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Log, a_folder_that_became_read_only_keeps_the_old_log_until_it_is_writable_again) {
  if (!is_root()) GTEST_SKIP() << "needs root for a mount namespace";
  if (run({"unshare", "--mount", "true"}).status != 0) GTEST_SKIP() << "no mount namespace here";
  write_echo();
  folder_.make_folder("disk");
  const std::string disk = folder_.string("disk");
  Daemon daemon(folder_, {.arguments = {"--log-file", disk + "/xsd.log"},
                          .log_to_file = false,
                          .start = {.in_child = [] {
                            if (unshare(CLONE_NEWNS) != 0 ||
                                mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
                              _exit(99);
                            }
                          }}});
  const auto in_its_world = [&](const std::string& command) {
    const RunResult result =
        run({"nsenter", "-t", std::to_string(daemon.pid()), "-m", "/bin/sh", "-c", command});
    EXPECT_EQ(result.status, 0) << command << ": " << result.err;
  };
  in_its_world("mount --bind " + disk + " " + disk + " && mount -o remount,bind,ro " + disk);
  fs::rename(folder_ / "disk/xsd.log", folder_ / "disk/xsd.log.1");
  EXPECT_TRUE(daemon.signal(SIGHUP));
  const auto old_log = [&] { return folder_.read("disk/xsd.log.1"); };
  EXPECT_TRUE(eventually([&] {
    return contains(old_log(), "xsd.log: Read-only file system; the old log stays");
  })) << old_log();
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return contains(old_log(), "echo: end"); }));
  in_its_world("umount " + disk);
  EXPECT_TRUE(daemon.signal(SIGHUP));
  EXPECT_TRUE(
      eventually([&] { return echoes(port_) && contains(folder_.read("disk/xsd.log"), "echo: end"); }));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Log, a_reader_of_the_standard_error_that_went_away_does_not_matter) {
  write_echo();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Daemon daemon(folder_,
                {.log_to_file = false, .start = {.in_child = [&] { (void)dup2(ends[1], STDERR_FILENO); }}});
  close(ends[1]);
  close(ends[0]);
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Log, a_reader_of_the_standard_error_that_stopped_does_not_block_anybody) {
  write_echo();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Daemon daemon(folder_,
                {.log_to_file = false, .start = {.in_child = [&] { (void)dup2(ends[1], STDERR_FILENO); }}});
  close(ends[1]);
  EchoLoad load(1, [&] { return port_; });
  EXPECT_TRUE(eventually([&] { return load.served() > 2500; }));
  const EchoLoad::Totals totals = load.stop();
  EXPECT_EQ(totals.refused + totals.wrong, 0U) << totals.first_error;
  EXPECT_LT(rss_kib(daemon.pid()), is_sanitized() ? 1000000U : 65536U);
  EXPECT_EQ(daemon.stop(), 0);
  close(ends[0]);
}

// systemd connects the standard error to the journal and says so.
TEST_F(Log, lines_for_the_journal_have_their_level_and_no_time) {
  write_echo();
  folder_.write("conf.d/bad.yaml", "service: bad\n");
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  struct stat info {};
  ASSERT_EQ(fstat(ends[1], &info), 0);
  const std::string stream = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  {
    Daemon daemon(folder_, {.log_to_file = false,
                            .start = {.environment = {"JOURNAL_STREAM=" + stream},
                                      .in_child = [&] { (void)dup2(ends[1], STDERR_FILENO); }}});
    close(ends[1]);
    EXPECT_TRUE(echoes(port_));
    EXPECT_EQ(daemon.stop(), 0);
  }
  std::string log;
  char buffer[4096];
  for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;)
    log.append(buffer, static_cast<std::size_t>(size));
  close(ends[0]);
  for (const std::string& line : split_lines(log))
    EXPECT_TRUE(std::regex_match(line, std::regex("^<[3-6]>.*"))) << line;
  EXPECT_THAT(first_with(log, "bad.yaml:1"), testing::StartsWith("<3>"));
  EXPECT_THAT(first_with(log, "echo: start conn="), testing::StartsWith("<6>echo: start"));
  EXPECT_THAT(first_with(log, "stopped"), "<6>stopped");
}

TEST_F(Log, syslog_that_is_not_there_does_not_matter) {
  if (fs::exists("/dev/log")) GTEST_SKIP() << "/dev/log is there, and nothing to test with";
  write_echo();
  folder_.write("xsd.yaml", "daemon: {log: {target: syslog}}\ninclude: [conf.d/*.yaml]\n");
  Daemon daemon(folder_, {.config = folder_ / "xsd.yaml", .log_to_file = false});
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
