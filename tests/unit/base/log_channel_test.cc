// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_channel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/log.h"

namespace xsd::log {
namespace {

constexpr pid_t kSender = 4711;
constexpr int kMany = 100000;

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    receiving.reset(fds[0]);
    sending.reset(fds[1]);
  }
  UniqueFd receiving;
  UniqueFd sending;
};

class LogChannel : public testing::Test {
 protected:
  LineReceiver::State receive(int most = kMany) {
    return receiver_.receive(
        pair_.receiving.get(), most,
        [this](std::string_view outlet, pid_t sender, Level level, std::string_view lines) {
          if (!outlet.empty()) got_ += std::string(outlet) + " ";
          got_ += std::to_string(sender) + " " + std::string(level_name(level)) + "\n";
          got_ += lines;
          lines_ += lines;
        });
  }
  void send_raw(std::string_view message) const {
    ASSERT_EQ(send(pair_.sending.get(), message.data(), message.size(), MSG_DONTWAIT),
              static_cast<ssize_t>(message.size()));
  }
  /// A message as a sender makes it, with these bytes for lines.
  static std::string message_of(std::string_view lines, char level = 2, std::int32_t sender = kSender,
                                std::string_view outlet = {}) {
    std::string message(1, level);
    put_number(message, sender);
    put_number(message, static_cast<std::uint16_t>(outlet.size()));
    return message.append(outlet).append(lines);
  }

  Pair pair_;
  LineReceiver receiver_;
  std::string got_;
  std::string lines_;
};

TEST_F(LogChannel, lines_arrive_with_their_sender_and_level) {
  ChannelTarget target(std::move(pair_.sending));
  target.write_from(kSender, Level::Info, "one\ntwo\n");
  target.write_from(kSender, Level::Info, "three\n");
  target.write_from(kSender, Level::Error, "four\n");
  target.write_from(12, Level::Error, "five\n");
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(got_, "4711 info\none\ntwo\nthree\n4711 error\nfour\n12 error\nfive\n");
  EXPECT_EQ(receiver_.take_count(), 4U);
  EXPECT_EQ(target.sent(), 4U);
}

TEST_F(LogChannel, lines_arrive_with_the_name_of_their_outlet) {
  ChannelTarget target(std::move(pair_.sending));
  target.write_to("/a", kSender, Level::Info, "one\n");
  target.write_to("/a", kSender, Level::Info, "two\n");
  target.write_from(kSender, Level::Info, "three\n");
  target.write_to("/b", kSender, Level::Info, "four\nfive\n");
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(got_, "/a 4711 info\none\ntwo\n4711 info\nthree\n/b 4711 info\nfour\nfive\n");
  EXPECT_EQ(receiver_.take_bad(), 0U);
}

TEST_F(LogChannel, what_waits_keeps_the_name_of_its_outlet) {
  ChannelTarget target(std::move(pair_.sending));
  const std::string line = std::string(1000, 'x') + "\n";
  int number = 0;
  while (target.flush())
    target.write_to("/a", kSender, Level::Info, line);
  target.write_to("/b", kSender, Level::Info, "last\n");
  EXPECT_EQ(target.take_dropped(number), 0U);
  std::string waiting;
  target.empty_into([&](std::string_view outlet, pid_t, Level, std::string_view lines) {
    waiting.append(outlet).append(" ").append(lines);
  });
  EXPECT_EQ(waiting, "/a " + line + "/b last\n");
}

TEST_F(LogChannel, many_lines_for_an_outlet_are_sent_in_several_messages) {
  ChannelTarget target(std::move(pair_.sending));
  const std::string name = "/" + std::string(kMaxOutletName - 1, 'n');
  std::string lines;
  for (int i = 0; i < 1000; ++i)
    lines += std::string(99, static_cast<char>('a' + i % 26)) + "\n";
  target.write_to(name, kSender, Level::Info, lines);
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(lines_, lines);
  EXPECT_TRUE(got_.starts_with(name + " 4711 info\n"));
  EXPECT_EQ(receiver_.take_bad(), 0U);
}

TEST_F(LogChannel, is_read_in_bounded_portions_and_to_its_end) {
  {
    ChannelTarget target(std::move(pair_.sending));
    for (int i = 0; i < 3; ++i)
      target.write(Level::Info, "line\n");
  }
  EXPECT_EQ(receive(2), LineReceiver::State::More);
  EXPECT_EQ(lines_, "line\nline\n");
  EXPECT_EQ(receive(2), LineReceiver::State::Ended);
  EXPECT_EQ(lines_, "line\nline\nline\n");
}

TEST_F(LogChannel, many_lines_are_sent_in_several_messages_of_whole_lines) {
  ChannelTarget target(std::move(pair_.sending));
  std::string lines;
  for (int i = 0; i < 1000; ++i)
    lines += std::string(99, static_cast<char>('a' + i % 26)) + "\n";
  target.write(Level::Info, lines);
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(lines_, lines);
  EXPECT_GT(target.sent(), 3U);
  EXPECT_EQ(receiver_.take_bad(), 0U);
}

TEST_F(LogChannel, a_line_longer_than_a_message_is_dropped_alone) {
  ChannelTarget target(std::move(pair_.sending));
  target.write(Level::Info, "before\n" + std::string(kMaxLogMessage, 'x') + "\nafter\n");
  int number = 0;
  EXPECT_EQ(target.take_dropped(number), 1U);
  EXPECT_EQ(number, EMSGSIZE);
  (void)receive();
  EXPECT_EQ(lines_, "before\nafter\n");
}

TEST_F(LogChannel, a_receiver_that_takes_nothing_costs_lines_and_their_number_is_known) {
  ChannelTarget target(std::move(pair_.sending));
  constexpr std::uint64_t kLines = 20000;
  for (std::uint64_t i = 0; i < kLines; ++i)
    target.write(Level::Info, std::string(50, 'x') + std::to_string(i) + "\n");
  int number = 0;
  const std::uint64_t dropped = target.take_dropped(number);
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(number, EAGAIN);
  EXPECT_FALSE(target.flush());
  while (!target.flush())
    (void)receive();
  (void)receive();
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(lines_.begin(), lines_.end(), '\n')) + dropped, kLines);
  // In order: the first ones are there, and nothing behind a gap before what was there.
  EXPECT_TRUE(lines_.starts_with(std::string(50, 'x') + "0\n"));
}

TEST_F(LogChannel, a_receiver_that_is_gone_costs_the_lines) {
  ChannelTarget target(std::move(pair_.sending));
  pair_.receiving.reset();
  target.write(Level::Info, "one\ntwo\n");
  int number = 0;
  EXPECT_EQ(target.take_dropped(number), 2U);
  EXPECT_EQ(number, EPIPE);
  EXPECT_TRUE(target.flush());
}

TEST_F(LogChannel, garbage_is_left_out_and_counted) {
  send_raw("x");
  send_raw(message_of(""));
  send_raw(message_of("level\n", 4));
  send_raw(message_of("level\n", -1));
  send_raw(message_of("sender\n", 2, 0));
  send_raw(message_of("sender\n", 2, -1));
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  send_raw(message_of("", 2, kSender, "name"));
  send_raw(message_of("name\n", 2, kSender, std::string(kMaxOutletName + 1, 'x')));
  send_raw(std::string(message_of("", 2, kSender, "a name")).substr(0, 9));  // it is cut
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(receiver_.take_bad(), 9U);
  EXPECT_EQ(got_, "");
}

TEST_F(LogChannel, lines_that_are_not_plain_are_left_out_and_the_others_stay) {
  send_raw(message_of(
      "good\n\x1b[2J\ntab\there\ndel\x7f\nbad\xff\n\xc3\xa4\nc1 \xc2\x9b\nsep \xe2\x80\xa8\nlast\nno end"));
  send_raw(message_of(std::string_view("nul\0\nnext\n", 10)));
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(lines_, "good\n\xc3\xa4\nlast\nnext\n");
  EXPECT_EQ(receiver_.take_bad(), 8U);
}

TEST_F(LogChannel, a_message_that_is_too_long_is_left_out) {
  send_raw(message_of(std::string(kMaxLogMessage, 'x') + "\n"));
  send_raw(message_of("next\n"));
  EXPECT_EQ(receive(), LineReceiver::State::Empty);
  EXPECT_EQ(lines_, "next\n");
  EXPECT_EQ(receiver_.take_bad(), 1U);
}

TEST_F(LogChannel, descriptors_that_come_along_are_closed) {
  const Pair other;
  std::string text = message_of("line\n");
  iovec piece{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr head{};
  head.msg_iov = &piece;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int passed = other.sending.get();
  std::copy_n(reinterpret_cast<const char*>(&passed), sizeof passed, CMSG_DATA(rights));
  ASSERT_GT(sendmsg(pair_.sending.get(), &head, 0), 0);
  const UniqueFd before(dup(STDIN_FILENO));
  (void)receive();
  const UniqueFd after(dup(STDIN_FILENO));
  EXPECT_EQ(lines_, "line\n");
  EXPECT_EQ(after.get(), before.get() + 1) << "a descriptor was left open";
}

/// The log of this process, diverted.
class Diversion : public LogChannel {
 protected:
  Diversion() {
    char name[] = "/tmp/xsd-log-XXXXXX";
    folder_ = mkdtemp(name);
    EXPECT_TRUE(open({.target = TargetKind::File, .path = folder_ + "/log"}));
  }
  ~Diversion() override {
    end_diversion(pair_.receiving.get());
    EXPECT_TRUE(open({}));
    std::filesystem::remove_all(folder_);
  }
  std::string content() const {
    std::ostringstream out;
    out << std::ifstream(folder_ + "/log").rdbuf();
    return out.str();
  }

  std::string folder_;
};

TEST_F(Diversion, takes_lines_and_records_in_order_and_gives_back_what_nobody_read) {
  info("direct");
  divert(std::move(pair_.sending));
  records() += "record\n";
  info("diverted");
  EXPECT_EQ(content().find("diverted"), std::string::npos);
  EXPECT_EQ(diverted_messages(), 2U);
  (void)receive(1);
  EXPECT_EQ(lines_, "record\n");
  end_diversion(pair_.receiving.get());
  info("direct again");
  const std::string text = content();
  EXPECT_LT(text.find("direct"), text.find("info: diverted"));
  EXPECT_LT(text.find("info: diverted"), text.find("direct again"));
  EXPECT_EQ(text.find("record"), std::string::npos);
}

TEST_F(Diversion, loses_nothing_that_waits) {
  divert(std::move(pair_.sending));
  constexpr int kLines = 20000;
  for (int i = 0; i < kLines; ++i)
    info("line {}", i);
  end_diversion(pair_.receiving.get());
  const std::string text = content();
  const auto lines = std::count(text.begin(), text.end(), '\n');
  const std::size_t told = text.find(" lines were dropped");
  ASSERT_NE(told, std::string::npos);
  const std::size_t number = text.rfind(' ', told - 1) + 1;
  EXPECT_EQ(lines - 1 + std::stol(text.substr(number, told - number)), kLines);
}

TEST_F(Diversion, a_target_is_adopted_by_its_description) {
  const std::string description = describe_target();
  auto descriptor = duplicate_fd(target_descriptor());
  ASSERT_TRUE(descriptor);
  ASSERT_TRUE(open({.level = Level::Debug}));
  ASSERT_TRUE(adopt(description, std::move(*descriptor)));
  debug("not at this level");
  forward({}, kSender, Level::Info, "of another\n");
  add_dropped(3, EBADMSG);
  EXPECT_TRUE(content().starts_with("of another\n"));
  EXPECT_NE(content().find("log: 3 lines were dropped: Bad message\n"), std::string::npos) << content();
  EXPECT_FALSE(adopt("nonsense", UniqueFd()));
}

TEST_F(Diversion, a_worker_logs_by_a_channel_alone) {
  std::string bytes;
  put_settings(bytes, {.target = TargetKind::Syslog, .level = Level::Warning});
  WireReader reader(bytes);
  const Settings settings = get_settings(reader);
  EXPECT_TRUE(reader.is_complete());
  open_channel(std::move(pair_.sending), settings);
  info("not this");
  warning("but this");
  (void)receive();
  EXPECT_EQ(got_, std::to_string(getpid()) + " warning\nbut this\n");
}

}  // namespace
}  // namespace xsd::log
