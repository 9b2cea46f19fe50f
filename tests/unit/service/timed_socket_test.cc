// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/timed_socket.h"

#include <memory>

#include "tcp_pair.h"

namespace xsd::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TimedSocketTest : public testing::Test {
 protected:
  void begin(StreamPair pair, std::optional<Duration> start, std::optional<Duration> idle) {
    client_ = std::move(pair.client);
    program_ = UniqueFd(dup(pair.server.get()));
    socket_ = std::make_unique<TimedSocket>(*loop_, pair.server.get());
    config::ServiceDefinition definition;
    definition.times.edit().start_timeout = start;
    definition.idle_timeout = idle;
    begin_ = std::chrono::steady_clock::now();
    socket_->begin(std::move(pair.server), definition, [this] { ++over_; });
  }
  /// Turns for so long, or until it is over.
  bool is_over_within(Duration time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (over_ == 0 && std::chrono::steady_clock::now() < end)
      (void)loop_->run_once(milliseconds(5));
    return over_ > 0;
  }
  Duration took() const { return std::chrono::steady_clock::now() - begin_; }

  SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  UniqueFd client_;
  UniqueFd program_;
  std::chrono::steady_clock::time_point begin_;
  int over_ = 0;
  std::unique_ptr<TimedSocket> socket_;
};

TEST_F(TimedSocketTest, is_over_when_the_program_says_nothing) {
  begin(make_tcp_pair(), milliseconds(100), std::nullopt);
  ASSERT_EQ(send(client_.get(), "hello", 5, 0), 5);
  EXPECT_TRUE(is_over_within(seconds(10)));
  EXPECT_GE(took(), milliseconds(99));
  EXPECT_EQ(loop_->timer_count(), 0U);
}

TEST_F(TimedSocketTest, is_started_by_one_byte) {
  begin(make_tcp_pair(), milliseconds(100), std::nullopt);
  ASSERT_EQ(send(program_.get(), "x", 1, 0), 1);
  EXPECT_FALSE(is_over_within(milliseconds(300)));
  EXPECT_EQ(loop_->timer_count(), 0U) << "nothing is left to be judged";
}

// Somebody has sent it a banner.
TEST_F(TimedSocketTest, does_not_count_what_was_sent_before_the_program) {
  StreamPair pair = make_tcp_pair();
  ASSERT_EQ(send(pair.server.get(), "banner", 6, 0), 6);
  begin(std::move(pair), milliseconds(100), std::nullopt);
  EXPECT_TRUE(is_over_within(seconds(10)));
}

TEST_F(TimedSocketTest, is_idle_after_its_last_byte) {
  begin(make_tcp_pair(), std::nullopt, milliseconds(300));
  EXPECT_FALSE(is_over_within(milliseconds(150)));
  ASSERT_EQ(send(program_.get(), "x", 1, 0), 1);
  EXPECT_FALSE(is_over_within(milliseconds(250)));
  ASSERT_EQ(send(client_.get(), "x", 1, 0), 1);
  EXPECT_FALSE(is_over_within(milliseconds(250)));
  EXPECT_TRUE(is_over_within(seconds(10)));
  EXPECT_GE(took(), milliseconds(690));
}

TEST_F(TimedSocketTest, judges_tcp_only) {
  begin(make_unix_pair(), milliseconds(1), milliseconds(1));
  EXPECT_FALSE(is_over_within(milliseconds(50)));
  EXPECT_EQ(loop_->timer_count(), 0U);
}

TEST_F(TimedSocketTest, is_not_judged_after_the_programs_end) {
  begin(make_tcp_pair(), milliseconds(20), milliseconds(20));
  const UniqueFd socket = socket_->end();
  EXPECT_TRUE(socket);
  EXPECT_FALSE(is_over_within(milliseconds(100)));
}

}  // namespace
}  // namespace xsd::service
