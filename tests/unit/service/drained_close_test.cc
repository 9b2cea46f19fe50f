// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/drained_close.h"

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include <poll.h>

#include "tcp_pair.h"

namespace xsd::service {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class DrainedCloseTest : public testing::TestWithParam<reactor::PollerKind> {
 protected:
  template <class Predicate>
  bool turn_until(Predicate predicate) {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (!predicate() && std::chrono::steady_clock::now() < end)
      (void)loop_->run_once(milliseconds(10));
    return predicate();
  }
  bool is_over() {
    return turn_until([&] { return closing_.size() == 0; });
  }
  /// What the client reads: "" at the end, "reset", or the text.
  static std::string read_text(int fd) {
    std::array<char, 256> buffer;
    const ssize_t length = recv(fd, buffer.data(), buffer.size(), 0);
    if (length < 0) return errno == ECONNRESET ? "reset" : "error";
    return {buffer.data(), static_cast<std::size_t>(length)};
  }

  SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_ = std::move(*reactor::EventLoop::create(GetParam(), clock_));
  DrainedClose closing_{*loop_};
};
INSTANTIATE_TEST_SUITE_P(With, DrainedCloseTest,
                         testing::Values(reactor::PollerKind::Epoll, reactor::PollerKind::Poll,
                                         reactor::PollerKind::Select),
                         [](const auto& parameter) { return std::string(poller_name(parameter.param)); });

TEST_P(DrainedCloseTest, shows_the_end_and_discards_what_comes) {
  StreamPair pair = make_tcp_pair();
  ASSERT_EQ(send(pair.client.get(), "unread", 6, 0), 6);
  ASSERT_EQ(send(pair.server.get(), "answer", 6, 0), 6);
  closing_.add(std::move(pair.server), hours(1));
  EXPECT_EQ(read_text(pair.client.get()), "answer");
  EXPECT_EQ(read_text(pair.client.get()), "");
  // More than the kernel holds for us.
  const std::string much(std::size_t{64} * 1024, 'x');
  for (std::size_t sent = 0; sent < std::size_t{16} * 1024 * 1024;) {
    const ssize_t length = send(pair.client.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ASSERT_TRUE(length > 0 || errno == EAGAIN) << errno;
    if (length > 0) sent += static_cast<std::size_t>(length);
    (void)loop_->run_once(Duration::zero());
  }
  EXPECT_EQ(closing_.size(), 1U);
  EXPECT_EQ(shutdown(pair.client.get(), SHUT_WR), 0);
  EXPECT_TRUE(is_over());
  EXPECT_EQ(read_text(pair.client.get()), "") << "no reset";
  EXPECT_EQ(loop_->watch_count() + loop_->timer_count(), 0U);
}

TEST_P(DrainedCloseTest, ends_when_its_time_is_over) {
  StreamPair pair = make_tcp_pair();
  const auto begin = std::chrono::steady_clock::now();
  closing_.add(std::move(pair.server), milliseconds(200));
  EXPECT_TRUE(is_over());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(199));
}

TEST_P(DrainedCloseTest, ends_when_the_client_has_reset_the_connection) {
  StreamPair pair = make_tcp_pair();
  closing_.add(std::move(pair.server), hours(1));
  const linger hard{1, 0};
  ASSERT_EQ(setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
  pair.client.reset();
  EXPECT_TRUE(is_over());
}

TEST_P(DrainedCloseTest, does_not_wait_for_a_client_that_is_gone) {
  StreamPair pair = make_tcp_pair();
  const linger hard{1, 0};
  ASSERT_EQ(setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
  pair.client.reset();
  closing_.add(std::move(pair.server), hours(1));
  EXPECT_EQ(closing_.size(), 0U);
}

TEST_P(DrainedCloseTest, keeps_a_unix_socket_until_the_clients_end) {
  StreamPair pair = make_unix_pair();
  ASSERT_EQ(send(pair.client.get(), "unread", 6, 0), 6);
  const bool sees_it = GetParam() != reactor::PollerKind::Select;
  closing_.add(std::move(pair.server), sees_it ? Duration(hours(1)) : milliseconds(200));
  EXPECT_EQ(read_text(pair.client.get()), "");
  (void)loop_->run_once(milliseconds(10));
  EXPECT_EQ(closing_.size(), 1U);
  pair.client.reset();
  EXPECT_TRUE(is_over());
}

TEST_P(DrainedCloseTest, lets_go_of_the_rest_when_it_goes) {
  StreamPair pair = make_tcp_pair();
  {
    DrainedClose other(*loop_);
    other.add(std::move(pair.server), hours(1));
    EXPECT_EQ(loop_->watch_count(), 1U);
  }
  EXPECT_EQ(loop_->watch_count() + loop_->timer_count(), 0U);
}

}  // namespace
}  // namespace xsd::service
