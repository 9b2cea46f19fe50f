// SPDX-License-Identifier: Apache-2.0
//
// The built-in plugins over datagrams: whole, all of a burst, from the address that was asked, and never to
// whom it would make a loop (rows dgm_1 and dgm_2 of reliability.md).
#include <csignal>
#include <cstring>
#include <ctime>
#include <map>
#include <utility>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr std::size_t kLargestDatagram = 65507;  // of IPv4
constexpr std::size_t kLargestChargen = 512;     // RFC 864
constexpr Milliseconds kNothingComes{200};

std::string udp_service(std::string_view plugin, std::uint16_t port, std::string_view host = "127.0.0.1") {
  return "service: " + std::string(plugin) + "\nplugin: " + std::string(plugin) + "\nlisten: [" +
         yaml_quoted(udp(port, host)) + "]\n";
}

/// The answer to one datagram.
std::optional<std::string> ask_udp(std::uint16_t port, std::string_view payload,
                                   const ClientOptions& options = {}) {
  UdpClient client(port, options);
  EXPECT_TRUE(client.send(payload));
  return client.receive(options.deadline);
}

TEST(Datagrams, echo_sends_back_each_whole) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", udp_service("echo", port));
  const Daemon daemon(folder);
  std::string large(kLargestDatagram, '\0');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>(i * 7 + i / 251);
  for (const std::string& payload : {std::string("hello"), std::string(), std::string(1, '\0'), large})
    EXPECT_TRUE(ask_udp(port, payload) == payload) << payload.size() << " bytes";
}

TEST(Datagrams, discard_answers_nothing) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/discard.yaml", udp_service("discard", port));
  Daemon daemon(folder);
  UdpClient client(port);
  EXPECT_TRUE(client.send("to nobody"));
  EXPECT_TRUE(client.send(std::string(kLargestDatagram, 'x')));
  EXPECT_EQ(client.receive(kNothingComes), std::nullopt);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Datagrams, daytime_and_time_answer_with_one_each) {
  TempFolder folder;
  const std::uint16_t daytime = free_port();
  const std::uint16_t time = free_port();
  folder.write("conf.d/daytime.yaml", udp_service("daytime", daytime));
  folder.write("conf.d/time.yaml", udp_service("time", time));
  const Daemon daemon(folder, {.start = {.environment = {"TZ=UTC0"}}});
  UdpClient client(daytime);
  EXPECT_TRUE(client.send(""));
  EXPECT_THAT(client.receive().value_or(""),
              MatchesRegex("[0-3][0-9] [A-Z]{3} 20[0-9]{2} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] UTC\r\n"));
  EXPECT_EQ(client.receive(kNothingComes), std::nullopt);

  constexpr std::uint64_t k1970 = 2208988800;
  const auto now = [] {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(wall_seconds()) + k1970);
  };
  const std::uint32_t begin = now();
  const std::string answer = ask_udp(time, "x").value_or("");
  ASSERT_EQ(answer.size(), 4U);
  std::uint32_t value = 0;
  for (const char byte : answer)
    value = value << 8 | static_cast<unsigned char>(byte);
  EXPECT_LE(value - begin, now() - begin);
}

TEST(Datagrams, each_of_a_burst_is_answered) {
  constexpr int kBurst = 500;
  constexpr int kRoom = 1024 * 1024;
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t other = free_port();
  folder.write("conf.d/echo.yaml", udp_service("echo", port));
  folder.write("conf.d/other.yaml", echo_service("other", other));
  Daemon daemon(folder);
  UdpClient client(port, {.receive_buffer = kRoom});
  ASSERT_TRUE(daemon.signal(SIGSTOP));  // so that all of them wait at once
  for (int i = 0; i < kBurst; ++i)
    ASSERT_TRUE(client.send("datagram " + std::to_string(i)));
  ASSERT_TRUE(daemon.signal(SIGCONT));
  EXPECT_TRUE(echoes(other));
  for (int i = 0; i < kBurst; ++i)
    ASSERT_EQ(client.receive().value_or("nothing"), "datagram " + std::to_string(i));
}

TEST(Datagrams, leave_from_the_address_that_was_asked) {
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", udp_service("echo", port, "*"));
  const Daemon daemon(folder);
  // These sockets are connected: an answer from any other address would not come in.
  for (const char* const host : {"127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"}) {
    EXPECT_EQ(ask_udp(port, host, {.host = host}).value_or("nothing"), host);
    EXPECT_TRUE(ask_udp(port, std::string(60000, 'x'), {.host = host}) == std::string(60000, 'x')) << host;
  }
}

TEST(Datagrams, are_served_over_ipv6) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  if (Client(port, {.host = "::1"}).error() != ECONNREFUSED) GTEST_SKIP() << "no IPv6 here";
  folder.write("conf.d/echo.yaml", udp_service("echo", port, "[::1]"));
  const Daemon daemon(folder);
  EXPECT_EQ(ask_udp(port, "six", {.host = "::1"}).value_or("nothing"), "six");
}

// ---- unix sockets: as an ordinary user

class UnixDatagrams : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: [" +
                                          yaml_quoted("unix-dgram://" + folder_.string("echo.sock")) + "]\n");
    if (!is_root()) return;
    folder_.give_to(kNobody, kNobody);
    options_.start.in_child = [] {
      if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(99);
    };
  }
  ~UnixDatagrams() override {
    if (fd_ >= 0) close(fd_);
  }
  static sockaddr_un at(const std::string& where) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    where.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  /// Binds the client to a file, in which everybody may write.
  void bind_client(const std::string& name) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_un own = at(folder_.string(name));
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    ASSERT_EQ(chmod(own.sun_path, 0777), 0);
  }
  void send_local() const {
    const sockaddr_un server = at(folder_.string("echo.sock"));
    ASSERT_EQ(sendto(fd_, "local", 5, 0, reinterpret_cast<const sockaddr*>(&server), sizeof server), 5);
  }
  bool is_answered(Milliseconds deadline) const {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(deadline.count())) != 1) return false;
    char buffer[16];
    return recv(fd_, buffer, sizeof buffer, 0) == 5;
  }

  static constexpr unsigned kNobody = 65534;
  TempFolder folder_;
  DaemonOptions options_;
  int fd_ = -1;
};

TEST_F(UnixDatagrams, are_answered) {
  const Daemon daemon(folder_, options_);
  bind_client("client.sock");
  send_local();
  EXPECT_TRUE(is_answered(kDeadline));
}

TEST_F(UnixDatagrams, whose_sender_s_name_became_a_link_to_the_service_make_no_loop) {
  Daemon daemon(folder_, options_);
  bind_client("client.sock");
  std::filesystem::rename(folder_ / "client.sock", folder_ / "moved.sock");
  std::filesystem::create_symlink(folder_ / "echo.sock", folder_ / "client.sock");
  send_local();
  EXPECT_TRUE(eventually([&] {
    const auto state = daemon.state("state: echo:");
    return state.size() == 1 && contains(state[0], "datagrams: received=1 answered=0 refused=1");
  }));
}

TEST_F(UnixDatagrams, are_not_for_plugins_in_a_daemon_that_is_root) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  Daemon daemon(folder_, {.arguments = {"--workers", "0"}, .wait_ready = false});
  EXPECT_TRUE(daemon.wait_log("as root, plugins serve unix datagrams in workers only"));
}

// ---- what is seen of them

TEST(Datagrams, are_counted_in_the_state) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  const std::uint16_t stream = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo", port));
  folder.write("conf.d/discard.yaml", udp_service("discard", free_port()));
  folder.write("conf.d/stream.yaml",
               "service: stream\nplugin: echo\nlisten: [" + yaml_quoted(tcp(stream)) + "]\n");
  Daemon daemon(folder);
  EXPECT_TRUE(udp_echoes(port));
  EXPECT_TRUE(udp_echoes(port));
  EXPECT_TRUE(echoes(stream));
  const auto state = daemon.state();
  ASSERT_EQ(state.size(), 4U);
  EXPECT_THAT(state[1],
              HasSubstr("discard: listening active=0 started=0 datagrams: received=0 answered=0 refused=0 "));
  EXPECT_THAT(state[2],
              HasSubstr("echo: listening active=0 started=0 datagrams: received=2 answered=2 refused=0 "));
  EXPECT_THAT(state[3], Not(HasSubstr("datagrams:")));
}

TEST(Datagrams, sent_to_a_broadcast_address_are_not_answered) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", udp_service("echo", port, "127.255.255.255"));
  Daemon daemon(folder);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(0x7FFFFFFF);
  EXPECT_EQ(sendto(fd, "shout", 5, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 5);
  EXPECT_TRUE(eventually([&] {
    const auto state = daemon.state("state: echo:");
    return state.size() == 1 && contains(state[0], "datagrams: received=1 answered=0 refused=1");
  }));
  close(fd);
}

// dgm_2
TEST(Datagrams, chargen_does_not_amplify_beyond_512_bytes) {
  constexpr int kAsked = 5000;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/chargen.yaml", udp_service("chargen", port));
  Daemon daemon(folder);
  UdpClient client(port);
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
  for (int i = 0; i < kAsked; ++i) {
    const std::string question(static_cast<std::size_t>(i % 9), '?');
    ASSERT_TRUE(client.send(question));
    const auto answer = client.receive();
    ASSERT_TRUE(answer.has_value()) << i;
    ASSERT_LE(answer->size(), kLargestChargen);
    ASSERT_GT(answer->size(), 0U);
    bytes_in += question.size();
    bytes_out += answer->size();
  }
  EXPECT_EQ(client.receive(kNothingComes), std::nullopt) << "one answer each";
  EXPECT_LE(bytes_out, kAsked * kLargestChargen);
  RecordProperty("bytes_in", std::to_string(bytes_in));
  RecordProperty("bytes_out", std::to_string(bytes_out));
  const std::string large(kLargestDatagram, 'x');
  EXPECT_TRUE(client.send(large));
  EXPECT_LE(client.receive().value_or(large).size(), kLargestChargen);
  EXPECT_EQ(daemon.log_lines("chargen: ").size(), 0U) << "single datagrams are not recorded";
  EXPECT_EQ(daemon.stop(), 0);
}

// ---- dgm_1: forged senders

/// Sends one UDP datagram to this address of ours, and from it, that claims to come from `source`.
void forge(std::uint16_t source, std::uint16_t destination, std::string_view payload,
           const char* address = "127.0.0.1") {
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
  udphdr header{};
  header.source = htons(source);
  header.dest = htons(destination);
  header.len = htons(static_cast<std::uint16_t>(sizeof header + payload.size()));
  std::string packet(reinterpret_cast<const char*>(&header), sizeof header);  // checksum 0: none
  packet += payload;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  ASSERT_EQ(inet_pton(AF_INET, address, &to.sin_addr), 1);
  EXPECT_EQ(sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
            static_cast<ssize_t>(packet.size()));
  close(fd);
}

/// Counts the UDP datagrams on the loopback interface by their two ports, the lower one first.
class Sniffer {
 public:
  using Ports = std::pair<std::uint16_t, std::uint16_t>;

  Sniffer() : fd_(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP))) {
    EXPECT_GE(fd_, 0);
    const int room = 4 * 1024 * 1024;
    (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  }
  ~Sniffer() { close(fd_); }
  Sniffer(const Sniffer&) = delete;
  Sniffer& operator=(const Sniffer&) = delete;

  std::map<Ports, int> count_for(Milliseconds duration) const {
    std::map<Ports, int> counts;
    const SteadyTime end = std::chrono::steady_clock::now() + duration;
    pollfd ready{fd_, POLLIN, 0};
    while (poll(&ready, 1, milliseconds_until(end)) > 0 && milliseconds_until(end) > 0) {
      char packet[2048];
      sockaddr_ll from{};
      socklen_t size = sizeof from;
      const ssize_t got = recvfrom(fd_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < static_cast<ssize_t>(sizeof(iphdr) + sizeof(udphdr))) continue;
      if (from.sll_pkttype != PACKET_HOST) continue;  // each is seen going out and coming in
      iphdr ip{};
      std::memcpy(&ip, packet, sizeof ip);
      if (ip.protocol != IPPROTO_UDP) continue;
      udphdr header{};
      std::memcpy(&header, packet + sizeof ip, sizeof header);
      ++counts[std::minmax(ntohs(header.source), ntohs(header.dest))];
    }
    return counts;
  }

 private:
  int fd_;
};

TEST(Datagrams, forged_ones_make_no_loop) {
  constexpr std::uint16_t kEcho = 7;
  constexpr std::uint16_t kChargen = 19;
  constexpr Milliseconds kWatched{3000};
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  TempFolder folder;
  const std::uint16_t echo = free_port();
  const std::uint16_t twin = free_port();
  const std::uint16_t chargen = free_port();
  const std::uint16_t everywhere = free_port();
  const auto service = [&](const std::string& name, const std::string& plugin, std::uint16_t port,
                           std::string_view host) {
    folder.write("conf.d/" + name + ".yaml", "service: " + name + "\nplugin: " + plugin + "\nlisten: [" +
                                                 yaml_quoted(udp(port, host)) + "]\n");
  };
  service("echo", "echo", kEcho, "127.0.0.1");
  service("chargen", "chargen", kChargen, "127.0.0.1");
  service("high-echo", "echo", echo, "127.0.0.1");
  service("high-twin", "echo", twin, "127.0.0.1");
  service("high-chargen", "chargen", chargen, "127.0.0.1");
  service("everywhere", "echo", everywhere, "*");
  Daemon daemon(folder);
  const Sniffer sniffer;
  const std::pair<std::uint16_t, std::uint16_t> forged[] = {
      {kChargen, kEcho}, {chargen, echo}, {twin, echo},  {echo, echo},         {0, echo},
      {kChargen, echo},  {53, echo},      {37, chargen}, {chargen, everywhere}};
  for (const auto& [source, destination] : forged)
    forge(source, destination, "tell me more");
  EXPECT_TRUE(udp_echoes(echo));  // they are behind us now
  EXPECT_TRUE(udp_echoes(everywhere));
  const auto counts = sniffer.count_for(kWatched);
  for (const auto& [source, destination] : forged) {
    const auto found = counts.find(std::minmax(source, destination));
    ASSERT_NE(found, counts.end()) << source << " to " << destination << " was not seen at all";
    EXPECT_EQ(found->second, 1) << source << " to " << destination << ": answered";
  }
  EXPECT_EQ(daemon.stop(), 0);
}

// Not only 127/8 and ::1 are ourselves.
TEST(Datagrams, forged_ones_make_no_loop_on_another_address_of_ours) {
  constexpr const char* kOwn = "192.0.2.9";
  OwnNetwork network;
  network.add_address(kOwn);
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  TempFolder folder;
  const std::uint16_t echo = free_port();
  const std::uint16_t chargen = free_port();
  folder.write("conf.d/echo.yaml", udp_service("echo", echo, "*"));
  folder.write("conf.d/chargen.yaml", udp_service("chargen", chargen, kOwn));
  Daemon daemon(folder);
  const Sniffer sniffer;
  forge(chargen, echo, "tell me more", kOwn);
  forge(echo, chargen, "tell me more", kOwn);
  EXPECT_EQ(ask_udp(echo, "behind them", {.host = kOwn}).value_or("nothing"), "behind them");
  EXPECT_EQ(sniffer.count_for(kNothingComes)[std::minmax(chargen, echo)], 2);
  const auto state = daemon.state("refused=1 ");
  EXPECT_EQ(state.size(), 2U);
}

// The ports that count are those of now: a service that a reload brought is one of ours too.
TEST(Datagrams, forged_ones_make_no_loop_with_a_service_that_a_reload_brought) {
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  TempFolder folder;
  const std::uint16_t echo = free_port();
  const std::uint16_t late = free_port();
  folder.write("conf.d/echo.yaml", udp_service("echo", echo));
  Daemon daemon(folder);
  folder.write("conf.d/chargen.yaml", udp_service("chargen", late));
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  const Sniffer sniffer;
  forge(late, echo, "x");
  EXPECT_TRUE(udp_echoes(echo));
  EXPECT_EQ(sniffer.count_for(kNothingComes)[std::minmax(late, echo)], 1);
}

}  // namespace
}  // namespace xsd::test
