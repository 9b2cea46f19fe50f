// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <csignal>
#include <latch>
#include <vector>

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "loaded_plugin_test.h"

namespace xsd::plugin {
namespace {

using ::testing::HasSubstr;

// The time of ManualClock.
const std::string kTime = "2026-11-22T01:10:47.000Z ";

class LogdTest : public LoadedPluginTest {
 protected:
  LogdTest() : log(folder / "log") {}
  ~LogdTest() override { end_service(); }

  void start_logd(const char* rotate_size = "16M", const char* sync = "no", const char* max_record = "8K") {
    start_loaded(
        "logd",
        {{"file", log.string()}, {"rotate_size", rotate_size}, {"sync", sync}, {"max_record", max_record}});
  }
  /// The file, once there are so many lines in it.
  std::string lines(std::ptrdiff_t count) {
    std::string text;
    EXPECT_TRUE(turn_until([&] {
      text = content(log);
      return std::count(text.begin(), text.end(), '\n') >= count;
    }));
    return text;
  }
  /// Runs logger(1) to its end, which must be a good one, while the loop turns.
  void logger(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "logger");
    std::vector<char*> argv;
    for (std::string& argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    ASSERT_EQ(::posix_spawnp(&pid, "logger", nullptr, nullptr, argv.data(), environ), 0);
    int status = -1;
    const bool over = turn_until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
    if (!over) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
    EXPECT_TRUE(over);
    EXPECT_EQ(status, 0);
  }
  static bool has_logger() { return std::filesystem::exists("/usr/bin/logger"); }

  const std::filesystem::path log;
};

TEST_F(LogdTest, writes_records_of_udp) {
  start_logd();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.1", "<34>Oct 11 22:14:15 mymachine su: 'su root' failed\n");
  send_to(mine, "127.0.0.1", "<165>1 2003-10-11T22:14:15.003Z host evntslog 12 ID47 [a@1 b=\"c\"] An\nevent");
  send_to(mine, "127.0.0.1", "no record");
  send_to(mine, "127.0.0.1", "");
  EXPECT_EQ(lines(4), kTime + "auth.crit mymachine su 'su root' failed\n" + kTime +
                          "local4.notice host evntslog[12]#ID47 [a@1 b=\"c\"] An\\nevent\n" + kTime +
                          "malformed 127.0.0.1 - no record\n" + kTime + "malformed 127.0.0.1 -\n");
  EXPECT_EQ(counter("records"), 4U);
  EXPECT_EQ(counter("malformed"), 2U);
  EXPECT_EQ(counter("dropped"), 0U);
}

TEST_F(LogdTest, writes_records_of_streams_in_both_framings) {
  start_logd();
  UniqueFd tcp = client();
  auto [local, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(tcp, "<13>a: one\n12 <13>b: t\nwo\n");
  EXPECT_EQ(lines(2), kTime + "user.notice 127.0.0.1 a one\n" + kTime + "user.notice 127.0.0.1 b t\\nwo\n");
  send_all(local, "<13>c: thr");
  settle();
  send_all(local, "ee\n<13>d: without an end");
  local.reset();
  EXPECT_THAT(lines(4), HasSubstr(kTime + "user.notice localhost c three\n" + kTime +
                                  "user.notice localhost d without an end\n"));
  send_all(tcp, "50 <13>e: cut");
  reset(std::move(tcp));
  EXPECT_THAT(lines(5), HasSubstr("user.notice 127.0.0.1 e cut \\cut\n"));
}

TEST_F(LogdTest, writes_records_of_unix_datagrams) {
  start_logd();
  const UniqueFd mine = connect_unix(listen_unix_datagrams(), SOCK_DGRAM);
  // What this process sends itself is not shown to the plugin.
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr std::string_view kRecord = "<30>Nov 22 01:10:47 sshd[812]: hello";
    ::_exit(::send(mine.get(), kRecord.data(), kRecord.size(), 0) < 0 ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(lines(1), kTime + "daemon.info localhost sshd[812] hello\n");
}

TEST_F(LogdTest, cuts_long_records) {
  start_logd("16M", "no", "480");
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  const std::string longest = "<13>a: " + std::string(473, 'x');
  send_to(mine, "127.0.0.1", longest);
  send_to(mine, "127.0.0.1", longest + "y");
  const std::string line = kTime + "user.notice 127.0.0.1 a " + std::string(473, 'x');
  EXPECT_EQ(lines(2), line + "\n" + line + " \\cut\n");
  UniqueFd tcp = client();
  send_all(tcp, longest + "y\n");
  EXPECT_EQ(lines(3), line + "\n" + line + " \\cut\n" + line + " \\cut\n");
}

TEST_F(LogdTest, serves_many_clients_at_once) {
  start_logd();
  constexpr int kClients = 50;
  constexpr int kRecords = 200;
  std::vector<UniqueFd> clients;
  for (int i = 0; i < kClients; ++i)
    clients.push_back(client());
  for (int record = 0; record < kRecords; ++record) {
    for (int i = 0; i < kClients; ++i)
      send_all(clients[static_cast<std::size_t>(i)],
               "<13>c" + std::to_string(i) + ": " + std::to_string(record) + "\n");
    loop->run_once(Duration::zero());
  }
  const std::string text = lines(kClients * kRecords);
  std::size_t at = 0;  // those of one client are in order
  for (int record = 0; record < kRecords; ++record) {
    at = text.find(" c7 " + std::to_string(record) + "\n", at);
    ASSERT_NE(at, std::string::npos) << record;
  }
  EXPECT_EQ(counter("records"), static_cast<std::uint64_t>(kClients * kRecords));
}

TEST_F(LogdTest, rotates_and_goes_on) {
  start_logd("4K");
  const UniqueFd tcp = client();
  for (int i = 0; i < 300; ++i)
    send_all(tcp, "<13>a: " + std::to_string(i) + "\n");
  ASSERT_TRUE(turn_until([&] { return content(log).find(" a 299\n") != std::string::npos; }));
  std::string all;
  for (const char* const end : {".4", ".3", ".2", ".1", ""}) {
    const std::string part = content(log.string() + end);
    EXPECT_LE(part.size(), 4096U);
    all += part;
  }
  for (int i = 0; i < 300; ++i)
    EXPECT_THAT(all, HasSubstr(" a " + std::to_string(i) + "\n"));
  ASSERT_TRUE(turn_until([&] { return counter("rotations") > 0; }));
  EXPECT_EQ(counter("rotations"), 3U);
}

TEST_F(LogdTest, makes_a_new_file_when_it_was_moved_away) {
  start_logd();
  const UniqueFd tcp = client();
  send_all(tcp, "<13>a: one\n");
  (void)lines(1);
  std::filesystem::rename(log, folder / "moved");
  clock.now += seconds(1);
  send_all(tcp, "<13>a: two\n");
  EXPECT_EQ(lines(1), kTime + "user.notice 127.0.0.1 a two\n");
}

TEST_F(LogdTest, drops_and_counts_while_the_disk_is_full_and_tells_of_it_once) {
  start_logd();
  const UniqueFd tcp = client();
  send_all(tcp, "<13>a: one\n");
  const std::string before = lines(1);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  const rlimit full{before.size(), unlimited.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    send_all(tcp, "<13>a: lost\n");
    EXPECT_TRUE(turn_until([&] { return counter("dropped") == i; }));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &unlimited), 0);
  std::signal(SIGXFSZ, handler);
  send_all(tcp, "<13>a: two\n");
  EXPECT_EQ(lines(2), before + kTime + "user.notice 127.0.0.1 a two\n");
  ASSERT_TRUE(turn_until([&] { return logged.find("again") != std::string::npos; }));
  EXPECT_EQ(logged, "0:cannot write " + log.string() +
                        ": File too large; records are dropped until it works\n2:" + log.string() +
                        " is written again; 3 records were dropped\n");
}

TEST_F(LogdTest, writes_what_is_left_when_it_ends) {
  start_logd("16M", "yes");
  UniqueFd tcp = client();
  send_all(tcp, "<13>a: one\n<13>a: two");
  ASSERT_TRUE(turn_until([&] { return counter("records") == 1; }));
  end_service();
  EXPECT_EQ(content(log), kTime + "user.notice 127.0.0.1 a one\n" + kTime + "user.notice 127.0.0.1 a two\n");
}

TEST_F(LogdTest, holds_streams_back_and_drops_datagrams_while_the_file_does_not_keep_up) {
  start_logd("0");
  bind_service("127.0.0.1");
  // All threads are busy with something else, so no write is done.
  std::latch release(1);
  for (std::size_t i = 0; i < BlockingPool::kMostThreads; ++i) {
    ASSERT_EQ(pool->run([](void* latch) { static_cast<std::latch*>(latch)->wait(); }, &release, [] {}), 0);
  }
  // Small records are long lines: 6 MiB in the file.
  constexpr std::uint64_t kEach = 10000;
  std::string burst;
  for (std::uint64_t i = 0; i < kEach; ++i)
    burst += "<1>\n";
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(client());
    send_all(clients.back(), burst);
    settle();
  }
  EXPECT_LT(counter("records"), 6 * kEach) << "more than 1 MiB, what is being written, and one read";
  const std::uint64_t before = counter("records");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.1", "<13>lost");
  EXPECT_TRUE(turn_until([&] { return counter("dropped") == 1; }));
  EXPECT_EQ(counter("records"), before);

  release.count_down();
  ASSERT_TRUE(turn_until([&] { return counter("records") == 10 * kEach; }));
  end_service();
  const std::string text = content(log);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100000);
}

TEST_F(LogdTest, does_not_start_without_its_file) {
  const xsd_plugin* const plugin = load("logd");
  ASSERT_NE(plugin, nullptr);
  const config::SettingsNode map = settings_of({{"file", (folder / "none/log").string()}});
  HostedOptions options;
  options.settings = &map;
  options.on_log = [this](std::uint32_t, std::string_view text) { logged += text; };
  auto created = HostedService::create(*loop, {plugin->name, "", plugin}, std::move(options));
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().number(), ENOENT);
  EXPECT_EQ(logged, "cannot open " + (folder / "none/log").string() + ": No such file or directory");
}

TEST_F(LogdTest, checks_its_settings) {
  const std::string file = log.string();
  EXPECT_EQ(problems("logd", {{"file", file}}), "");
  EXPECT_EQ(
      problems("logd", {{"file", file}, {"rotate_size", "0"}, {"max_record", "64K"}, {"rotate_keep", "0"}}),
      "");
  EXPECT_EQ(problems("logd", {{"file", file}, {"rotate_size", "1K"}}), "rotate_size is 0 or at least 4K\n");
  EXPECT_EQ(problems("logd", {{"file", file}, {"rotate_keep", "1001"}}), "rotate_keep is at most 1000\n");
  EXPECT_EQ(problems("logd", {{"file", file}, {"max_record", "479"}}), "max_record is from 480 to 64K\n");
  EXPECT_EQ(problems("logd", {{"file", file}, {"max_record", "65K"}}), "max_record is from 480 to 64K\n");
  EXPECT_EQ(problems("logd", {{"file", (folder / "none/log").string()}}), "its folder was not found\n");
  EXPECT_EQ(problems("logd", {{"file", folder.string()}}), "not a regular file\n");
  EXPECT_EQ(problems("logd", {{"file", folder.string() + "/"}}), "not a regular file\n");
  std::ofstream(log) << "x";
  EXPECT_EQ(problems("logd", {{"file", file + "/log"}}), "its folder is no folder\n");
}

TEST_F(LogdTest, understands_logger) {
  if (!has_logger()) GTEST_SKIP() << "needs /usr/bin/logger (bsdutils)";
  start_logd();
  bind_service("127.0.0.1");
  const std::string udp = std::to_string(bound.port());
  const std::string tcp = std::to_string(listen_tcp());
  const std::string dgram = listen_unix_datagrams();
  const std::vector<std::vector<std::string>> ways{
      {"-n", "127.0.0.1", "-P", udp, "-d", "--rfc3164"},
      {"-n", "127.0.0.1", "-P", udp, "-d", "--rfc5424"},
      {"-n", "127.0.0.1", "-P", tcp, "-T", "--rfc3164"},
      {"-n", "127.0.0.1", "-P", tcp, "-T", "--rfc5424"},
      {"-n", "127.0.0.1", "-P", tcp, "-T", "--octet-count", "--rfc3164"},
      {"-n", "127.0.0.1", "-P", tcp, "-T", "--octet-count", "--rfc5424"},
      {"-u", dgram},
  };
  std::ptrdiff_t number = 0;
  for (std::vector<std::string> arguments : ways) {
    const std::string message = "message " + std::to_string(number);
    arguments.insert(arguments.end(), {"-p", "daemon.warning", "-t", "tester", "--id=42", message});
    logger(arguments);
    const std::string text = lines(++number);
    EXPECT_EQ(text.find("malformed"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with(message + "\n")) << text;
    const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
    EXPECT_THAT(last, HasSubstr(" daemon.warning "));
    EXPECT_THAT(last, HasSubstr(" tester[42]"));
  }
  EXPECT_EQ(counter("malformed"), 0U);
}

}  // namespace
}  // namespace xsd::plugin
