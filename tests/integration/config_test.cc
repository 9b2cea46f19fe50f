// SPDX-License-Identifier: Apache-2.0
//
// Faults in configuration and on the machine: whom they hurt, what is said, and how they heal (rows cfg_1,
// cfg_6 and cfg_7 of reliability.md).
#include <algorithm>
#include <optional>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::string tcp_echo(std::string_view name, std::uint16_t port) {
  return "service: " + std::string(name) + "\nplugin: echo\nlisten: [" + yaml_quoted(tcp(port)) + "]\n";
}

// ---- cfg_1: a bad file hurts nobody

struct Served {
  std::uint16_t echo = free_port();
  std::uint16_t daytime = free_port();
  std::uint16_t program = free_port();

  void write(const TempFolder& folder) const {
    folder.write("conf.d/echo.yaml", echo_service("good-echo", echo));
    folder.write("conf.d/time.yaml", plugin_service("good-daytime", "daytime", daytime));
    folder.write("conf.d/prog.yaml", program_service("good-program", program, {"/bin/echo", "program"}));
  }
  void expect_all(const std::string& when) const {
    EXPECT_TRUE(echoes(echo)) << when;
    EXPECT_TRUE(udp_echoes(echo)) << when;
    EXPECT_GT(ask(daytime).size(), 10U) << when;
    EXPECT_EQ(ask(program), "program\n") << when;
  }
};

std::vector<std::string> bad_texts() {
  std::vector<std::string> texts{
      "service: bad\n",
      "service: [bad\n",
      "service: bad\nplugin: nosuch\nlisten: [tcp://127.0.0.1:1]\n",
      "service: bad\nplugin: echo\n",
      "service: bad\nplugin: echo\nserver: /bin/cat\nlisten: ['tcp://127.0.0.1:1']\n",
      "service: bad\nserver: /no/such/program\nuser: nobody\nlisten: ['tcp://127.0.0.1:1']\n",
      "service: bad\nserver: /bin/cat\nuser: no-such-user-here\nlisten: ['tcp://127.0.0.1:1']\n",
      "service: bad\nserver: relative/cat\nuser: nobody\nlisten: ['tcp://127.0.0.1:1']\n",
      "service: bad\nplugin: echo\nlisten: ['tcp://256.0.0.1:1']\n",
      "service: bad\nplugin: echo\nlisten: ['tcp://127.0.0.1:no-such-port']\n",
      "service: bad\nplugin: echo\nlisten: ['tcp://127.0.0.1:1']\nlisten: ['tcp://127.0.0.1:2']\n",
      "service: good-echo\nplugin: echo\nlisten: ['tcp://127.0.0.1:1']\n",
      "a: &a [*a]\n",
      "service: !!str bad\n---\nservice: two\n",
      "\xff\xfe"
      "binary",
      std::string("service: bad\0plugin: echo\n", 26),
      "services: {bad: 1}\n",
      "services: [7, null, {service: bad}]\n",
      "- just\n- a list\n",
      std::string(100000, '['),
      std::string(2 * 1024 * 1024, 'x'),
  };
  // Values of the wrong kind.
  for (const char* const key : {"instances", "backlog", "idle_timeout", "stop_timeout", "disable",
                                "on_remove", "log_on_success", "flags", "settings", "description"}) {
    for (const char* const value : {"-1", "1.5", "010", "0x10", "1e3", "1:30", "nope", "''", "[[]]", "{a: 1}",
                                    "~", "99999999999999999999"}) {
      texts.push_back("service: bad\nplugin: echo\nlisten: ['tcp://127.0.0.1:1']\n" + std::string(key) +
                      ": " + value + "\n");
    }
  }
  return texts;
}

class BadFile : public testing::Test {
 protected:
  /// The same text as that of another service; nothing if it names several, or none that can be seen.
  static std::optional<std::string> renamed(const std::string& text, const std::string& name) {
    constexpr std::string_view kKey = "service: ";
    if (contains(text, "services:") || contains(text, "id: ")) return std::nullopt;
    const std::size_t at = text.starts_with(kKey) ? 0 : text.find("\nservice: ");
    if (at == std::string::npos) return text;
    const std::size_t value = text.find(kKey, at) + kKey.size();
    return text.substr(0, value) + name + text.substr(std::min(text.find('\n', value), text.size()));
  }

  /// One reload with each text as a file beside (after) the good ones, then as the file of a running service.
  static void reload_with(const std::vector<std::pair<std::string, std::string>>& texts, std::size_t least) {
    const OwnNetwork network;  // as root bad files with good services in them get the ports that they want
    TempFolder folder;
    const Served served;
    served.write(folder);
    const std::uint16_t own_port = free_port();
    const std::string own = tcp_echo("own", own_port);
    folder.write("conf.d/own.yaml", own);
    Daemon daemon(folder);
    std::size_t tried = 0;
    for (const auto& [name, text] : texts) {
      const std::size_t before = daemon.log_lines("zz.yaml").size();
      folder.write("conf.d/zz.yaml", text);
      if (is_without_faults(daemon.hup_and_wait())) continue;  // bad only for others
      ++tried;
      served.expect_all("beside " + name);
      expect_told(daemon, "zz.yaml", before, name);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GE(tried, least) << "of " << texts.size();
    folder.remove("conf.d/zz.yaml");
    EXPECT_TRUE(is_without_faults(daemon.hup_and_wait()));
    for (const auto& [name, text] : texts) {
      const auto changed = renamed(text, "own");
      if (!changed) continue;
      const std::size_t before = daemon.log_lines("own.yaml").size();
      folder.write("conf.d/own.yaml", *changed);
      if (is_without_faults(daemon.hup_and_wait())) {  // bad only beside the others
        folder.write("conf.d/own.yaml", own);
        EXPECT_TRUE(is_without_faults(daemon.hup_and_wait()));
        continue;
      }
      served.expect_all("with " + name);
      EXPECT_TRUE(echoes(own_port)) << "own, with " << name;
      expect_told(daemon, "own.yaml", before, name);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(daemon.stop(), 0);
  }

 private:
  static bool is_without_faults(const std::string& summary) { return summary.ends_with(", failed 0"); }
  /// The log has the place of each fault, and the state says `failed`. (A file that is too long was not read:
  /// it has no lines.)
  static void expect_told(Daemon& daemon, const std::string& file, std::size_t before,
                          const std::string& name) {
    const std::regex place(file + ":[0-9]+:[0-9]+: error: |" + file + ": error: larger than 1 MiB");
    const auto lines = daemon.log_lines(file);
    EXPECT_TRUE(std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(before), lines.end(),
                            [&](const auto& line) { return std::regex_search(line, place); }))
        << name << " is not named in the log";
    EXPECT_FALSE(daemon.state(": failed ").empty()) << name << " is not in the state";
  }
};

TEST_F(BadFile, never_stops_a_service) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const std::string& text : bad_texts())
    texts.emplace_back("'" + (text.size() < 200 ? text : text.substr(0, 40)) + "'", text);
  reload_with(texts, 100);
}

// In parts, since each has a time limit of its own.
class BadFilePart : public BadFile, public testing::WithParamInterface<std::size_t> {
 protected:
  static constexpr std::size_t kParts = 4;
};

INSTANTIATE_TEST_SUITE_P(, BadFilePart, testing::Range<std::size_t>(0, 4));

TEST_P(BadFilePart, of_the_collection_never_stops_a_service) {
  const fs::path collection = XSD_TEST_DATA "/config/bad";
  if (!fs::is_directory(collection)) GTEST_SKIP() << collection << " is not there";
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(collection)) {
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  EXPECT_GE(paths.size(), 200U);
  std::vector<std::pair<std::string, std::string>> texts;
  for (std::size_t i = GetParam(); i < paths.size(); i += kParts)
    texts.emplace_back(paths[i].filename().string(), read_file(paths[i]));
  reload_with(texts, 40);
}

TEST(Config, one_faulty_service_at_start_hurts_no_other) {
  TempFolder folder;
  const Served served;
  served.write(folder);
  const std::string bad = folder.write("conf.d/bad.yaml", "service: bad\nplugin: echo\nlisten: [nonsense]\n");
  Daemon daemon(folder);
  served.expect_all("at start");
  EXPECT_THAT(daemon.log(), HasSubstr(bad + ":3:10: error: "));
  EXPECT_THAT(daemon.log(), HasSubstr("3 services, 1 failed"));
  const auto state = daemon.state("state: bad:");
  ASSERT_EQ(state.size(), 1U);
  EXPECT_THAT(state[0], HasSubstr("failed"));
}

TEST(Config, only_faulty_services_leave_it_up_and_waiting_for_better_files) {
  TempFolder folder;
  folder.write("conf.d/a.yaml", "service: a\n");
  folder.write("conf.d/b.yaml", "service: [\n");
  Daemon daemon(folder);
  const std::uint16_t port = free_port();
  folder.write("conf.d/a.yaml", echo_service("a", port));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 0, changed 0, kept 0, failed 1"));
  EXPECT_TRUE(echoes(port));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Config, no_services_at_all_leave_it_up) {
  TempFolder folder;
  folder.make_folder("conf.d");
  Daemon daemon(folder);
  EXPECT_TRUE(daemon.running());
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Config, of_two_with_the_same_id_the_later_is_faulty_and_both_are_named) {
  TempFolder folder;
  const std::uint16_t first = free_port();
  const std::uint16_t second = free_port();
  const std::string a = folder.write("conf.d/a.yaml", tcp_echo("twin", first));
  const std::string b = folder.write("conf.d/b.yaml", tcp_echo("twin", second));
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(first));
  EXPECT_TRUE(is_refused(second));
  const auto lines = daemon.log_lines(b + ":1:");
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines[0], HasSubstr(a));
  folder.write("conf.d/b.yaml", "id: other\n" + tcp_echo("twin", second));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 0, changed 0, kept 1, failed 0"));
  EXPECT_TRUE(echoes(second));
}

TEST(Config, a_faulty_copy_does_not_take_the_place_of_a_good_service) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::string good = folder.write("conf.d/echo.yaml", tcp_echo("echo", port));
  const std::string copy =
      folder.write("conf.d/echo-old.yaml", tcp_echo("echo", free_port()) + "nonsense: 1\n");
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(port));
  const auto lines = daemon.log_lines(copy + ":1:");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr(good));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 0, stopped 0, changed 0, kept 1"));
  EXPECT_TRUE(echoes(port));
}

TEST(Config, links_of_a_mounted_configmap_are_followed) {
  TempFolder folder;
  const std::uint16_t first = free_port();
  const std::uint16_t second = free_port();
  folder.write("conf.d/..2026_01/echo.yaml", tcp_echo("echo", first));
  fs::create_symlink("..2026_01", folder / "conf.d/..data");
  fs::create_symlink("..data/echo.yaml", folder / "conf.d/echo.yaml");
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(first)) << daemon.log();
  folder.write("conf.d/..2026_02/echo.yaml", tcp_echo("echo", second));
  fs::create_symlink("..2026_02", folder / "conf.d/..data_tmp");
  fs::rename(folder / "conf.d/..data_tmp", folder / "conf.d/..data");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(echoes(second));
  EXPECT_TRUE(is_refused(first));
}

TEST(Config, a_link_out_of_the_folder_is_refused) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("elsewhere/echo.yaml", tcp_echo("echo", port));
  folder.make_folder("conf.d");
  fs::create_symlink("../elsewhere/echo.yaml", folder / "conf.d/echo.yaml");
  const RunResult result = run_xsd({"--check", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, 78) << result.out;
  EXPECT_THAT(result.out, HasSubstr("echo.yaml"));
}

// ---- cfg_6: who may write the files

class ConfigOwner : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root";
    folder_.write("conf.d/echo.yaml", tcp_echo("echo", free_port()));
    folder_.write("xsd.yaml", "include: [conf.d/*.yaml]\n");
  }
  RunResult check() const { return run_xsd({"--check", "-c", folder_.string("xsd.yaml")}); }

  TempFolder folder_;
};

TEST_F(ConfigOwner, file_that_others_may_write_is_refused) {
  fs::permissions(folder_ / "conf.d/echo.yaml", fs::perms(0646));
  const RunResult result = check();
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.out, HasSubstr("conf.d/echo.yaml: error: "));
}

TEST_F(ConfigOwner, folder_that_others_may_write_is_refused) {
  fs::permissions(folder_ / "conf.d", fs::perms(0777));
  const RunResult result = check();
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.out, HasSubstr("conf.d"));
}

TEST_F(ConfigOwner, file_of_another_user_is_refused) {
  ASSERT_EQ(chown(folder_.string("conf.d/echo.yaml").c_str(), 65534, 65534), 0);
  const RunResult result = check();
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.out, HasSubstr("conf.d/echo.yaml: error: "));
}

TEST_F(ConfigOwner, folder_of_another_user_is_refused) {
  ASSERT_EQ(chown(folder_.string("conf.d").c_str(), 65534, 65534), 0);
  EXPECT_EQ(check().status, 78);
}

TEST_F(ConfigOwner, main_file_that_others_may_write_is_refused_at_start) {
  fs::permissions(folder_ / "xsd.yaml", fs::perms(0666));
  const RunResult result =
      run_xsd({"-c", folder_.string("xsd.yaml"), "--pid-file", folder_.string("xsd.pid")});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("xsd.yaml: error: "));
}

TEST_F(ConfigOwner, files_of_the_main_files_owner_are_good) {
  folder_.give_to(65534, 65534);
  const RunResult result = check();
  EXPECT_EQ(result.status, 0) << result.out;
}

TEST_F(ConfigOwner, group_writable_is_a_warning) {
  fs::permissions(folder_ / "conf.d/echo.yaml", fs::perms(0664));
  fs::permissions(folder_ / "conf.d", fs::perms(0775));
  const RunResult result = check();
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("warning: "));
}

TEST_F(ConfigOwner, for_an_ordinary_user_all_of_it_is_a_warning) {
  fs::permissions(folder_ / "conf.d/echo.yaml", fs::perms(0646));
  fs::permissions(folder_ / "conf.d", fs::perms(0777));
  const RunResult result = run_xsd({"--check", "-c", folder_.string("xsd.yaml")}, {.in_child = [] {
                                     if (setgid(65534) != 0 || setuid(65534) != 0) _exit(99);
                                   }});
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("warning: "));
}

TEST_F(ConfigOwner, a_file_made_writable_while_running_keeps_the_last_good_definition) {
  const std::uint16_t port = free_port();
  folder_.write("conf.d/echo.yaml", tcp_echo("echo", port));
  Daemon daemon(folder_);
  folder_.write("conf.d/echo.yaml", tcp_echo("echo", free_port()));
  fs::permissions(folder_ / "conf.d/echo.yaml", fs::perms(0666));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  EXPECT_TRUE(echoes(port));
}

// ---- cfg_7: ports that cannot be had

TEST(HeldPort, fails_that_service_only_names_the_culprit_and_heals_by_itself) {
  TempFolder folder;
  const Served served;
  served.write(folder);
  const std::uint16_t port = free_port();
  HeldPort held(port);
  folder.write("conf.d/late.yaml", tcp_echo("late", port));
  Daemon daemon(folder);
  served.expect_all("beside a held port");
  const auto lines = daemon.log_lines("late: failed: ");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr(tcp(port)));
  EXPECT_THAT(lines[0], HasSubstr("Address already in use"));
  EXPECT_THAT(lines[0], HasSubstr("[" + std::to_string(getpid()) + "]"));
  held.release();
  EXPECT_TRUE(daemon.wait_log("late: works again"));
  EXPECT_TRUE(echoes(port));
}

TEST(HeldPort, is_tried_again_with_growing_pauses_and_told_of_once) {
  TempFolder folder;
  const std::uint16_t other = free_port();
  folder.write("conf.d/a.yaml", tcp_echo("a", other));
  const std::uint16_t port = free_port();
  const HeldPort held(port);
  folder.write("conf.d/late.yaml", tcp_echo("late", port));
  if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  Daemon daemon(folder, {.start = {.strace = {"-ttt", "-e", "trace=bind"}}});
  // PID SECONDS.MICROSECONDS bind(...
  const auto tries = [&] {
    std::vector<double> times;
    for (const std::string& line : split_lines(daemon.strace_text())) {
      if (contains(line, "htons(" + std::to_string(port) + ")"))
        times.push_back(std::stod(line.substr(line.find(' '))));
    }
    return times;
  };
  ASSERT_TRUE(eventually([&] { return tries().size() >= 3; }));
  const auto times = tries();
  ASSERT_EQ(times.size(), 3U);
  const double first_pause = times[1] - times[0];
  const double second_pause = times[2] - times[1];
  EXPECT_GE(first_pause, 0.99);
  EXPECT_GE(second_pause, 1.99);
  EXPECT_LT(first_pause + second_pause, 8.0);
  EXPECT_EQ(daemon.log_lines("late: failed: ").size(), 1U);
}

TEST(HeldPort, a_changed_service_keeps_its_old_listener_until_the_new_one_is_bound) {
  TempFolder folder;
  const std::uint16_t before = free_port();
  const std::uint16_t after = free_port();
  folder.write("conf.d/echo.yaml", tcp_echo("echo", before));
  Daemon daemon(folder);
  HeldPort held(after);
  Client client(before);
  folder.write("conf.d/echo.yaml", tcp_echo("echo", after));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 0, kept 0, failed 1"));
  EXPECT_TRUE(echoes(client));
  EXPECT_TRUE(echoes(before));
  held.release();
  EXPECT_TRUE(daemon.wait_log("echo: works again"));
  EXPECT_TRUE(echoes(after));
  EXPECT_TRUE(is_refused(before));
  EXPECT_TRUE(echoes(client)) << "a connection lives on when the port changes";
}

TEST(HeldPort, of_two_services_that_want_one_port_the_second_fails_and_names_the_first) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/a.yaml", tcp_echo("first", port));
  folder.write("conf.d/b.yaml",
               "service: second\nplugin: daytime\nlisten: [" + yaml_quoted(tcp(port)) + "]\n");
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(port));
  const auto lines = daemon.log_lines(folder.string("conf.d/b.yaml") + ":3:10: error: ");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr(tcp(port) + " is wanted by the service 'first' too"));
  EXPECT_THAT(daemon.state("state: first:").at(0), HasSubstr("first: listening"));
  const std::string state = daemon.state("state: second:").at(0);
  EXPECT_THAT(state, HasSubstr("second: failed"));
  EXPECT_THAT(state, HasSubstr("the service 'first'"));
  folder.remove("conf.d/a.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1, stopped 1"));
  EXPECT_THAT(ask(port), HasSubstr(":"));
}

TEST(HeldPort, one_of_a_range_fails_the_whole_service) {
  TempFolder folder;
  const std::vector<std::uint16_t> ports = free_ports(4);
  HeldPort held(ports[2]);
  const std::uint16_t other = free_port();
  folder.write("conf.d/a.yaml", tcp_echo("a", other));
  folder.write("conf.d/range.yaml", "service: range\nplugin: echo\nlisten: [\"tcp://127.0.0.1:" +
                                        std::to_string(ports[0]) + "-" + std::to_string(ports[3]) + "\"]\n");
  Daemon daemon(folder);
  EXPECT_TRUE(is_refused(ports[0]));
  EXPECT_TRUE(is_refused(ports[3]));
  held.release();
  EXPECT_TRUE(daemon.wait_log("range: works again"));
  for (const std::uint16_t port : ports)
    EXPECT_TRUE(echoes(port));
}

TEST(HeldPort, if_nothing_could_be_bound_it_ends_with_1) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const HeldPort held(port);
  folder.write("conf.d/echo.yaml", tcp_echo("echo", port));
  folder.write("conf.d/off.yaml", tcp_echo("off", free_port()) + "disable: yes\n");
  const RunResult result = run_xsd({"-c", folder.string("conf.d"), "--pid-file", folder.string("xsd.pid")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr(tcp(port)));
  EXPECT_THAT(result.err, HasSubstr("no service could be bound"));
  EXPECT_FALSE(fs::exists(folder / "xsd.pid"));
}

// ---- what depends on the machine

TEST(Machine, a_program_that_appears_is_found_by_itself) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/late.yaml", program_service("late", port, {folder.string("late.sh")}));
  Daemon daemon(folder);
  EXPECT_THAT(daemon.log(), HasSubstr("not found"));
  EXPECT_TRUE(is_refused(port));
  folder.write("late.sh.new", "#!/bin/sh\necho here\n");
  fs::permissions(folder / "late.sh.new", fs::perms(0755));
  fs::rename(folder / "late.sh.new", folder / "late.sh");
  EXPECT_TRUE(daemon.wait_log("late: works again"));
  EXPECT_EQ(ask(port), "here\n");
}

TEST(Machine, in_a_disabled_service_it_is_a_warning) {
  TempFolder folder;
  folder.write("conf.d/late.yaml",
               program_service("late", free_port(), {"/no/such/program"}, "disable: yes"));
  const RunResult result = run_xsd({"--check", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("warning: "));
  EXPECT_THAT(result.out, HasSubstr("not found"));
}

TEST(Machine, what_a_disabled_service_lacks_is_not_for_the_log) {
  TempFolder folder;
  std::string many = "services:\n";
  for (int n = 0; n < 12; ++n)
    many += "  - {service: late-" + std::to_string(n) +
            ", disable: yes, user: nobody, server: /no/such/one, listen: [" + yaml_quoted(tcp(free_port())) +
            "]}\n";
  many += "  - {service: wanted, user: nobody, server: /no/such/program, listen: [" +
          yaml_quoted(tcp(free_port())) + "]}\n";
  folder.write("conf.d/many.yaml", many);
  {
    Daemon daemon(folder);
    EXPECT_TRUE(daemon.wait_log("/no/such/program"));
    EXPECT_EQ(daemon.log_lines("/no/such/one").size(), 0U);
    EXPECT_EQ(daemon.log_lines(" more; xsd --check").size(), 0U);
    EXPECT_EQ(daemon.stop(), 0);
  }
  Daemon curious(folder, {.arguments = {"--log-level", "debug"}});
  EXPECT_TRUE(curious.wait_log("/no/such/one"));
}

TEST(Config, notes_are_told_of_once) {
  TempFolder folder;
  folder.write("inetd.conf", std::to_string(free_port()) + " stream tcp nowait nobody /bin/cat cat\n");
  Daemon daemon(folder, {.config = folder / "inetd.conf", .config_option = "--inetd"});
  const std::size_t notes = daemon.log_lines(": note: ").size();
  EXPECT_GT(notes, 0U);
  (void)daemon.hup_and_wait();
  EXPECT_EQ(daemon.log_lines(": note: ").size(), notes);
  folder.write("inetd.conf", "# one line more\n" + folder.read("inetd.conf"));
  (void)daemon.hup_and_wait();
  EXPECT_GT(daemon.log_lines(": note: ").size(), notes) << "they are of other lines now";
}

TEST(Config, a_file_with_another_ending_is_told_of) {
  TempFolder folder;
  folder.write("conf.d/a.yaml", tcp_echo("a", free_port()));
  folder.write("conf.d/b.yml", tcp_echo("b", free_port()));
  const RunResult result = run_xsd({"--check", "-c", folder.string("conf.d")});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("b.yml' is not read: names of service files end in '.yaml'"));
  folder.write("main/main.yml", "include: ['*.yaml']\n");
  EXPECT_THAT(run_xsd({"--check", "-c", folder.string("main/main.yml")}).out, Not(HasSubstr("is not read")));
}

TEST(Machine, a_program_that_goes_away_keeps_the_service_with_its_last_definition) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("here.sh", "#!/bin/sh\necho here\n");
  fs::permissions(folder / "here.sh", fs::perms(0755));
  folder.write("conf.d/here.yaml", program_service("here", port, {folder.string("here.sh")}));
  Daemon daemon(folder);
  Client client(port);
  EXPECT_EQ(client.receive_line(), "here");
  fs::rename(folder / "here.sh", folder / "gone.sh");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("failed 1"));
  fs::rename(folder / "gone.sh", folder / "here.sh");
  EXPECT_EQ(ask(port), "here\n");
}

}  // namespace
}  // namespace xsd::test
