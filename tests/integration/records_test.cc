// SPDX-License-Identifier: Apache-2.0
//
// Records of programs, as section 6 of interface.md promises them: one start, one end or one refuse for each
// connection, with exactly the documented keys.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;
using testing::UnorderedElementsAre;

using JsonRecord = std::map<std::string, std::string>;

std::vector<std::string> keys(const JsonRecord& record) {
  std::vector<std::string> names;
  for (const auto& entry : record)
    names.push_back(entry.first);
  return names;
}

class Records : public testing::Test {
 protected:
  /// The JSON records of that event; every line of the log must be JSON.
  static std::vector<JsonRecord> json_records(const Daemon& daemon, std::string_view event,
                                              std::size_t count) {
    std::vector<JsonRecord> found;
    EXPECT_TRUE(eventually([&] {
      found.clear();
      for (const std::string& line : split_lines(daemon.log())) {
        auto record = parse_json_line(line);
        if (record && (*record)["event"] == event) found.push_back(*std::move(record));
      }
      return found.size() >= count;
    })) << found.size()
        << " records of '" << event << "'";
    for (const std::string& line : split_lines(daemon.log()))
      EXPECT_TRUE(parse_json_line(line)) << line;
    return found;
  }
  /// The text records of a service without what stands before them.
  static std::vector<std::string> lines(const Daemon& daemon, const std::string& service) {
    std::vector<std::string> found;
    const std::string mark = " info: " + service + ": ";
    for (const std::string& line : daemon.log_lines(mark + "")) {
      const std::string text = line.substr(line.find(mark) + mark.size());
      for (const char* const event : {"start ", "end ", "refuse "}) {
        if (text.starts_with(event)) found.push_back(text);
      }
    }
    return found;
  }
  /// A client that holds the one instance of a service, so that a second is refused; then both are gone.
  static void serve_and_refuse(std::uint16_t port) {
    Client client(port);
    EXPECT_TRUE(echoes(client));
    Client second(port);
    EXPECT_NE(second.wait_end(), Ending::Open);
    client.half_close();
    EXPECT_NE(client.wait_end(), Ending::Open);
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

TEST_F(Records, tell_start_end_and_refusal_as_text) {
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}, "instances: 1\n"));
  Daemon daemon(folder_);
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  Client second(port_);
  EXPECT_NE(second.wait_end(), Ending::Open);
  client.half_close();
  EXPECT_NE(client.wait_end(), Ending::Open);
  (void)wait_records(daemon, "cat", "end", 1);
  const std::string from = "127\\.0\\.0\\.1:" + std::to_string(client.local_port());
  const std::string other = "127\\.0\\.0\\.1:" + std::to_string(second.local_port());
  EXPECT_THAT(lines(daemon, "cat"),
              ElementsAre(MatchesRegex("start conn=1 pid=[0-9]+ from=" + from),
                          MatchesRegex("refuse conn=2 from=" + other + " reason=instances"),
                          MatchesRegex("end conn=1 pid=[0-9]+ from=" + from + " exit=0 duration_ms=[0-9]+")));
}

TEST_F(Records, tell_the_exit_status_and_the_signal) {
  folder_.write("conf.d/sh.yaml",
                shell_service("sh", port_, "read what; [ \"$what\" = die ] && kill -9 $$; exit \"$what\""));
  Daemon daemon(folder_);
  for (const char* const what : {"0\n", "7\n", "255\n", "die\n"}) {
    const std::size_t before = records(daemon, "sh", "end").size();
    (void)ask(port_, what);
    (void)wait_records(daemon, "sh", "end", before + 1);
  }
  const auto ends = records(daemon, "sh", "end");
  ASSERT_THAT(ends, SizeIs(4));
  EXPECT_EQ(ends[0].at("exit"), "0");
  EXPECT_EQ(ends[1].at("exit"), "7");
  EXPECT_EQ(ends[2].at("exit"), "255");
  EXPECT_EQ(ends[3].at("signal"), "9");
  EXPECT_FALSE(ends[3].contains("exit"));
}

TEST_F(Records, tell_how_long_it_took) {
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}));
  Daemon daemon(folder_);
  const SteadyTime begin = std::chrono::steady_clock::now();
  Client client(port_);
  EXPECT_TRUE(echoes(client));
  const SteadyTime held = std::chrono::steady_clock::now();
  constexpr Milliseconds kHeld{150};
  EXPECT_TRUE(holds_for(kHeld, [&] { return client.ending() == Ending::Open; }));
  const auto least = elapsed(held);
  client.close();
  const auto ends = wait_records(daemon, "cat", "end", 1);
  const auto most = elapsed(begin);
  ASSERT_THAT(ends, SizeIs(1));
  const Milliseconds told(std::stol(ends[0].at("duration_ms")));
  // The daemon's clock is that of its turns of the loop.
  EXPECT_GE(told + Milliseconds(5), least);
  EXPECT_LE(told, most + Milliseconds(5));
}

TEST_F(Records, have_exactly_the_documented_keys_as_json) {
  const std::uint16_t bad = free_port();
  const std::uint16_t killed = free_port();
  const std::string missing = copy_program(folder_, "show_world", "missing");
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}, "instances: 1\n"));
  folder_.write("conf.d/bad.yaml", program_service("bad", bad, {missing}));
  folder_.write("conf.d/killed.yaml", shell_service("killed", killed, "kill -15 $$"));
  Daemon daemon(folder_, {.arguments = {"--log-format", "json"}});
  folder_.remove("missing");
  serve_and_refuse(port_);
  (void)json_records(daemon, "end", 1);
  (void)ask(killed);
  (void)json_records(daemon, "end", 2);
  EXPECT_EQ(ask(bad), "");
  const auto ends = json_records(daemon, "end", 3);
  const auto starts = json_records(daemon, "start", 2);
  const auto refusals = json_records(daemon, "refuse", 1);
  ASSERT_THAT(starts, SizeIs(2));
  ASSERT_THAT(ends, SizeIs(3));
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_THAT(keys(starts[0]), UnorderedElementsAre("ts", "event", "service", "conn", "from", "to", "pid"));
  EXPECT_THAT(keys(ends[0]), UnorderedElementsAre("ts", "event", "service", "conn", "from", "to", "pid",
                                                  "exit", "duration_ms", "cpu_ms"));
  EXPECT_THAT(keys(ends[1]), UnorderedElementsAre("ts", "event", "service", "conn", "from", "to", "pid",
                                                  "signal", "duration_ms", "cpu_ms"));
  EXPECT_THAT(keys(ends[2]),
              UnorderedElementsAre("ts", "event", "service", "conn", "from", "to", "error", "duration_ms"));
  EXPECT_THAT(keys(refusals[0]),
              UnorderedElementsAre("ts", "event", "service", "conn", "from", "to", "reason"));
  EXPECT_EQ(ends[0].at("service"), "cat");
  EXPECT_EQ(ends[0].at("conn"), starts[0].at("conn"));
  EXPECT_EQ(ends[0].at("pid"), starts[0].at("pid"));
  EXPECT_EQ(ends[0].at("from"), starts[0].at("from"));
  EXPECT_EQ(ends[0].at("to"), "127.0.0.1:" + std::to_string(port_));
  EXPECT_EQ(ends[0].at("exit"), "0");
  EXPECT_EQ(ends[1].at("signal"), "15");
  EXPECT_EQ(ends[2].at("error"), "exec " + missing + ": No such file or directory");
  EXPECT_EQ(refusals[0].at("reason"), "instances");
  for (const JsonRecord& record : ends)
    EXPECT_THAT(record.at("ts"), MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z"));
}

TEST_F(Records, of_a_wait_server_have_no_peer) {
  folder_.write("conf.d/loop.yaml",
                program_service("loop", port_, {program("accept_loop"), "1"}, "wait: true\n"));
  Daemon daemon(folder_, {.arguments = {"--log-format", "json"}});
  (void)ask(port_);
  const auto starts = json_records(daemon, "start", 1);
  const auto ends = json_records(daemon, "end", 1);
  EXPECT_THAT(keys(starts.at(0)), UnorderedElementsAre("ts", "event", "service", "conn", "to", "pid"));
  EXPECT_THAT(keys(ends.at(0)), UnorderedElementsAre("ts", "event", "service", "conn", "to", "pid", "exit",
                                                     "duration_ms", "cpu_ms"));
}

struct Lists {
  const char* name;
  const char* keys;
  const char* start;  ///< regular expressions, FROM for the client; nullptr: no such record
  const char* refuse;
  const char* end;
};

class RecordLists : public Records, public testing::WithParamInterface<Lists> {};

INSTANTIATE_TEST_SUITE_P(
    Of, RecordLists,
    testing::Values(Lists{"nothing", "log_on_success: []\nlog_on_failure: []\n", nullptr, nullptr, nullptr},
                    Lists{"no_success", "log_on_success: []\n", nullptr,
                          "refuse conn=2 FROM reason=instances", nullptr},
                    Lists{"no_failure", "log_on_failure: []\n", "start conn=1 pid=[0-9]+ FROM", nullptr,
                          "end conn=1 pid=[0-9]+ FROM exit=0 duration_ms=[0-9]+"},
                    Lists{"pid", "log_on_success: [PID]\nlog_on_failure: [ATTEMPT]\n",
                          "start conn=1 pid=[0-9]+", "refuse conn=2 reason=instances", nullptr},
                    Lists{"host", "log_on_success: [HOST]\nlog_on_failure: [HOST]\n", "start conn=1 FROM",
                          "refuse conn=2 FROM reason=instances", nullptr},
                    Lists{"exit", "log_on_success: [EXIT]\n", nullptr, "refuse conn=2 FROM reason=instances",
                          "end conn=1 exit=0"},
                    Lists{"duration", "log_on_success: [duration]\n", nullptr,
                          "refuse conn=2 FROM reason=instances", "end conn=1 duration_ms=[0-9]+"},
                    Lists{"usage", "log_on_success: [USAGE]\nlog_on_failure: [ATTEMPT, HOST]\n", nullptr,
                          "refuse conn=2 FROM reason=instances", "end conn=1 cpu_ms=[0-9]+"}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_P(RecordLists, choose_records_and_fields) {
  folder_.write("conf.d/cat.yaml",
                program_service("cat", port_, {"/bin/cat"}, std::string("instances: 1\n") + GetParam().keys));
  const std::uint16_t marker = free_port();
  folder_.write("conf.d/marker.yaml", program_service("marker", marker, {"/bin/true"}));
  Daemon daemon(folder_);
  serve_and_refuse(port_);
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).empty(); }));
  // Records are written in order: what has not come before this one does not come any more.
  (void)ask(marker);
  (void)wait_records(daemon, "marker", "end", 1);
  std::vector<testing::Matcher<std::string>> expected;
  for (const char* const line : {GetParam().start, GetParam().refuse, GetParam().end}) {
    if (line == nullptr) continue;
    std::string pattern = line;
    if (const std::size_t from = pattern.find("FROM"); from != std::string::npos)
      pattern.replace(from, 4, "from=127\\.0\\.0\\.1:[0-9]+");
    expected.push_back(MatchesRegex(pattern));
  }
  EXPECT_THAT(lines(daemon, "cat"), testing::ElementsAreArray(expected));
}

TEST_F(Records, are_switched_off_as_json_too) {
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"},
                                                   "instances: 1\nlog_on_success: []\nlog_on_failure: []\n"));
  const std::uint16_t marker = free_port();
  folder_.write("conf.d/marker.yaml", program_service("marker", marker, {"/bin/true"}));
  Daemon daemon(folder_, {.arguments = {"--log-format", "json"}});
  serve_and_refuse(port_);
  EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).empty(); }));
  (void)ask(marker);
  EXPECT_EQ(json_records(daemon, "end", 1).at(0).at("service"), "marker");
  EXPECT_THAT(json_records(daemon, "start", 1), SizeIs(1));
  EXPECT_THAT(json_records(daemon, "refuse", 0), IsEmpty());
  // What nobody recorded was counted.
  EXPECT_THAT(daemon.state("cat"), testing::Contains(ContainsRegex("instances.?.?1")));
}

}  // namespace
}  // namespace xsd::test
