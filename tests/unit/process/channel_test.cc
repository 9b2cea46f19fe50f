// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/channel.h"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/clock.h"

namespace xsd::process {
namespace {

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() : loop_(std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_))) {
    auto pair = make_channel_pair();
    other_ = std::move(pair->second);
    channel_ = std::move(*Channel::create(*loop_, std::move(pair->first),
                                          {.on_message =
                                               [this](std::string_view message, std::vector<UniqueFd> fds) {
                                                 messages_.emplace_back(message);
                                                 for (UniqueFd& fd : fds)
                                                   fds_.push_back(std::move(fd));
                                               },
                                           .on_end =
                                               [this](const std::string& why) {
                                                 ++ends_;
                                                 why_ = why;
                                               }}));
  }
  void turn(int times = 3) {
    for (int i = 0; i < times; ++i)
      (void)loop_->run_once(Duration::zero());
  }
  std::string receive() const {
    std::string buffer(kMaxMessage + 1, '\0');
    const ssize_t got = recv(other_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return got < 0 ? "nothing" : buffer.substr(0, static_cast<std::size_t>(got));
  }

  SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_;
  UniqueFd other_;
  std::unique_ptr<Channel> channel_;
  std::vector<std::string> messages_;
  std::vector<UniqueFd> fds_;
  int ends_ = 0;
  std::string why_ = "not told";
};

TEST_F(ChannelTest, carries_messages_whole_and_in_order) {
  ASSERT_EQ(send(other_.get(), "one", 3, 0), 3);
  ASSERT_EQ(send(other_.get(), "two", 3, 0), 3);
  turn();
  EXPECT_EQ(messages_, (std::vector<std::string>{"one", "two"}));
  channel_->send("three");
  channel_->send("four");
  EXPECT_EQ(receive(), "three");
  EXPECT_EQ(receive(), "four");
}

TEST_F(ChannelTest, carries_descriptors_close_on_exec) {
  auto pair = make_channel_pair();
  auto second = Channel::create(*loop_, std::move(other_), {});
  ASSERT_TRUE(second);
  const int fd = pair->first.get();
  (*second)->send("with one", {&fd, 1});
  turn();
  ASSERT_EQ(fds_.size(), 1U);
  EXPECT_NE(fcntl(fds_[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(send(fds_[0].get(), "x", 1, 0), 1);
  char byte = 0;
  EXPECT_EQ(recv(pair->second.get(), &byte, 1, MSG_DONTWAIT), 1);
}

TEST_F(ChannelTest, keeps_what_the_other_end_has_no_room_for) {
  const std::string large(kMaxMessage, 'x');
  std::size_t sent = 0;
  while (channel_->waiting() == 0) {
    channel_->send(large);
    ++sent;
    ASSERT_LT(sent, 1000U);
  }
  channel_->send("last");
  ++sent;
  std::size_t got = 0;
  std::string last;
  for (int i = 0; i < 10'000 && got < sent; ++i) {
    const std::string message = receive();
    if (message != "nothing") {
      ++got;
      last = message;
    }
    turn(1);
  }
  EXPECT_EQ(got, sent);
  EXPECT_EQ(last, "last");
  EXPECT_EQ(channel_->waiting(), 0U);
}

TEST_F(ChannelTest, says_that_there_is_room_again_when_all_has_gone) {
  auto pair = make_channel_pair();
  int times = 0;
  auto channel =
      std::move(*Channel::create(*loop_, std::move(pair->first), {.on_room = [&times] { ++times; }}));
  const std::string large(kMaxMessage / 2, 'x');
  channel->send(large);
  EXPECT_EQ(channel->waiting(), 0U);
  while (channel->waiting() == 0)
    channel->send(large);
  turn();
  EXPECT_EQ(times, 0);
  std::string buffer(kMaxMessage, '\0');
  while (recv(pair->second.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0)
    turn(1);
  EXPECT_EQ(times, 1);
  EXPECT_EQ(channel->waiting(), 0U);
}

/// The next descriptor and the seven after it can still be had.
class FewDescriptors {
 public:
  FewDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit few{static_cast<rlim_t>(UniqueFd(dup(STDIN_FILENO)).get()) + 8, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ChannelTest, a_message_that_there_were_no_descriptors_for_ends_it) {
  (*Channel::create(*loop_, std::move(*duplicate_fd(other_.get())), {}))
      ->send("with some", std::vector<int>(20, STDIN_FILENO));
  const FewDescriptors few;
  turn();
  EXPECT_EQ(messages_.size(), 0U);
  EXPECT_EQ(why_, "a message was too large");
}

TEST_F(ChannelTest, a_message_may_use_the_reserve_and_comes_even_if_that_was_too_small) {
  auto pair = make_channel_pair();
  const auto send_with = [&](std::size_t count) {
    (*Channel::create(*loop_, std::move(*duplicate_fd(pair->second.get())), {}))
        ->send("with " + std::to_string(count), std::vector<int>(count, STDIN_FILENO));
  };
  send_with(1);
  send_with(20);
  const FewDescriptors few;
  const DescriptorReserve reserve;
  std::vector<std::vector<UniqueFd>> received;
  auto channel = std::move(*Channel::create(
      *loop_, std::move(pair->first),
      {.on_message = [&](std::string_view, std::vector<UniqueFd> fds) { received.push_back(std::move(fds)); },
       .reserve = &reserve}));
  std::vector<UniqueFd> connections;
  while (connections.empty() || connections.back())
    connections.emplace_back(dup(STDIN_FILENO));
  turn();
  ASSERT_EQ(received.size(), 2U);
  ASSERT_EQ(received[0].size(), 1U);
  EXPECT_TRUE(reserve.holds(received[0][0].get()));
  EXPECT_LT(received[1].size(), 20U);
  EXPECT_EQ(dup(STDIN_FILENO), -1) << "nobody else can have them";
  received.clear();
  EXPECT_EQ(dup(STDIN_FILENO), -1);
  connections.clear();
}

TEST_F(ChannelTest, a_closed_end_is_told_once_and_without_a_reason) {
  ASSERT_EQ(send(other_.get(), "bye", 3, 0), 3);
  other_.reset();
  turn();
  EXPECT_EQ(messages_, std::vector<std::string>{"bye"});
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(why_, "");
  channel_->send("nobody there");
  turn();
  EXPECT_EQ(ends_, 1);
}

TEST_F(ChannelTest, the_last_words_of_a_closed_end_can_be_had_although_nothing_could_be_sent_to_it) {
  ASSERT_EQ(send(other_.get(), "one", 3, 0), 3);
  ASSERT_EQ(send(other_.get(), "two", 3, 0), 3);
  other_.reset();
  channel_->send("nobody hears it");
  EXPECT_TRUE(channel_->is_over());
  turn();
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(why_, "");
  EXPECT_TRUE(messages_.empty());
  channel_->receive_rest();
  EXPECT_EQ(messages_, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(ends_, 1);
}

TEST_F(ChannelTest, a_message_that_is_too_large_is_the_end) {
  const std::string large(kMaxMessage + 1, 'x');
  ASSERT_EQ(send(other_.get(), large.data(), large.size(), 0), static_cast<ssize_t>(large.size()));
  turn();
  EXPECT_TRUE(messages_.empty());
  EXPECT_EQ(ends_, 1);
  EXPECT_NE(why_, "");
}

TEST_F(ChannelTest, a_peer_that_takes_nothing_is_given_up_at_a_bound) {
  const std::string large(kMaxMessage, 'x');
  for (int i = 0; i < 3000 && ends_ == 0; ++i) {
    channel_->send(large);
    if (i % 100 == 0) turn(1);
  }
  turn();
  EXPECT_EQ(ends_, 1);
}

TEST_F(ChannelTest, may_be_destroyed_by_the_handler_of_a_message) {
  auto pair = make_channel_pair();
  std::unique_ptr<Channel> doomed;
  int heard = 0;
  doomed = std::move(*Channel::create(*loop_, std::move(pair->first),
                                      {.on_message =
                                           [&](std::string_view, std::vector<UniqueFd>) {
                                             ++heard;
                                             doomed.reset();
                                           },
                                       .on_end = {}}));
  ASSERT_EQ(send(pair->second.get(), "a", 1, 0), 1);
  ASSERT_EQ(send(pair->second.get(), "b", 1, 0), 1);
  turn();
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace xsd::process
