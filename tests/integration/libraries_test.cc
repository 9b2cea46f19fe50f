// SPDX-License-Identifier: Apache-2.0
//
// Plugin libraries from the file to the service: what is refused and what is said then (row plg_1 of
// reliability.md), settings, reloads, and the list of --plugins.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

void become_nobody() {
  if (getuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) _exit(99);
}

/// A crash is a crash also where the daemon is built with sanitizers, which take it for theirs.
const std::vector<std::string> kPlainCrashes{"ASAN_OPTIONS=handle_segv=0:handle_sigill=0:handle_abort=0"};

class Libraries : public testing::Test {
 protected:
  Libraries() {
    folder_.make_folder("plugins");
    folder_.make_folder("conf.d");
    folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins]}\ninclude: [conf.d/*.yaml]\n");
  }

  /// Puts a library into the folder, in the place of one that was there.
  fs::path install(const std::string& name, const std::string& from = XSD_BAD_PLUGINS) const {
    return folder_.write("plugins/" + name + ".so", read_file(from + "/" + name + ".so"));
  }
  void install_told(const std::string& version = "1.0") const {
    install("told", std::string(XSD_TEST_LIBRARIES) + "/" + version);
  }
  void write_service(const std::string& plugin, std::uint16_t port, const std::string& more = "") const {
    folder_.write("conf.d/" + plugin + ".yaml", "service: " + plugin + "\nplugin: " + plugin +
                                                    "\nlisten: tcp://127.0.0.1:" + std::to_string(port) +
                                                    "\n" + more);
  }
  RunResult check(StartOptions options = {}) const {
    options.environment = kPlainCrashes;
    return run_xsd({"--check", "-c", folder_.string("xsd.yaml")}, std::move(options));
  }
  /// All that --check says, without the folder.
  std::string complaints(StartOptions options = {}) const {
    std::string out = check(std::move(options)).out;
    for (std::size_t at = 0; (at = out.find(folder_.string(""), at)) != std::string::npos;)
      out.erase(at, folder_.string("").size());
    return out.substr(0, out.rfind("xsd.yaml: "));
  }
  /// What a fault of the library of a service of write_service looks like.
  static std::string at_the_name(const std::string& plugin, const std::string& fault) {
    return "conf.d/" + plugin + ".yaml:2:9: error: plugin '" + plugin + "' " + fault + "\nplugin: " + plugin +
           "\n        ^\n";
  }

  TempFolder folder_;
  DaemonOptions options_{.config = folder_ / "xsd.yaml", .start = {.environment = kPlainCrashes}};
};

// ---- plg_1: refused with a reason

TEST_F(Libraries, that_are_bad_are_refused_with_a_reason) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"bad_settings", "has a table of settings that cannot be one (3 of 32 bytes)"},
      {"crash_when_loaded", ""},
      {"empty", "cannot be used: plugins/empty.so: it is empty"},
      {"entry_null", "does not say what it is: its entry function gives NULL"},
      {"entry_wild", "crashed when it was loaded (signal 11)"},
      {"exit_when_loaded", "ended its process when it was loaded (exit status 0)"},
      {"loop_when_loaded", "did not answer within 2s"},
      {"no_callbacks", "serves neither streams nor datagrams"},
      {"no_entry", "has no entry function xsd_plugin_entry_v1"},
      {"null_name", "has no name"},
      {"other_class", "cannot be used: plugins/other_class.so: it is made for another kind of machine"},
      {"other_major", "is made for version 2.0 of the plugin interface; this is 1.1"},
      {"other_name", "calls itself 'echo': a plugin's file has its name"},
      {"size_huge", "says that its struct xsd_plugin has 4294967295 bytes"},
      {"size_zero", "says that its struct xsd_plugin has 0 bytes"},
      {"text", "cannot be used: plugins/text.so: it is no library (no ELF file)"},
      {"throw_from_entry", "threw an exception when it was loaded: 'from the entry'"},
      {"undefined_symbol",
       "cannot be loaded: plugins/undefined_symbol.so: undefined symbol: "
       "xsd_function_that_nobody_has"},
  };
  std::string expected;
  for (const auto& [name, fault] : bad) {
    install(name);
    write_service(name, free_port());
    if (!fault.empty()) expected += at_the_name(name, fault);
  }
  // Which signal it is depends on the compiler.
  folder_.remove("conf.d/crash_when_loaded.yaml");
  EXPECT_EQ(complaints(), expected);

  const std::uint16_t echo = free_port();
  write_service("crash_when_loaded", free_port());
  folder_.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder_, options_);
  EXPECT_TRUE(echoes(echo));
  EXPECT_THAT(daemon.log(), HasSubstr("plugin 'crash_when_loaded' crashed when it was loaded (signal "));
  EXPECT_THAT(daemon.log(), HasSubstr("started: 1 services, " + std::to_string(bad.size()) + " failed"));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1, failed " + std::to_string(bad.size())));
  EXPECT_TRUE(echoes(echo));
  EXPECT_TRUE(eventually([&] { return zombie_count(daemon.pid()) == 0; }));
}

TEST_F(Libraries, that_fail_to_start_leave_no_worker_behind) {
  for (const char* const plugin : {"start_fails", "abort_in_start"}) {
    for (const char* const shards : {"shards: 1\n", "shards: 3\n"}) {
      install(plugin);
      write_service(plugin, free_port(), shards);
      Daemon daemon(folder_, options_);
      EXPECT_TRUE(daemon.wait_log(std::string(plugin) + ": failed: ")) << shards;
      EXPECT_TRUE(eventually([&] { return roles_of(daemon.pid(), "worker").empty(); })) << plugin << shards;
      EXPECT_THAT(daemon.log(), testing::Not(HasSubstr("was killed"))) << shards;
      EXPECT_EQ(daemon.stop(), 0);
      folder_.remove("conf.d/" + std::string(plugin) + ".yaml");
    }
  }
}

TEST_F(Libraries, that_print_do_no_harm) {
  install("output_when_loaded");
  write_service("output_when_loaded", free_port());
  const RunResult result = check();
  EXPECT_EQ(result.out, folder_.string("xsd.yaml") + ": 1 services, 0 errors\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(Libraries, that_are_missing_are_not_found) {
  install_told();
  write_service("tolt", free_port());
  EXPECT_EQ(complaints(), at_the_name("tolt", "not found, did you mean 'told'?"));
  folder_.write("conf.d/tolt.yaml", "service: tolt\nplugin: tolt\nlisten: tcp://*:1\ndisable: yes\n");
  EXPECT_THAT(complaints(), HasSubstr("conf.d/tolt.yaml:2:9: warning: plugin 'tolt' not found"));
  EXPECT_EQ(check().status, 0);
}

TEST_F(Libraries, of_the_first_folder_win_but_not_over_those_that_are_built_in) {
  folder_.write("xsd.yaml", "daemon: {plugin_dirs: [nowhere, first, plugins]}\ninclude: [conf.d/*.yaml]\n");
  install_told();
  folder_.write("first/told.so", "text");
  folder_.write("first/echo.so", "text");
  write_service("told", free_port(), "settings: {greeting: hello}\n");
  write_service("echo", free_port());
  EXPECT_EQ(complaints(),
            at_the_name("told", "cannot be used: first/told.so: it is no library (no ELF file)"));
}

TEST_F(Libraries, that_others_may_write_are_refused) {
  install("no_entry");
  const std::string path = folder_.string("plugins/no_entry.so");
  write_service("no_entry", free_port());
  const StartOptions unprivileged{.in_child = become_nobody};
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  const std::string writable =
      at_the_name("no_entry", "cannot be used: plugins/no_entry.so: others may write it; chmod o-w");
  EXPECT_EQ(complaints(), writable);
  EXPECT_THAT(complaints(unprivileged), HasSubstr(writable));
  ASSERT_EQ(chmod(path.c_str(), 0664), 0);
  if (is_root()) {
    EXPECT_EQ(
        complaints(),
        at_the_name("no_entry", "cannot be used: plugins/no_entry.so: its group may write it; chmod g-w"));
  }
  EXPECT_THAT(complaints(unprivileged), HasSubstr("has no entry function"));
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_EQ(chmod(folder_.string("plugins").c_str(), 0777), 0);
  EXPECT_EQ(complaints(), at_the_name("no_entry",
                                      "cannot be used: plugins/no_entry.so: others may write its "
                                      "folder 'plugins'; chmod o-w"));
  ASSERT_EQ(chmod(folder_.string("plugins").c_str(), 0755), 0);
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0644), 0);
  EXPECT_EQ(complaints(), at_the_name("no_entry",
                                      "cannot be used: plugins/no_entry.so: it is not a regular "
                                      "file but a FIFO"));
}

TEST_F(Libraries, of_somebody_else_are_refused) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  install("no_entry");
  write_service("no_entry", free_port());
  ASSERT_EQ(chown(folder_.string("plugins/no_entry.so").c_str(), 4242, 0), 0);
  EXPECT_EQ(complaints(), at_the_name("no_entry",
                                      "cannot be used: plugins/no_entry.so: it belongs to user "
                                      "4242, not to root or the owner of the main file; chown it"));
  ASSERT_EQ(chown(folder_.string("xsd.yaml").c_str(), 4242, 0), 0);
  EXPECT_EQ(complaints(), at_the_name("no_entry", "has no entry function xsd_plugin_entry_v1"));
}

TEST_F(Libraries, are_loaded_by_a_user_that_exists) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  install("no_entry");
  write_service("no_entry", free_port());
  folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins], user: root}\ninclude: [conf.d/*.yaml]\n");
  EXPECT_THAT(complaints(), HasSubstr(at_the_name("no_entry", "is not loaded as root: user 'root' is root")));
}

TEST_F(Libraries, keep_no_client_waiting_while_they_hang) {
  const std::uint16_t port = free_port();
  folder_.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder_, options_);
  install("loop_when_loaded");
  write_service("loop_when_loaded", free_port());
  ASSERT_TRUE(daemon.signal(SIGHUP));
  std::vector<Milliseconds> answers;
  const auto is_over = [&daemon] { return !daemon.log_lines("reload: started").empty(); };
  for (const auto begin = steady_clock::now(); !is_over() && elapsed(begin) < kDeadline;) {
    const auto asked = steady_clock::now();
    ASSERT_TRUE(echoes(port));
    answers.push_back(elapsed(asked));
  }
  ASSERT_GE(answers.size(), 50U);
  std::sort(answers.begin(), answers.end());
  RecordProperty("answers", static_cast<int>(answers.size()));
  RecordProperty("longest_ms", static_cast<int>(answers.back().count()));
  EXPECT_LT(answers.back(), Milliseconds(500));
  EXPECT_THAT(daemon.log(), HasSubstr("plugin 'loop_when_loaded' did not answer within 2s"));
  EXPECT_THAT(daemon.log(), HasSubstr("reload: started 0, stopped 0, changed 0, kept 1, failed 1"));
  // Neither does one that is being looked at delay the end.
  ASSERT_TRUE(daemon.signal(SIGHUP));
  ASSERT_TRUE(eventually([&] { return role_of(daemon.pid(), "probe") > 0; }));
  const auto told = steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LT(elapsed(told), Milliseconds(1500));
}

// ---- settings

TEST_F(Libraries, have_settings_that_are_checked_at_their_place) {
  install_told();
  write_service("told", free_port(),
                "settings:\n"
                "  greetng: hello\n"
                "  times: -1\n"
                "  polite: maybe\n"
                "  pause: 10\n"
                "  room: much\n"
                "  root: home\n"
                "  words: {a: b}\n"
                "  names: [a]\n"
                "  rest: {any: [thing]}\n");
  EXPECT_EQ(complaints(),
            "conf.d/told.yaml:4:1: error: setting 'greeting' of plugin 'told' is missing\n"
            "settings:\n^\n"
            "conf.d/told.yaml:5:3: error: plugin 'told' has no setting 'greetng', did you mean 'greeting'?\n"
            "  greetng: hello\n  ^\n"
            "conf.d/told.yaml:6:10: error: 'times' wants a number, not '-1'\n"
            "  times: -1\n         ^\n"
            "conf.d/told.yaml:7:11: error: 'polite' wants true or false, not 'maybe'\n"
            "  polite: maybe\n          ^\n"
            "conf.d/told.yaml:8:10: error: 'pause' wants a duration like 10s or 5m, not '10'\n"
            "  pause: 10\n         ^\n"
            "conf.d/told.yaml:9:9: error: 'room' wants a size like 64K or 1M, not 'much'\n"
            "  room: much\n        ^\n"
            "conf.d/told.yaml:10:9: error: 'root' wants an absolute path, not 'home'\n"
            "  root: home\n        ^\n"
            "conf.d/told.yaml:11:10: error: 'words' wants a list of texts, not this map\n"
            "  words: {a: b}\n         ^\n"
            "conf.d/told.yaml:12:10: error: 'names' wants a map of names to texts, not this list\n"
            "  names: [a]\n         ^\n");
  write_service("told", free_port());
  EXPECT_EQ(complaints(),
            "conf.d/told.yaml:2:9: error: setting 'greeting' of plugin 'told' is missing\n"
            "plugin: told\n        ^\n");
}

TEST_F(Libraries, check_their_settings_themselves) {
  install_told();
  write_service("told", free_port(), "settings:\n  greeting: oi\n");
  EXPECT_EQ(complaints(),
            "conf.d/told.yaml:4:1: error: try again\nsettings:\n^\n"
            "conf.d/told.yaml:5:13: error: that is rude\n  greeting: oi\n            ^\n");
  write_service("told", free_port(), "settings: {greeting: abort}\n");
  EXPECT_EQ(complaints(), at_the_name("told", "crashed when its settings were checked (signal 6)"));
  write_service("told", free_port(),
                "settings: {greeting: hello, times: 3, polite: yes, pause: 1m, room: 4K, root: /, words: a, "
                "names: {a: b}}\n");
  EXPECT_EQ(complaints(), "");
  EXPECT_EQ(check().status, 0);
}

TEST_F(Libraries, that_serve_no_datagrams_say_so) {
  install_told();
  folder_.write("conf.d/told.yaml",
                "service: told\nplugin: told\nlisten: udp://127.0.0.1:1\nsettings: "
                "{greeting: hello}\n");
  EXPECT_EQ(complaints(),
            "conf.d/told.yaml:3:9: error: plugin 'told' serves no datagrams: 'udp://127.0.0.1:1'\n"
            "listen: udp://127.0.0.1:1\n        ^\n");
}

// ---- at work

TEST_F(Libraries, work_and_are_replaced_at_the_next_reload) {
  const std::uint16_t port = free_port();
  folder_.write("plugins/told.so", "not yet\n");
  write_service("told", port, "settings: {greeting: hello, times: 2}\n");
  options_.arguments = {"--workers", "0"};
  options_.start.in_child = become_nobody;
  if (is_root()) folder_.give_to(kNobody, kNobody);
  Daemon daemon(folder_, options_);
  EXPECT_THAT(daemon.log(), HasSubstr("started: 0 services, 1 failed"));
  install_told();
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  EXPECT_EQ(ask(port), "hellohello 1.0\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 1, failed 0"));
  install_told("2.0");
  EXPECT_EQ(ask(port), "hellohello 1.0\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(ask(port), "hellohello 2.0\n");
  // A bad one leaves what runs, and the file that is there is not the one that runs.
  folder_.write("plugins/told.so", "text");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_EQ(ask(port), "hellohello 2.0\n");
  // It is tried again without being told to.
  install_told("1.0");
  EXPECT_TRUE(daemon.wait_log("told: works again"));
  EXPECT_EQ(ask(port), "hellohello 1.0\n");
}

TEST_F(Libraries, are_looked_at_once_while_nothing_changes) {
  if (const auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  install_told();
  write_service("told", free_port(), "settings: {greeting: hello}\n");
  write_service("echo", free_port());
  options_.arguments = {"--workers", "0"};
  options_.start.in_child = become_nobody;
  options_.start.strace = {"-e", "trace=execve"};
  if (is_root()) folder_.give_to(kNobody, kNobody);
  Daemon daemon(folder_, options_);
  const auto probes = [&] { return count_lines(daemon.strace_text(), "\"probe\""); };
  EXPECT_EQ(probes(), 1U);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 2, failed 0"));
  EXPECT_EQ(probes(), 1U);
  write_service("told", free_port(), "settings: {greeting: good day}\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_EQ(probes(), 2U);
}

TEST_F(Libraries, are_never_loaded_into_the_daemon_as_root) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  install_told();
  write_service("told", free_port(), "settings: {greeting: hello}\n");
  options_.arguments = {"--workers", "0"};
  const Daemon daemon(folder_, options_);
  EXPECT_THAT(daemon.log(),
              HasSubstr("plugin 'told' is not loaded: as root plugins are hosted in workers only"));
}

// ---- --plugins

TEST_F(Libraries, are_listed) {
  install_told();
  install("no_entry");
  install("abort_in_data");
  folder_.write("plugins/echo.so", "hidden by the one that is built in");
  folder_.write("plugins/No Name.so", "text");
  const auto list = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--plugins", "-c", folder_.string("xsd.yaml")});
    return run_xsd(more, {.in_child = become_nobody});
  };
  const std::string plugins = folder_.string("plugins");
  const RunResult text = list({});
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.err, "");
  const auto lines = split_lines(text.out);
  ASSERT_EQ(lines.size(), 10U) << text.out;
  EXPECT_THAT(lines[3], testing::MatchesRegex("echo +built-in +- +tcp udp +sends back what it gets.*"));
  EXPECT_THAT(lines[7],
              testing::MatchesRegex("abort_in_data +" + plugins + "/abort_in_data.so +- +tcp +a bad plugin"));
  EXPECT_THAT(lines[8],
              testing::MatchesRegex("no_entry +" + plugins + "/no_entry.so +error: has no entry .*"));
  EXPECT_THAT(lines[9],
              testing::MatchesRegex("told +" + plugins + "/told.so +1.0 +tcp +says what it is told"));

  const auto json = split_lines(list({"--log-format", "json"}).out);
  ASSERT_EQ(json.size(), 10U);
  EXPECT_EQ(json[3], R"j({"name":"echo","builtin":true,"transports":["tcp","udp"],)j"
                     R"j("description":"sends back what it gets (RFC 862)"})j");
  EXPECT_EQ(json[8], R"j({"name":"no_entry","builtin":false,"path":")j" + plugins +
                         R"j(/no_entry.so","error":"has no entry function xsd_plugin_entry_v1"})j");
  EXPECT_EQ(json[9], R"j({"name":"told","builtin":false,"path":")j" + plugins +
                         R"j(/told.so","version":"1.0","transports":["tcp"],)j"
                         R"j("description":"says what it is told"})j");

  folder_.write("xsd.yaml", "daemon: {plugin_dirs: plugins}\n");
  const RunResult faulty = list({});
  EXPECT_EQ(faulty.status, 78);
  EXPECT_THAT(faulty.err, HasSubstr("'plugin_dirs' wants a list of folders"));
}

}  // namespace
}  // namespace xsd::test
