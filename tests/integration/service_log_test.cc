// SPDX-License-Identifier: Apache-2.0
//
// `log_type`: the records of a service in a file or syslog facility of their own, whoever makes and whoever
// writes them; sizes at which a file is rotated; and that nothing of it keeps a service from being served.
#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

/// With a logger and workers, or all in one process.
class ServiceLog : public testing::TestWithParam<const char*> {
 protected:
  DaemonOptions options(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--workers", GetParam()});
    return {.arguments = std::move(more)};
  }
  std::string to_file(const std::string& more = "", const std::string& name = "records") const {
    return "log_type: {file: " + folder_.string(name) + (more.empty() ? "" : ", " + more) + "}\n";
  }
  void write_echo(const std::string& more) const {
    folder_.write("conf.d/echo.yaml", echo_service("echo", port_, more));
  }
  void write_cat(const std::string& more) const {
    folder_.write("conf.d/cat.yaml", program_service("cat", cat_port_, {"/bin/cat"}, more));
  }
  bool wait_lines(std::size_t count, std::string_view part, const std::string& name = "records") const {
    return eventually([&] { return count_lines(folder_.read(name), part) >= count; });
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t cat_port_ = free_port();
};

INSTANTIATE_TEST_SUITE_P(With, ServiceLog, testing::Values("auto", "0"),
                         [](const auto& parameter) { return std::string("workers_") + parameter.param; });

TEST_P(ServiceLog, has_the_records_of_all_services_that_name_it_and_nothing_else) {
  write_echo(to_file());
  write_cat("instances: 1\n" + to_file());
  const std::uint16_t other = free_port();
  folder_.write("conf.d/other.yaml", echo_service("other", other));
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  Client client(cat_port_);
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(ask(cat_port_), "");  // refused
  client.close();
  EXPECT_TRUE(wait_lines(2, ": end "));
  EXPECT_TRUE(echoes(other));
  EXPECT_TRUE(daemon.wait_log("other: end "));
  EXPECT_EQ(daemon.stop(), 0);
  const std::vector<std::string> lines = split_lines(folder_.read("records"));
  EXPECT_THAT(lines, SizeIs(5));
  EXPECT_THAT(lines, Each(ContainsRegex("^[0-9-]{10}T[0-9:.]{12}Z xsd\\[[0-9]+\\] info: (echo|cat): "
                                        "(start|end|refuse) conn=[0-9a-f]+ ")));
  EXPECT_EQ(count_lines(folder_.read("records"), "echo: end"), 1U);
  EXPECT_EQ(count_lines(folder_.read("records"), "cat: refuse"), 1U);
  EXPECT_THAT(daemon.log_lines("echo: "), IsEmpty());
  EXPECT_THAT(daemon.log_lines("cat: start"), IsEmpty());
  struct stat info {};
  ASSERT_EQ(stat(folder_.string("records").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
  EXPECT_EQ(info.st_uid, geteuid());
}

TEST_P(ServiceLog, is_json_if_the_log_is) {
  write_echo(to_file());
  write_cat(to_file());
  Daemon daemon(folder_, options({"--log-format", "json"}));
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(ask(cat_port_, "x"), "x");
  EXPECT_TRUE(wait_lines(2, "\"end\""));
  for (const std::string& line : split_lines(folder_.read("records"))) {
    const auto record = parse_json_line(line);
    ASSERT_TRUE(record) << line;
    EXPECT_TRUE(record->contains("ts"));
  }
  EXPECT_TRUE(contains(folder_.read("records"), "\"cpu_ms\":"));
}

TEST_P(ServiceLog, has_been_written_to_the_last_line_when_the_daemon_has_ended) {
  write_echo(to_file());
  Daemon daemon(folder_, options());
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(count_lines(folder_.read("records"), "echo: end"), 20U);
}

TEST_P(ServiceLog, that_was_moved_is_opened_anew_by_hup) {
  write_echo(to_file());
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(1, "echo: end"));
  fs::rename(folder_ / "records", folder_ / "moved");
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(2, "echo: end", "moved"));
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(1, "echo: end"));
  EXPECT_EQ(count_lines(folder_.read("moved"), "echo: end"), 2U);
}

TEST_P(ServiceLog, that_is_full_is_rotated_and_no_line_is_lost) {
  write_echo(to_file("hard_limit: 20K"));
  Daemon daemon(folder_, options());
  std::size_t served = 0;
  EXPECT_TRUE(eventually([&] {
    served += echoes(port_) ? 1 : 0;
    return fs::exists(folder_ / "records.1");
  }));
  EXPECT_GE(fs::file_size(folder_ / "records.1"), 20U * 1024U);
  for (int i = 0; i < 10; ++i)
    served += echoes(port_) ? 1 : 0;
  EXPECT_TRUE(daemon.wait_log("records: a new file begins, the old one is full and named"));
  EXPECT_EQ(daemon.stop(), 0);
  const std::string old = folder_.read("records.1");
  const std::string now = folder_.read("records");
  EXPECT_EQ(count_lines(old, "echo: end") + count_lines(now, "echo: end"), served);
  EXPECT_EQ(count_lines(old, "echo: start") + count_lines(now, "echo: start"), served);
  EXPECT_TRUE(old.ends_with('\n'));
  EXPECT_THAT(daemon.log_lines("dropped"), IsEmpty());
}

TEST_P(ServiceLog, is_rotated_again_and_again_and_never_goes_silent) {
  write_echo("log_type: [FILE, " + folder_.string("records") + ", 1K, 2K]\n");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(echoes(port_));
    return daemon.log_lines("records: a new file begins").size() >= 5;
  }));
  EXPECT_FALSE(daemon.log_lines("it has reached its soft limit of 1K and is rotated at 2K").empty());
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log_lines("error"), IsEmpty());
}

TEST_P(ServiceLog, that_cannot_be_rotated_grows_on) {
  folder_.make_folder("records.1");
  folder_.write("records.1/x", "");
  write_echo(to_file("hard_limit: 1K"));
  Daemon daemon(folder_, options());
  std::size_t served = 0;
  EXPECT_TRUE(eventually([&] {
    served += echoes(port_) ? 1 : 0;
    return daemon.log_lines("error: log ").size() >= 2;
  }));
  EXPECT_THAT(daemon.log_lines("error: log ").front(),
              ContainsRegex("records: cannot be rotated and grows on: rename .*: Is a directory"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(count_lines(folder_.read("records"), "echo: end"), served);
}

TEST_P(ServiceLog, that_cannot_be_opened_costs_no_record_and_no_client) {
  write_echo(to_file("", "missing/records"));
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("info: echo: end "));
  EXPECT_THAT(daemon.log_lines("its records go to the daemon's log until it can be opened"), SizeIs(1));
  (void)daemon.hup_and_wait();
  EXPECT_THAT(daemon.log_lines("until it can be opened"), SizeIs(1)) << "it was told";
  folder_.make_folder("missing");
  (void)daemon.hup_and_wait();
  EXPECT_THAT(daemon.log_lines("missing/records: it is open"), SizeIs(1));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(1, "echo: end", "missing/records"));
  EXPECT_THAT(daemon.log_lines("info: echo: end "), SizeIs(1));
}

TEST_P(ServiceLog, is_no_link_to_something_else) {
  folder_.write("victim", "precious\n");
  fs::create_symlink(folder_ / "victim", folder_ / "records");
  write_echo(to_file());
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("info: echo: end "));
  EXPECT_THAT(daemon.log_lines("it is a symbolic link; its records go to the daemon's log"), SizeIs(1));
  EXPECT_EQ(folder_.read("victim"), "precious\n");
}

TEST_P(ServiceLog, can_change_by_reload_and_what_runs_keeps_the_old_one) {
  write_cat(to_file());
  Daemon daemon(folder_, options());
  Client before(cat_port_);
  EXPECT_TRUE(echoes(before));
  write_cat(to_file("", "others"));
  (void)daemon.hup_and_wait();
  EXPECT_EQ(ask(cat_port_, "x"), "x");
  before.close();
  EXPECT_TRUE(wait_lines(1, "cat: end", "others"));
  EXPECT_TRUE(wait_lines(1, "cat: end"));
  write_cat("");
  (void)daemon.hup_and_wait();
  EXPECT_EQ(ask(cat_port_, "x"), "x");
  EXPECT_TRUE(daemon.wait_log("cat: end"));
  // Nobody uses the first one any more, and the second one no longer from the next reload on.
  (void)daemon.hup_and_wait();
  for (const auto& [fd, what] : open_fds(daemon.pid()))
    EXPECT_THAT(what, testing::AllOf(Not(HasSubstr("/records")), Not(HasSubstr("/others"))));
}

TEST_P(ServiceLog, has_the_limits_of_the_last_reload) {
  write_echo(to_file());
  Daemon daemon(folder_, options());
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(20, "echo: end"));
  EXPECT_FALSE(fs::exists(folder_ / "records.1"));
  write_echo(to_file("hard_limit: 2K"));
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(eventually([&] { return fs::exists(folder_ / "records.1"); }));
  EXPECT_GE(count_lines(folder_.read("records.1"), "echo: end"), 20U);
}

TEST_P(ServiceLog, becomes_the_daemons_own_by_reload) {
  const auto write_main = [&](const std::string& file) {
    folder_.write("xsd.yaml", "daemon: {log: {target: {file: " + folder_.string(file) +
                                  "}}}\ninclude: [conf.d/*.yaml]\n");
  };
  write_main("main.log");
  write_echo(to_file("hard_limit: 2K"));
  DaemonOptions by_file = options();
  by_file.config = folder_ / "xsd.yaml";
  by_file.log_to_file = false;
  Daemon daemon(folder_, by_file);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(1, "echo: end"));
  write_main("records");
  EXPECT_TRUE(daemon.signal(SIGHUP));
  EXPECT_TRUE(wait_lines(1, "info: reload: "));
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(21, "echo: end"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_FALSE(fs::exists(folder_ / "records.1"));
}

TEST_P(ServiceLog, of_several_limits_the_first_count) {
  write_cat(to_file("hard_limit: 1M"));
  write_echo(to_file("hard_limit: 2M"));
  Daemon daemon(folder_, options());
  EXPECT_THAT(daemon.log_lines("echo: log_type: cat has other limits for "), SizeIs(1));
}

TEST_P(ServiceLog, may_be_the_daemons_own_and_is_not_rotated_then) {
  write_echo("log_type: {file: " + folder_.string("xsd.log") + ", hard_limit: 1K}\n");
  Daemon daemon(folder_, options());
  EXPECT_THAT(daemon.log_lines("is the daemon's own log, and no size ends that"), SizeIs(1));
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("info: echo: end ", 20));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_FALSE(fs::exists(folder_ / "xsd.log.1"));
}

TEST_P(ServiceLog, on_a_full_disk_costs_records_that_are_told_and_goes_on_when_there_is_room) {
  if (!is_root()) GTEST_SKIP() << "needs root for a mount namespace";
  if (run({"unshare", "--mount", "true"}).status != 0) GTEST_SKIP() << "no mount namespace here";
  folder_.make_folder("disk");
  const std::string disk = folder_.string("disk");
  write_echo(to_file("", "disk/records"));
  DaemonOptions with_disk = options();
  with_disk.start.in_child = [&] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k,mode=755") != 0) {
      _exit(99);
    }
  };
  Daemon daemon(folder_, with_disk);
  // Seen from here through the daemon's own root.
  const fs::path inside = "/proc/" + std::to_string(daemon.pid()) + "/root" + disk;
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(echoes(port_));
    return !daemon.log_lines("No space left on device; records are lost until it takes them again").empty();
  }));
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(echoes(port_));
  fs::resize_file(inside / "records", 0);
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(echoes(port_));
    return !daemon.log_lines("it takes records again, ").empty();
  }));
  EXPECT_THAT(daemon.log_lines("records are lost until"), SizeIs(1));
  EXPECT_EQ(daemon.stop(), 0);
}

/// The socket that is /dev/log for a daemon in a mount namespace of its own.
class Syslog : public ServiceLog {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root for a mount namespace";
    if (run({"unshare", "--mount", "true"}).status != 0) GTEST_SKIP() << "no mount namespace here";
    folder_.make_folder("dev");
    begin();
  }
  ~Syslog() override { end(); }
  void begin() {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    folder_.string("syslog").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(chmod(folder_.string("syslog").c_str(), 0666), 0);
  }
  void end() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    std::error_code error;
    fs::remove(folder_ / "syslog", error);
  }
  DaemonOptions with_syslog() const {
    DaemonOptions made = options();
    made.start.in_child = [this] {
      const std::string dev = folder_.string("dev");
      if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          mount("tmpfs", dev.c_str(), "tmpfs", 0, "mode=755") != 0 ||
          mknod((dev + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0 ||
          chmod((dev + "/null").c_str(), 0666) != 0 ||
          symlink(folder_.string("syslog").c_str(), (dev + "/log").c_str()) != 0 ||
          mount(dev.c_str(), "/dev", nullptr, MS_BIND, nullptr) != 0) {
        _exit(99);
      }
    };
    return made;
  }
  /// The next one; empty if none comes.
  std::string receive() const {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(kDeadline.count())) <= 0) return {};
    char buffer[4096];
    const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
    return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
  }

 private:
  int fd_ = -1;
};

INSTANTIATE_TEST_SUITE_P(With, Syslog, testing::Values("auto", "0"),
                         [](const auto& parameter) { return std::string("workers_") + parameter.param; });

TEST_P(Syslog, gets_records_with_the_facility_and_level_of_the_service) {
  write_echo("log_type: [SYSLOG, authpriv]\n");
  write_cat("log_type: {syslog: local3, level: notice}\n");
  Daemon daemon(folder_, with_syslog());
  EXPECT_TRUE(echoes(port_));
  const std::string maker = "xsd\\[" + std::to_string(server_of(daemon.pid())) + "\\]: ";
  EXPECT_THAT(receive(),
              ContainsRegex("^<86>" + maker + "echo: start conn=[0-9a-f]+ from=127.0.0.1:[0-9]+$"));
  EXPECT_THAT(receive(), ContainsRegex("^<86>" + maker + "echo: end conn="));
  EXPECT_EQ(ask(cat_port_, "x"), "x");
  const std::string master = "xsd\\[" + std::to_string(daemon.pid()) + "\\]: ";
  EXPECT_THAT(receive(), ContainsRegex("^<157>" + master + "cat: start conn="));
  EXPECT_THAT(receive(), ContainsRegex("^<157>" + master + "cat: end conn="));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log_lines("echo: "), IsEmpty());
}

TEST_P(Syslog, that_is_not_there_costs_no_record) {
  write_echo("log_type: {syslog: authpriv}\n");
  end();
  Daemon daemon(folder_, with_syslog());
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("] info: echo: end conn="));
  EXPECT_THAT(
      daemon.log_lines("echo: start conn=").front(),
      ContainsRegex("^[0-9TZ:.-]+ xsd\\[" + std::to_string(server_of(daemon.pid())) + "\\] info: echo: "));
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(daemon.wait_log("] info: echo: end conn=", 2));
  EXPECT_THAT(daemon.log_lines("log syslog: No such file or directory; its records go to the daemon's log"),
              SizeIs(1));
  begin();
  EXPECT_TRUE(echoes(port_));
  EXPECT_THAT(receive(), HasSubstr("echo: start conn="));
  EXPECT_THAT(receive(), HasSubstr("echo: end conn="));
  EXPECT_TRUE(daemon.wait_log("log syslog: it takes records again, 0 were lost"));
  EXPECT_THAT(daemon.log_lines("echo: start conn="), SizeIs(2));
  EXPECT_EQ(daemon.stop(), 0);
}

// ---- whoever writes may go

class ServiceLogger : public ServiceLog {};
INSTANTIATE_TEST_SUITE_P(With, ServiceLogger, testing::Values("auto"),
                         [](const auto&) { return std::string("workers"); });

TEST_P(ServiceLogger, that_is_killed_is_replaced_and_the_records_find_their_file) {
  write_echo(to_file("hard_limit: 30K"));
  Daemon daemon(folder_, options());
  pid_t logger = 0;
  EXPECT_TRUE(eventually([&] { return (logger = role_of(daemon.pid(), "logger")) > 0; }));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(echoes(port_));
    EXPECT_EQ(kill(logger, SIGKILL), 0);
    const pid_t old = logger;
    EXPECT_TRUE(eventually([&] {
      EXPECT_TRUE(echoes(port_));
      logger = role_of(daemon.pid(), "logger");
      return logger > 0 && logger != old;
    }));
  }
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(echoes(port_));
    return fs::exists(folder_ / "records.1");
  }));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log_lines("echo: "), IsEmpty()) << "in the wrong place";
  for (const char* const name : {"records", "records.1"}) {
    for (const std::string& line : split_lines(folder_.read(name)))
      EXPECT_THAT(line, ContainsRegex("^[0-9TZ:.-]+ xsd\\[[0-9]+\\] info: echo: ")) << "a torn line";
  }
}

TEST_P(ServiceLogger, hears_of_a_file_before_its_first_record) {
  folder_.make_folder("conf.d");
  Daemon daemon(folder_, options());
  for (int i = 0; i < 10; ++i) {
    const std::string name = "records" + std::to_string(i);
    write_echo(to_file("", name));
    write_cat(to_file("", name));
    (void)daemon.hup_and_wait();
    EXPECT_TRUE(echoes(port_));
    EXPECT_EQ(ask(cat_port_, "x"), "x");
    EXPECT_TRUE(wait_lines(2, ": end ", name));
  }
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log_lines(": start conn="), IsEmpty()) << "in the wrong place";
}

TEST_P(ServiceLogger, learns_of_another_form_of_the_log_as_workers_do) {
  const auto write_main = [&](const std::string& format) {
    folder_.write("xsd.yaml", "daemon: {log: {target: {file: " + folder_.string("main.log") +
                                  "}, format: " + format + "}}\ninclude: [conf.d/*.yaml]\n");
  };
  write_main("text");
  write_echo(to_file());
  DaemonOptions by_file = options();
  by_file.config = folder_ / "xsd.yaml";
  by_file.log_to_file = false;
  Daemon daemon(folder_, by_file);
  EXPECT_TRUE(echoes(port_));
  EXPECT_TRUE(wait_lines(1, "info: echo: end "));
  write_main("json");
  EXPECT_TRUE(daemon.signal(SIGHUP));
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(echoes(port_));
    return contains(folder_.read("records"), "{\"ts\":");
  }));
}

// ---- what the lists of fields say

TEST_P(ServiceLog, usage_and_traffic_are_fields_of_their_own) {
  write_echo("log_on_success: [TRAFFIC]\n" + to_file());
  folder_.write("conf.d/busy.yaml",
                shell_service("busy", cat_port_, "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done",
                              "log_on_success: [usage]\n" + to_file("", "busy")));
  Daemon daemon(folder_, options());
  EXPECT_TRUE(echoes(port_));
  EXPECT_EQ(ask(cat_port_), "");
  EXPECT_TRUE(wait_lines(1, "end", "busy"));
  EXPECT_TRUE(wait_lines(1, "end"));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(folder_.read("records"), ContainsRegex("info: echo: end conn=[0-9a-f]+ bytes_in=[1-9][0-9]* "
                                                     "bytes_out=[1-9][0-9]*\n$"));
  EXPECT_THAT(folder_.read("busy"),
              ContainsRegex("info: busy: end conn=[0-9a-f]+ cpu_ms=[1-9][0-9]*( peak_kib=[0-9]+)?\n$"));
  EXPECT_THAT(split_lines(folder_.read("busy")), SizeIs(1));
}

}  // namespace
}  // namespace xsd::test
