// SPDX-License-Identifier: Apache-2.0
//
// The built-in plugins over streams: what they say, how connections end, what a client that does not play
// along costs (rows pro_5 and pro_6 of reliability.md). Datagrams: plugins_udp_test.cc.
#include <csignal>
#include <ctime>
#include <list>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kMebibyte = 1024 * 1024;
constexpr std::size_t kKibibyte = 1024;
constexpr Milliseconds kLongDeadline{60000};

/// Bytes in which every place looks different from its neighbours.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
  return bytes;
}

/// What the daemon's JSON log says of the first event of this kind; empty if it does not come.
std::map<std::string, std::string> wait_record(const Daemon& daemon, const std::string& event) {
  const std::string mark = "\"event\":\"" + event + "\"";
  if (!daemon.wait_log(mark)) return {};
  return parse_json_line(daemon.log_lines(mark).front()).value_or(std::map<std::string, std::string>{});
}

const DaemonOptions kJson{.arguments = {"--log-format", "json"}};

// ---- echo

TEST(Echo, sends_back_8_mib_and_ends_when_the_client_has) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  Client client(port);
  const std::string sent = pattern(8 * kMebibyte);
  std::jthread sender([&] {
    EXPECT_TRUE(client.send(sent, kLongDeadline));
    client.half_close();
  });
  const std::string back = client.receive_until_eof(kLongDeadline);
  sender.join();
  EXPECT_EQ(back.size(), sent.size());
  EXPECT_TRUE(back == sent);
  EXPECT_EQ(client.ending(), Ending::Closed);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Echo, answers_what_came_before_a_half_close) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  const Daemon daemon(folder);
  EXPECT_EQ(ask(port, "last words"), "last words");
  EXPECT_EQ(ask(port, ""), "");
}

TEST(Echo, keeps_urgent_data_in_line) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  const Daemon daemon(folder);
  Client client(port);
  ASSERT_TRUE(client.send("ab"));
  ASSERT_EQ(send(client.fd(), "cd", 2, MSG_OOB), 2);
  ASSERT_TRUE(client.send("ef"));
  ASSERT_EQ(send(client.fd(), "g", 1, MSG_OOB), 1);
  client.half_close();
  EXPECT_EQ(client.receive_until_eof(), "abcdefg");
}

/// Sends until none of them takes more; how much each took.
std::vector<std::size_t> send_until_full(std::list<Client>& clients) {
  constexpr Milliseconds kFullAfter{300};
  static const std::string kBlock = pattern(64 * kKibibyte);
  std::vector<std::size_t> totals(clients.size());
  for (SteadyTime last = std::chrono::steady_clock::now(); elapsed(last) < kFullAfter;) {
    auto total = totals.begin();
    for (const Client& client : clients) {
      const ssize_t count = send(client.fd(), kBlock.data(), kBlock.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) {
        *total += static_cast<std::size_t>(count);
        last = std::chrono::steady_clock::now();
      }
      ++total;
    }
  }
  return totals;
}

// pro_5
TEST(Echo, holds_little_of_what_a_client_does_not_take_back) {
  constexpr std::size_t kClients = 20;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder);
  ASSERT_TRUE(echoes(port));
  const std::size_t before = rss_kib(daemon.pid());
  std::list<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    clients.emplace_back(port, ClientOptions{.receive_buffer = 4096});
  const std::vector<std::size_t> sent = send_until_full(clients);
  RecordProperty("kib_for_all", std::to_string(rss_kib(daemon.pid()) - before));
  if (!is_sanitized()) {
    EXPECT_LE(rss_kib(daemon.pid()), before + kClients * 64 + 512);
  }
  EXPECT_TRUE(echoes(port)) << "somebody else";
  auto size = sent.begin();
  for (Client& client : clients) {
    EXPECT_GT(*size, 64 * kKibibyte);
    client.half_close();
    EXPECT_EQ(client.receive_until_eof(kLongDeadline).size(), *size++);
    EXPECT_EQ(client.ending(), Ending::Closed);
  }
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Echo, idle_timeout_ends_it_and_the_record_says_so) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port, "idle_timeout: 200ms"));
  Daemon daemon(folder, kJson);
  Client client(port);
  EXPECT_TRUE(echoes(client));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_GE(elapsed(begin), Milliseconds(150));
  EXPECT_EQ(wait_record(daemon, "end")["error"], "timeout");
}

TEST(Echo, bytes_keep_the_idle_timeout_away) {
  constexpr Milliseconds kLife{2000};
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port, "idle_timeout: 1s"));
  const Daemon daemon(folder);
  Client client(port);
  EXPECT_TRUE(holds_for(kLife, [&] { return echoes(client); }));
}

TEST(Echo, records_count_the_bytes_of_both_directions) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  Daemon daemon(folder, kJson);
  {
    Client client(port);
    EXPECT_TRUE(echoes(client, "12345"));
    EXPECT_TRUE(echoes(client, "6789"));
    const std::string from = "127.0.0.1:" + std::to_string(client.local_port());
    EXPECT_EQ(wait_record(daemon, "start")["from"], from);
    client.half_close();
    EXPECT_EQ(client.wait_end(), Ending::Closed);
    auto end = wait_record(daemon, "end");
    EXPECT_EQ(end["service"], "echo");
    EXPECT_EQ(end["from"], from);
    EXPECT_EQ(end["to"], "127.0.0.1:" + std::to_string(port));
    EXPECT_EQ(end["bytes_in"], "9");
    EXPECT_EQ(end["bytes_out"], "9");
    EXPECT_EQ(end.count("error"), 0U);
    EXPECT_EQ(end["conn"], wait_record(daemon, "start")["conn"]);
  }
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(daemon.log_lines("\"event\":\"start\"").size(), 1U);
  EXPECT_EQ(daemon.log_lines("\"event\":\"end\"").size(), 1U);
}

// ---- discard, daytime, time, chargen

TEST(Discard, takes_8_mib_and_says_nothing) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/discard.yaml", plugin_service("discard", "discard", port));
  Daemon daemon(folder, kJson);
  Client client(port);
  ASSERT_TRUE(client.send(pattern(8 * kMebibyte), kLongDeadline));
  client.half_close();
  EXPECT_EQ(client.receive_until_eof(), "");
  EXPECT_EQ(client.ending(), Ending::Closed);
  auto end = wait_record(daemon, "end");
  EXPECT_EQ(end["bytes_in"], std::to_string(8 * kMebibyte));
  EXPECT_EQ(end["bytes_out"], "0");
}

/// daytime's text for a moment, in UTC.
std::string daytime_text(std::time_t seconds) {
  static constexpr const char* kMonths[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                            "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  (void)std::snprintf(text, sizeof text, "%02d %s %d %02d:%02d:%02d UTC\r\n", parts.tm_mday,
                      kMonths[parts.tm_mon], 1900 + parts.tm_year, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

/// A text for a moment from `begin` to now.
bool is_daytime_since(std::time_t begin, const std::string& text) {
  for (std::time_t moment = begin; moment <= wall_seconds(); ++moment) {
    if (text == daytime_text(moment)) return true;
  }
  return false;
}

TEST(Daytime, says_the_local_time_and_closes) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", port));
  const Daemon daemon(folder, {.start = {.environment = {"TZ=UTC0"}}});
  const std::time_t begin = wall_seconds();
  Client client(port);
  const std::string text = client.receive_until_eof();
  EXPECT_TRUE(is_daytime_since(begin, text)) << text;
  EXPECT_EQ(client.ending(), Ending::Closed);
  EXPECT_THAT(ask(port, "and you?"), HasSubstr("UTC\r\n"));
}

TEST(Daytime, knows_the_zone_of_its_environment) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", port));
  const Daemon daemon(folder, {.start = {.environment = {"TZ=XYZ-3"}}});
  EXPECT_THAT(ask(port), HasSubstr(" XYZ\r\n"));
}

// Closing with unread bytes sends a reset, and that could take the answer away.
TEST(Daytime, answers_a_client_that_says_something_first) {
  constexpr std::size_t kClients = 20;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", port));
  Daemon daemon(folder, {.start = {.environment = {"TZ=UTC0"}}});
  ASSERT_TRUE(daemon.signal(SIGSTOP));  // so that the bytes are there when the connection is accepted
  const std::time_t begin = wall_seconds();
  std::list<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    EXPECT_TRUE(clients.emplace_back(port).send("what time is it?\r\n"));
  ASSERT_TRUE(daemon.signal(SIGCONT));
  for (Client& client : clients) {
    EXPECT_TRUE(is_daytime_since(begin, client.receive_until_eof()));
    EXPECT_EQ(client.ending(), Ending::Closed);
  }
  clients.clear();
  EXPECT_TRUE(daemon.wait_log("daytime: end ", kClients));
}

TEST(Time, counts_the_seconds_since_1900) {
  constexpr std::uint64_t k1970 = 2208988800;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/time.yaml", plugin_service("time", "time", port));
  const Daemon daemon(folder);
  const auto now = [] {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(wall_seconds()) + k1970);
  };
  const std::uint32_t begin = now();
  const std::string answer = ask(port);
  ASSERT_EQ(answer.size(), 4U);
  std::uint32_t value = 0;
  for (const char byte : answer)
    value = value << 8 | static_cast<unsigned char>(byte);
  EXPECT_LE(value - begin, now() - begin);
}

TEST(Chargen, sends_the_ring_of_printing_characters) {
  constexpr unsigned kLines = 300;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/chargen.yaml", plugin_service("chargen", "chargen", port));
  const Daemon daemon(folder);
  Client client(port);
  ASSERT_TRUE(client.send("what it gets is thrown away"));
  client.half_close();  // who has nothing more to say may still want to listen
  for (unsigned line = 0; line < kLines; ++line) {
    std::string expected;
    for (unsigned i = 0; i < 72; ++i)
      expected += static_cast<char>(' ' + (line + i) % 95);
    ASSERT_EQ(client.receive(74), expected + "\r\n") << "line " << line;
  }
}

// pro_5
TEST(Chargen, clients_that_do_not_read_cost_little_and_end_at_idle_timeout) {
  constexpr std::size_t kClients = 1000;
  if (raise_descriptor_limit() < kClients + 200) GTEST_SKIP() << "needs descriptors for " << kClients;
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t echo = free_port();
  folder.write("conf.d/chargen.yaml", plugin_service("chargen", "chargen", port, "idle_timeout: 1s"));
  folder.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder);
  ASSERT_TRUE(echoes(echo));
  ASSERT_TRUE(daemon.wait_log("echo: end "));
  const std::size_t memory = rss_kib(daemon.pid());
  const std::size_t descriptors = fd_count(daemon.pid());
  std::list<Client> clients;
  std::size_t most = 0;
  for (std::size_t i = 0; i < kClients; ++i) {
    ASSERT_TRUE(clients.emplace_back(port, ClientOptions{.receive_buffer = 4096}).connected());
    most = std::max(most, rss_kib(daemon.pid()));
  }
  EXPECT_TRUE(echoes(echo)) << "while they hang";
  EXPECT_TRUE(eventually([&] {
    most = std::max(most, rss_kib(daemon.pid()));
    return daemon.log_lines("chargen: end ").size() == kClients;
  }));
  if (!is_sanitized()) {
    EXPECT_LE(most, memory + kClients * 64);
  }
  EXPECT_EQ(daemon.log_lines("timeout").size(), kClients);
  for (Client& client : clients)
    EXPECT_EQ(client.wait_end(), Ending::Reset) << "it must not take for whole what is not";
  EXPECT_TRUE(eventually([&] { return fd_count(daemon.pid()) == descriptors; }));
  EXPECT_TRUE(echoes(echo));
  EXPECT_EQ(daemon.stop(), 0);
}

// pro_6
TEST(Plugins, clients_that_close_with_unread_data_end_quietly) {
  constexpr std::size_t kRounds = 50;
  constexpr std::size_t kClients = 100;  // of each of two services, in each round
  TempFolder folder;
  const std::uint16_t chargen = free_port();
  const std::uint16_t echo = free_port();
  folder.write("conf.d/chargen.yaml", plugin_service("chargen", "chargen", chargen));
  folder.write("conf.d/echo.yaml", echo_service("echo", echo));
  Daemon daemon(folder);
  ASSERT_TRUE(echoes(echo));
  ASSERT_TRUE(daemon.wait_log("echo: end "));
  const std::size_t descriptors = fd_count(daemon.pid());
  const std::string block = pattern(32 * kKibibyte);
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::list<Client> clients;
    for (std::size_t i = 0; i < kClients; ++i) {
      EXPECT_TRUE(clients.emplace_back(chargen, ClientOptions{.receive_buffer = 4096}).connected());
      EXPECT_TRUE(clients.emplace_back(echo, ClientOptions{.receive_buffer = 4096}).send(block));
    }
    for (Client& client : clients)
      EXPECT_EQ(client.receive(1).size(), 1U);  // more is there
  }
  constexpr std::size_t kAll = kRounds * kClients;
  EXPECT_TRUE(daemon.wait_log("chargen: end ", kAll));
  EXPECT_TRUE(daemon.wait_log("echo: end ", kAll + 1));
  EXPECT_TRUE(eventually([&] { return fd_count(daemon.pid()) == descriptors; }));
  EXPECT_TRUE(echoes(echo));
  EXPECT_THAT(daemon.log_lines("error: "), testing::IsEmpty());
  EXPECT_THAT(daemon.log_lines("warning: "), testing::Each(testing::HasSubstr("there is no user 'xsd'")));
  EXPECT_EQ(daemon.stop(), 0);
}

// ---- where they listen

TEST(Plugins, serve_unix_stream_sockets) {
  TempFolder folder;
  const std::string path = folder.string("echo.sock");
  const std::string abstract = "@xsd-test-" + std::to_string(getpid());
  folder.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: [" + yaml_quoted("unix://" + path) +
                                       ", " + yaml_quoted("unix://" + abstract) + "]\n");
  Daemon daemon(folder);
  for (const std::string& where : {path, abstract}) {
    Client client = Client::to_unix_socket(where);
    ASSERT_TRUE(client.connected()) << where;
    EXPECT_TRUE(echoes(client)) << where;
    const std::string sent = pattern(kMebibyte);
    std::jthread sender([&] {
      EXPECT_TRUE(client.send(sent));
      client.half_close();
    });
    EXPECT_TRUE(client.receive_until_eof() == sent) << where;
  }
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Plugins, serve_several_endpoints_and_a_range) {
  TempFolder folder;
  const std::vector<std::uint16_t> range = free_ports(5);
  const std::uint16_t first = free_port();
  const std::uint16_t second = free_port();
  folder.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten:\n  - " + tcp(first) +
                                       "\n  - tcp4://127.0.0.2:" + std::to_string(second) +
                                       "\n  - tcp://127.0.0.1:" + std::to_string(range.front()) + "-" +
                                       std::to_string(range.back()) + "\n");
  Daemon daemon(folder);
  EXPECT_TRUE(echoes(first));
  EXPECT_TRUE(echoes(second, {.host = "127.0.0.2"}));
  EXPECT_TRUE(is_refused(second)) << "on another address";
  for (const std::uint16_t port : range)
    EXPECT_TRUE(echoes(port));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Plugins, serve_ipv6) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  if (Client(port, {.host = "::1"}).error() != ECONNREFUSED) GTEST_SKIP() << "no IPv6 here";
  folder.write("conf.d/echo.yaml",
               "service: echo\nplugin: echo\nlisten: [" + yaml_quoted(tcp(port, "[::1]")) + "]\n");
  Daemon daemon(folder, kJson);
  EXPECT_TRUE(echoes(port, {.host = "::1"}));
  EXPECT_TRUE(is_refused(port));
  EXPECT_EQ(wait_record(daemon, "end")["to"], "[::1]:" + std::to_string(port));
}

TEST(Plugins, on_all_addresses_tell_ipv4_clients_by_their_own_address) {
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml",
               "service: echo\nplugin: echo\nlisten: [" + yaml_quoted(tcp(port, "*")) + "]\n");
  Daemon daemon(folder, kJson);
  {
    Client client(port, {.host = "127.0.0.2", .source = "127.0.0.3"});
    EXPECT_TRUE(echoes(client));
    auto start = wait_record(daemon, "start");
    EXPECT_EQ(start["from"], "127.0.0.3:" + std::to_string(client.local_port()));
    EXPECT_EQ(start["to"], "127.0.0.2:" + std::to_string(port));
  }
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Plugins, port_offset_moves_every_port) {
  constexpr std::uint16_t kOffset = 40;
  TempFolder folder;
  const std::vector<std::uint16_t> ports = free_ports(kOffset + 3);
  folder.write("conf.d/echo.yaml", echo_service("echo", ports[0]));
  folder.write("conf.d/range.yaml", "service: range\nplugin: daytime\nlisten: [\"tcp://127.0.0.1:" +
                                        std::to_string(ports[1]) + "-" + std::to_string(ports[2]) + "\"]\n");
  const Daemon daemon(folder, {.arguments = {"--port-offset", std::to_string(kOffset)}});
  EXPECT_TRUE(echoes(ports[kOffset]));
  EXPECT_TRUE(udp_echoes(ports[kOffset]));
  EXPECT_THAT(ask(ports[kOffset + 1]), HasSubstr(":"));
  EXPECT_THAT(ask(ports[kOffset + 2]), HasSubstr(":"));
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(is_refused(ports[i]));
}

}  // namespace
}  // namespace xsd::test
