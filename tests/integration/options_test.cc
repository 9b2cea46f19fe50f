// SPDX-License-Identifier: Apache-2.0
//
// The command line of xsd, from the outside: what is printed where, and the exit status.
#include <algorithm>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int kUsage = 2;
constexpr int kConfig = 78;

TEST(Options, help_is_on_stdout) {
  const RunResult result = run_xsd({"--help"});
  EXPECT_EQ(result.status, 0);
  for (const char* const option :
       {"--config", "--check", "--dump-config", "--foreground", "--daemon", "--pid-file", "--control-socket",
        "--port-offset", "--poller", "--workers", "--log-level", "--log-format", "--log-file", "--version",
        "--plugins", "--import"}) {
    EXPECT_THAT(result.out, HasSubstr(option));
  }
  EXPECT_EQ(result.err, "");
}

TEST(Options, version_is_on_stdout) {
  const RunResult result = run_xsd({"--version"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "xsd " XSD_VERSION "\n");
  EXPECT_EQ(result.err, "");
}

TEST(Options, plugins_are_listed) {
  const RunResult result = run_xsd({"--plugins"});
  EXPECT_EQ(result.status, 0);
  for (const char* const plugin : {"echo", "discard", "daytime", "time", "chargen", "tcpmux", "redirect"})
    EXPECT_THAT(result.out, HasSubstr(plugin));
}

TEST(Options, output_that_cannot_be_written_is_a_failure) {
  TempFolder folder;
  folder.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  for (const char* const mode : {"--help", "--version", "--plugins", "--check", "--dump-config"}) {
    const RunResult result = run(
        {"/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh", xsd_binary(), mode, "-c", folder.string("conf.d")});
    EXPECT_EQ(result.status, 1) << mode;
    EXPECT_EQ(result.err, "xsd: standard output: No space left on device\n") << mode;
  }
}

TEST(Options, usage_errors_are_on_stderr_and_say_what_is_wrong) {
  struct Case {
    std::vector<std::string> arguments;
    const char* said;
  };
  const Case cases[] = {
      {{"--nope"}, "--nope"},
      {{"-Z"}, "-Z"},
      {{"--conf", "x"}, "--conf"},  // no abbreviations
      {{"file.yaml"}, "--config"},
      {{"--config"}, "--config"},
      {{"--config", ""}, "--config"},
      {{"--poller", "kqueue"}, "'kqueue' is not epoll, poll or select"},
      {{"--workers", "3"}, "'3' is not auto or 0"},
      {{"--log-level", "loud"}, "'loud' is not error, warning, info or debug"},
      {{"--log-format", "xml"}, "'xml' is not text or json"},
      {{"--port-offset", "-1"}, "--port-offset"},
      {{"--port-offset", "65535"}, "--port-offset"},
      {{"--port-offset", "1e3"}, "--port-offset"},
      {{"--port-offset", "99999999999999999999"}, "--port-offset"},
      {{"--port-offset", "1", "--port-offset", "2"}, "--port-offset"},
      {{"--check", "--dump-config"}, "exclude each other"},
      {{"--foreground", "--daemon"}, "exclude each other"},
  };
  for (const Case& one : cases) {
    const RunResult result = run_xsd(one.arguments);
    EXPECT_EQ(result.status, kUsage) << one.arguments.front();
    EXPECT_EQ(result.out, "") << one.arguments.front();
    EXPECT_THAT(result.err, StartsWith("xsd: "));
    EXPECT_THAT(result.err, HasSubstr(one.said));
  }
}

TEST(Options, hostile_bytes_in_an_option_are_escaped) {
  const RunResult result = run_xsd({"--poller", "e\x1b[31m\npoll"});
  EXPECT_EQ(result.status, kUsage);
  EXPECT_THAT(result.err, Not(HasSubstr("\x1b")));
  EXPECT_EQ(split_lines(result.err).size(), 2U);
}

TEST(Check, good_configuration_has_status_0_and_no_side_effects) {
  TempFolder folder;
  folder.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  const RunResult result =
      run_xsd({"--check", "-c", folder.string("conf.d"), "--pid-file", folder.string("xsd.pid")});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, folder.string("conf.d") + ": 1 services, 0 errors\n");
  EXPECT_EQ(result.err, "");
  EXPECT_FALSE(std::filesystem::exists(folder / "xsd.pid"));
}

TEST(Check, prints_every_diagnostic_whole) {
  TempFolder folder;
  const std::string file = folder.write("conf.d/bad.yaml",
                                        "service: bad\n"
                                        "plugni: echo\n"
                                        "listen: [\"tcp://127.0.0.1:70077\"]\n"
                                        "instances: many\n");
  folder.write("conf.d/good.yaml", echo_service("echo", free_port()));
  const RunResult result = run_xsd({"--check", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, kConfig);
  EXPECT_THAT(
      result.out,
      HasSubstr(file + ":2:1: error: unknown key 'plugni', did you mean 'plugin'?\nplugni: echo\n^\n"));
  EXPECT_THAT(result.out, HasSubstr(file + ":3:10: error: the port '70077' is not in 1 to 65535\n"
                                           "listen: [\"tcp://127.0.0.1:70077\"]\n         ^\n"));
  EXPECT_THAT(result.out, HasSubstr(file + ":4:12: error: "));
  EXPECT_THAT(result.out, HasSubstr("2 services, 4 errors"));
}

TEST(Check, json_has_one_object_a_line) {
  TempFolder folder;
  const std::string file =
      folder.write("conf.d/a\"b.yaml", "service: bad\nplugin: 'no\"such'\nlisten: [nowhere]\n");
  const RunResult result = run_xsd({"--check", "--log-format", "json", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, kConfig);
  const std::vector<std::string> lines = split_lines(result.out);
  ASSERT_GE(lines.size(), 2U);
  for (const std::string& line : lines) {
    const auto keys = parse_json_line(line);
    ASSERT_TRUE(keys) << line;
    EXPECT_EQ(keys->size(), 5U) << line;
    EXPECT_EQ(keys->at("file"), file);
    EXPECT_EQ(keys->at("severity"), "error");
    EXPECT_NE(keys->at("message"), "");
    EXPECT_TRUE(keys->contains("line") && keys->contains("column"));
  }
}

TEST(Check, works_for_an_ordinary_user) {
  if (!is_root()) GTEST_SKIP() << "is one already";
  TempFolder folder;
  folder.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  const RunResult result = run_xsd({"--check", "-c", folder.string("conf.d")}, {.in_child = [] {
                                     if (setgid(65534) != 0 || setuid(65534) != 0) _exit(99);
                                   }});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
}

std::vector<std::string> without_comments(const std::string& text) {
  std::vector<std::string> lines;
  for (std::string& line : split_lines(text)) {
    line.erase(std::min(line.find('#'), line.size()));
    line.erase(line.find_last_not_of(' ') + 1);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

TEST(DumpConfig, reads_back_to_the_same) {
  TempFolder folder;
  folder.write("xsd.yaml",
               "daemon:\n  stop_timeout: 3s\n  log: {level: warning, format: json}\ndefaults:\n  instances: "
               "17\n  env: {A: b}\n"
               "include: [conf.d/*.yaml]\n");
  folder.write("conf.d/echo.yaml", echo_service("echo", free_port(), "idle_timeout: 90s"));
  folder.write(
      "conf.d/sh.yaml",
      shell_service("sh", free_port(), "echo \"it's: %{remote_addr}\"",
                    "env+: {C: 'd: e'}\numask: 077\nrlimit_nofile: 64:128\nstderr: log\ndisable: yes"));
  const RunResult first = run_xsd({"--dump-config", "-c", folder.string("xsd.yaml")});
  ASSERT_EQ(first.status, 0) << first.err;
  folder.write("again/xsd.yaml", first.out);
  const RunResult check = run_xsd({"--check", "-c", folder.string("again/xsd.yaml")});
  EXPECT_EQ(check.status, 0) << check.out << "\n" << first.out;
  const RunResult second = run_xsd({"--dump-config", "-c", folder.string("again/xsd.yaml")});
  EXPECT_EQ(without_comments(first.out), without_comments(second.out));
}

TEST(DumpConfig, says_when_it_is_too_long_for_one_file) {
  TempFolder folder;
  const std::string long_text(700 * 1024, 'x');
  folder.write("conf.d/a.yaml", echo_service("a", free_port(), "description: " + long_text));
  const RunResult most = run_xsd({"--dump-config", "-c", folder.string("conf.d")});
  EXPECT_EQ(most.status, 0);
  EXPECT_EQ(most.err, "");
  folder.write("conf.d/b.yaml", echo_service("b", free_port(), "description: " + long_text));
  const RunResult result = run_xsd({"--dump-config", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "xsd: warning: this is more than 1 MiB and cannot be read back as one file\n");
}

TEST(DumpConfig, names_the_origin_of_each_value) {
  TempFolder folder;
  const std::string main = folder.write("xsd.yaml", "defaults:\n  backlog: 99\ninclude: [conf.d/*.yaml]\n");
  const std::string file = folder.write("conf.d/echo.yaml", echo_service("echo", free_port()));
  const RunResult result = run_xsd({"--dump-config", "-c", main});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("plugin: echo  # " + file + ":2"));
  EXPECT_THAT(result.out, HasSubstr("backlog: 99  # " + main + ":2"));
  EXPECT_THAT(result.out, HasSubstr("instances: unlimited  # default"));
}

TEST(DumpConfig, faulty_services_are_named_and_the_status_is_78) {
  TempFolder folder;
  folder.write("conf.d/bad.yaml", "service: bad\n");
  const RunResult result = run_xsd({"--dump-config", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, kConfig);
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:1:1: error: "));
  EXPECT_THAT(result.out, HasSubstr("# faulty: bad"));
}

TEST(MainFile, missing_is_78) {
  TempFolder folder;
  for (const std::vector<std::string>& mode :
       {std::vector<std::string>{}, {"--check"}, {"--dump-config"}, {"-d"}}) {
    std::vector<std::string> arguments{"-c", folder.string("none.yaml"), "--pid-file",
                                       folder.string("xsd.pid")};
    arguments.insert(arguments.end(), mode.begin(), mode.end());
    const RunResult result = run_xsd(arguments);
    EXPECT_EQ(result.status, kConfig);
    EXPECT_THAT(result.out + result.err,
                HasSubstr(folder.string("none.yaml") + ": error: cannot open: No such file or directory"));
  }
}

TEST(MainFile, behind_a_link_is_where_the_kernel_finds_it) {
  TempFolder folder;
  folder.write("real/in/none", "");
  folder.write("real/x.yaml", "daemon: {max_processes: 7}\n");
  folder.write("x.yaml", "daemon: {max_processes: 8}\n");
  std::filesystem::create_directory_symlink("real/in", folder / "link");
  const RunResult result = run_xsd({"--dump-config", "-c", folder.string("link/../x.yaml")});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("max_processes: 7"));
}

TEST(MainFile, of_another_kind_is_78_at_once) {
  TempFolder folder;
  ASSERT_EQ(mkfifo(folder.string("fifo.yaml").c_str(), 0644), 0);
  for (const std::string& path :
       {folder.string("fifo.yaml"), std::string("/dev/zero"), std::string("/dev/null")}) {
    for (const char* const mode : {"--check", "--foreground"}) {
      const RunResult result = run_xsd({"-c", path, mode, "--pid-file", folder.string("xsd.pid")});
      EXPECT_EQ(result.status, kConfig) << path;
      EXPECT_THAT(result.out + result.err, HasSubstr(path + ": error: not a regular file")) << path;
    }
  }
}

TEST(MainFile, may_be_a_folder_or_be_empty) {
  TempFolder folder;
  folder.write("empty.yaml", "");
  folder.make_folder("nothing");
  EXPECT_EQ(run_xsd({"--check", "-c", folder.string("empty.yaml")}).status, 0);
  EXPECT_EQ(run_xsd({"--check", "-c", folder.string("nothing/")}).status, 0);
}

TEST(MainFile, faults_in_it_or_in_defaults_are_78) {
  TempFolder folder;
  for (const char* const text : {"daemon: {watch: maybe}\n", "defaults: {instances: -1}\n", "deamon: {}\n",
                                 "daemon: [\n", "include: 7\n", "daemon: {user: no-such-user-here}\n"}) {
    const std::string file = folder.write("xsd.yaml", text);
    const RunResult result = run_xsd({"-c", file, "--pid-file", folder.string("xsd.pid")});
    EXPECT_EQ(result.status, kConfig) << text;
    EXPECT_THAT(result.err, HasSubstr(file + ":1:")) << text;
  }
}

TEST(Options, port_offset_is_added_to_every_port) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", static_cast<std::uint16_t>(port - 7000)));
  Daemon daemon(folder, {.arguments = {"--port-offset", "7000"}});
  EXPECT_TRUE(echoes(port));
  EXPECT_TRUE(udp_echoes(port));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Options, every_poller_survives_new_watches_in_the_middle_of_a_batch) {
  for (const char* const poller : {"epoll", "poll", "select"}) {
    TempFolder folder;
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < 6; ++i) {
      ports.push_back(free_port());
      folder.write("conf.d/" + std::to_string(i) + ".yaml",
                   echo_service("echo" + std::to_string(i), ports.back()));
    }
    Daemon daemon(folder, {.arguments = {"--poller", poller}});
    // All listeners are ready at once, and the first of them brings more watches than there were.
    ASSERT_TRUE(daemon.signal(SIGSTOP));
    ASSERT_TRUE(eventually([&] { return process_state(daemon.pid()) == 'T'; }));
    std::vector<Client> clients;
    for (int i = 0; i < 120; ++i)
      clients.emplace_back(ports[static_cast<std::size_t>(i) % ports.size()]);
    ASSERT_TRUE(daemon.signal(SIGCONT));
    for (Client& client : clients)
      EXPECT_TRUE(echoes(client)) << poller;
    clients.clear();
    EXPECT_EQ(daemon.stop(), 0) << poller;
  }
}

TEST(Options, every_line_is_in_the_form_that_was_asked_for) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon holder(folder);
  // The pid file that nobody asked for cannot be made, and nothing can be bound.
  const StartOptions as_nobody{.in_child = [] {
    if (is_root() && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
  }};
  const RunResult result = run_xsd({"-c", folder.string("conf.d"), "--log-format", "json"}, as_nobody);
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("no pid file: "));
  for (const std::string& line : split_lines(result.err))
    EXPECT_TRUE(parse_json_line(line)) << line;
}

TEST(Options, log_level_hides_what_is_below) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder, {.arguments = {"--log-level", "error"}});
  (void)daemon.hup_and_wait();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log(), Not(HasSubstr(" info: ")));
}

}  // namespace
}  // namespace xsd::test
