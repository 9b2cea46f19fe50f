// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/datagram_target.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

namespace xsd::log {
namespace {

constexpr pid_t kSender = 4711;

class Receiver {
 public:
  /// At a path.
  explicit Receiver(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path.c_str());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  /// At a port of the loopback.
  Receiver() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    address_.assign(reinterpret_cast<const char*>(&address), length);
  }
  const std::string& address() const { return address_; }
  std::string next() const {
    char buffer[65536];
    const ssize_t count = recv(fd_.get(), buffer, sizeof buffer, 0);
    return count < 0 ? "" : std::string(buffer, static_cast<std::size_t>(count));
  }

 private:
  UniqueFd fd_;
  std::string address_;
};

class DatagramTargetTest : public testing::Test {
 protected:
  DatagramTargetTest() {
    char name[] = "/tmp/xsd-log-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~DatagramTargetTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/log"; }

  std::string folder_;
};

TEST_F(DatagramTargetTest, syslog_gets_a_datagram_a_line_with_its_priority) {
  const Receiver receiver(path());
  const auto target = *DatagramTarget::syslog(path());
  target->write(Level::Warning, "one\ntwo\n");
  const std::string head = "<28>xsd[" + std::to_string(getpid()) + "]: ";
  EXPECT_EQ(receiver.next(), head + "one");
  EXPECT_EQ(receiver.next(), head + "two");
  target->write_from(kSender, Level::Info, "of another\n");
  EXPECT_EQ(receiver.next(), "<30>xsd[4711]: of another");
}

TEST_F(DatagramTargetTest, syslog_finds_a_receiver_that_was_restarted_and_counts_what_was_lost) {
  const auto target = *DatagramTarget::syslog(path());
  target->write(Level::Info, "nobody listens\n");
  int number = 0;
  EXPECT_EQ(target->take_dropped(number), 1U);
  {
    const Receiver first(path());
    target->write(Level::Info, "first\n");
    EXPECT_NE(first.next(), "");
  }
  const Receiver second(path());
  target->write(Level::Info, "second\n");
  EXPECT_TRUE(second.next().ends_with("second"));
  EXPECT_EQ(target->take_dropped(number), 0U);
}

TEST_F(DatagramTargetTest, the_receiver_that_takes_nothing_costs_the_lines) {
  const Receiver receiver(path());
  const auto target = *DatagramTarget::syslog(path());
  int number = 0;
  std::uint64_t dropped = 0;
  for (int i = 0; i < 10000 && dropped == 0; ++i) {
    target->write(Level::Info, "line\n");
    dropped = target->take_dropped(number);
  }
  EXPECT_EQ(dropped, 1U);
  EXPECT_EQ(number, EAGAIN);
}

TEST_F(DatagramTargetTest, syslog_can_have_a_facility_and_a_level_of_its_own) {
  const Receiver receiver(path());
  auto target = *DatagramTarget::syslog_as(LOG_AUTHPRIV, LOG_NOTICE, path());
  target->write_from(kSender, Level::Info, "one\n");
  EXPECT_EQ(receiver.next(), "<85>xsd[4711]: one");
  std::string parts;
  target->put_parts(parts);
  auto descriptor = duplicate_fd(target->descriptor());
  ASSERT_TRUE(descriptor);
  WireReader reader(parts);
  const auto restored = restore_target(reader, std::move(*descriptor));
  ASSERT_TRUE(restored);
  (*restored)->write_from(kSender, Level::Error, "two\n");
  EXPECT_EQ(receiver.next(), "<85>xsd[4711]: two");
}

TEST_F(DatagramTargetTest, journal_gets_fields) {
  const Receiver receiver(path());
  const auto target = *DatagramTarget::journal(path());
  target->write_from(kSender, Level::Error, "it failed\n");
  EXPECT_EQ(receiver.next(),
            "PRIORITY=3\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=xsd\nSYSLOG_PID=4711\nMESSAGE=it failed\n");
}

TEST_F(DatagramTargetTest, udp_gets_what_rfc_5424_says) {
  const Receiver receiver;
  const auto target = *DatagramTarget::udp(receiver.address());
  target->write_from(kSender, Level::Debug, "one\ntwo\n");
  const std::regex wanted(R"(<31>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]+ xsd 4711 - - one)");
  const std::string first = receiver.next();
  EXPECT_TRUE(std::regex_match(first, wanted)) << first;
  EXPECT_TRUE(receiver.next().ends_with(" - - two"));
}

TEST_F(DatagramTargetTest, udp_cuts_what_is_too_long_between_characters) {
  const Receiver receiver;
  const auto target = *DatagramTarget::udp(receiver.address());
  std::string line;
  while (line.size() < 2 * DatagramTarget::kMaxUdp)
    line += "\xc3\xa4";
  for (int i = 0; i < 2; ++i) {
    target->write(Level::Info, line + "\n");
    line.insert(0, "x");
    const std::string got = receiver.next();
    EXPECT_LE(got.size(), DatagramTarget::kMaxUdp);
    EXPECT_GE(got.size(), DatagramTarget::kMaxUdp - 1);
    EXPECT_TRUE(got.ends_with("\xc3\xa4"));
  }
}

TEST_F(DatagramTargetTest, udp_without_an_address_is_an_error) {
  EXPECT_FALSE(DatagramTarget::udp(""));
}

TEST_F(DatagramTargetTest, can_be_written_to_by_another_process) {
  const Receiver receiver;
  auto target = *DatagramTarget::udp(receiver.address());
  std::string parts;
  target->put_parts(parts);
  auto descriptor = duplicate_fd(target->descriptor());
  ASSERT_TRUE(descriptor);
  target.reset();
  WireReader reader(parts);
  const auto restored = restore_target(reader, std::move(*descriptor));
  ASSERT_TRUE(restored);
  EXPECT_TRUE(reader.is_complete());
  (*restored)->write(Level::Info, "over there\n");
  EXPECT_TRUE(receiver.next().ends_with("over there"));
}

}  // namespace
}  // namespace xsd::log
