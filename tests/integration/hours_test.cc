// SPDX-License-Identifier: Apache-2.0
//
// access_times and max_load: whether a service is open depends on the time and on the machine. The clock is
// the real one, so windows are of whole days that are far away from now, or around it.
#include <cstdlib>
#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/integration/echo_of_a_kind.h"
#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// "Mon", of the day that it is after that time, in UTC.
std::string day_after(seconds time) {
  constexpr const char* kNames[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const std::time_t moment = std::time(nullptr) + time.count();
  std::tm parts{};
  gmtime_r(&moment, &parts);
  return kNames[parts.tm_wday];
}

std::string open_in_three_days() {
  return "timezone: UTC\naccess_times: [\"" + day_after(hours(72)) + "," +
         day_after(hours(72) + minutes(10)) + " 0:00-24:00\"]";
}

class AccessTimes : public EchoOfAKind {
 protected:
  void SetUp() override {
    if (access("/usr/share/zoneinfo/UTC", R_OK) != 0) GTEST_SKIP() << "needs the zone database (tzdata)";
  }
  bool serves() const { return EchoOfAKind::serves("127.0.0.1"); }
};

INSTANTIATE_TEST_SUITE_P(, AccessTimes, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(AccessTimes, refuse_out_of_the_hours_and_follow_a_reload) {
  write_echo(open_in_three_days());
  Daemon daemon(folder_, options());
  Client refused = connect(kFirst);
  EXPECT_EQ(refused.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr(" reason=time")));
  EXPECT_THAT(daemon.log(), HasSubstr("echo: refusing clients: it is closed at this time (access_times)"));
  EXPECT_THAT(daemon.log_lines("echo: start"), IsEmpty());
  EXPECT_THAT(daemon.state("state: echo:").back(), HasSubstr(" time=1"));
  write_echo("access_times: [0:00-12:00, 12:00-24:00]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves());
  write_echo("access_times: []");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_FALSE(serves()) << "an empty list is never open";
}

// 26 hours lie between them, so it is never the same day in both.
TEST_P(AccessTimes, are_those_of_the_zone) {
  const std::string days = "access_times: [\"" + day_after(hours(14)) + "," +
                           day_after(hours(14) + minutes(10)) + " 0:00-24:00\"]\ntimezone: Etc/GMT";
  write_echo(days + "-14");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves());
  write_echo(days + "+12");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_FALSE(serves());
}

TEST_P(AccessTimes, follow_a_clock_that_is_set) {
  const std::string library = program("libshifted_clock.so");
  if (access(library.c_str(), R_OK) != 0) GTEST_SKIP() << library << " was not built";
  if (is_sanitized()) GTEST_SKIP() << "the sanitizer's library must be the first one";
  folder_.write("offset", "0\n");
  write_echo(open_in_three_days());
  DaemonOptions with_clock = options();
  with_clock.start.environment = {"LD_PRELOAD=" + library,
                                  "XSD_TEST_CLOCK_OFFSET=" + folder_.string("offset")};
  Daemon daemon(folder_, with_clock);
  EXPECT_FALSE(serves());
  folder_.write("offset", std::to_string(seconds(hours(72)).count()) + "\n");
  EXPECT_TRUE(serves());
  folder_.write("offset", "0\n");
  EXPECT_FALSE(serves());
}

TEST_P(AccessTimes, of_an_unknown_zone_fail_the_service_until_it_is_there) {
  write_echo("access_times: 0:00-24:00\ntimezone: No/Such");
  Daemon daemon(folder_, options());
  EXPECT_THAT(daemon.log(), HasSubstr("time zone 'No/Such' not found"));
  EXPECT_TRUE(is_refused(port_));
  write_echo("access_times: 0:00-24:00\ntimezone: UTC");
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(serves());
}

TEST(AccessTimesOfDatagrams, drop_them) {
  const TempFolder folder;
  const std::uint16_t port = free_port();
  const std::string echo = "service: echo\nplugin: echo\nlisten: " + yaml_quoted(udp(port)) + "\n";
  folder.write("conf.d/echo.yaml", echo + open_in_three_days() + "\n");
  Daemon daemon(folder);
  UdpClient client(port);
  ASSERT_TRUE(client.send("x"));
  EXPECT_TRUE(
      eventually([&] { return daemon.state("state: echo:").back().find("time=1") != std::string::npos; }));
  folder.write("conf.d/echo.yaml", echo);
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  ASSERT_TRUE(client.send("y"));
  EXPECT_EQ(client.receive(), "y") << "the other one is gone";
}

/// A program that owns its socket.
class WaitHours : public testing::Test {
 protected:
  void write_server(const std::string& listen, const std::vector<std::string>& argv,
                    const std::string& more) const {
    folder_.write("conf.d/server.yaml", program_on("server", {listen}, argv, "wait: yes\n" + more + "\n"));
  }
  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

TEST_F(WaitHours, let_the_clients_of_a_stream_wait) {
  const std::vector<std::string> loop = {program("accept_loop"), "60000"};
  write_server(tcp(port_), loop, open_in_three_days());
  Daemon daemon(folder_);
  Client client(port_);
  ASSERT_TRUE(client.connected());
  EXPECT_TRUE(eventually([&] {
    const std::string state = daemon.state("state: server:").back();
    return state.find(" paused ") != std::string::npos && state.find("(access_times)") != std::string::npos;
  }));
  EXPECT_THAT(daemon.log_lines("server: start"), IsEmpty());
  write_server(tcp(port_), loop, "");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_NE(pid_of(client.receive_line()), 0);
}

TEST_F(WaitHours, drop_the_datagrams_that_would_start_a_server) {
  write_server(udp(port_), {"/bin/sh", "-c", "head -c 1 >/dev/null"}, open_in_three_days());
  Daemon daemon(folder_);
  UdpClient client(port_);
  ASSERT_TRUE(client.send("x"));
  EXPECT_TRUE(
      eventually([&] { return daemon.state("state: server:").back().find("time=1") != std::string::npos; }));
  EXPECT_THAT(daemon.log_lines("server: start"), IsEmpty());
}

class MaxLoad : public EchoOfAKind {
 protected:
  void SetUp() override {
    double load = 0;
    if (getloadavg(&load, 1) != 1 || load < 0.05) GTEST_SKIP() << "the machine has nothing to do";
  }
  bool serves() const { return EchoOfAKind::serves("127.0.0.1"); }
};

INSTANTIATE_TEST_SUITE_P(, MaxLoad, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(MaxLoad, refuses_while_there_is_more) {
  write_echo("max_load: 0.01");
  Daemon daemon(folder_, options());
  EXPECT_FALSE(serves());
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse"), Each(HasSubstr(" reason=load")));
  EXPECT_THAT(daemon.log(), HasSubstr("echo: refusing clients: the load of the machine is "));
  write_echo("max_load: 1000000");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(serves());
}

}  // namespace
}  // namespace xsd::test
