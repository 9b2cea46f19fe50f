// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/lingering_close.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace xsd::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Pair {
  UniqueFd ours;
  UniqueFd peer;
};

/// A connection over loopback.
Pair connect_pair() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  EXPECT_EQ(bind(listener.get(), raw, length), 0);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  EXPECT_EQ(getsockname(listener.get(), raw, &length), 0);
  Pair pair;
  pair.peer = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(pair.peer.get(), raw, length), 0);
  pair.ours = UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(pair.ours);
  return pair;
}

class LingeringCloserTest : public testing::Test {
 protected:
  template <class Predicate>
  bool turn_until(Predicate done) {
    const MonotonicTime end = clock_.monotonic() + seconds(10);
    while (!done()) {
      if (clock_.monotonic() >= end) return false;
      (void)loop_->run_once(milliseconds(10));
    }
    return true;
  }
  /// What has come, then "end" or the error.
  std::string read_all(const UniqueFd& peer) {
    std::string all;
    char text[256];
    for (;;) {
      ssize_t size = -1;
      const bool came = turn_until([&] {
        size = recv(peer.get(), text, sizeof text, MSG_DONTWAIT);
        return size >= 0 || errno != EAGAIN;
      });
      if (!came) return all + "nothing";
      if (size < 0) return all + (errno == ECONNRESET ? "reset" : "error");
      if (size == 0) return all + "end";
      all.append(text, static_cast<std::size_t>(size));
    }
  }

  const SystemClock clock_{};
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  LingeringCloser closer_{*loop_};
};

TEST_F(LingeringCloserTest, lets_the_peer_read_although_it_has_sent_something) {
  Pair pair = connect_pair();
  ASSERT_EQ(send(pair.peer.get(), "GET /", 5, 0), 5);
  ASSERT_EQ(send(pair.ours.get(), "go away\n", 8, 0), 8);
  closer_.close(std::move(pair.ours), seconds(10));
  EXPECT_EQ(closer_.size(), 1U);
  // What it sends only now does not hurt either.
  ASSERT_TRUE(turn_until([&] { return send(pair.peer.get(), "more", 4, MSG_NOSIGNAL) == 4; }));
  EXPECT_EQ(read_all(pair.peer), "go away\nend");
  pair.peer.reset();
  EXPECT_TRUE(turn_until([&] { return closer_.size() == 0; }));
  EXPECT_EQ(loop_->watch_count(), 0U);
}

TEST_F(LingeringCloserTest, waits_no_longer_than_it_may) {
  Pair pair = connect_pair();
  closer_.close(std::move(pair.ours), milliseconds(30));
  EXPECT_EQ(closer_.size(), 1U);
  EXPECT_TRUE(turn_until([&] { return closer_.size() == 0; }));
}

TEST_F(LingeringCloserTest, throws_away_more_than_any_buffer_holds) {
  Pair pair = connect_pair();
  closer_.close(std::move(pair.ours), seconds(10));
  const std::string block(std::size_t{1} << 20, 'x');
  std::size_t sent = 0;
  EXPECT_TRUE(turn_until([&] {
    const ssize_t size = send(pair.peer.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) sent += static_cast<std::size_t>(size);
    return sent >= block.size() * 32;
  }));
}

TEST_F(LingeringCloserTest, closes_the_oldest_of_too_many) {
  std::vector<UniqueFd> peers;
  for (std::size_t i = 0; i < kMostLingering + 3; ++i) {
    Pair pair = connect_pair();
    peers.push_back(std::move(pair.peer));
    closer_.close(std::move(pair.ours), seconds(100));
  }
  EXPECT_EQ(closer_.size(), kMostLingering);
  EXPECT_EQ(loop_->watch_count(), kMostLingering);
}

TEST_F(LingeringCloserTest, closes_at_once_what_is_lost_or_of_a_unix_socket) {
  closer_.close(UniqueFd(), seconds(10));
  closer_.close(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), seconds(10));
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd peer(ends[1]);
  ASSERT_EQ(send(peer.get(), "x", 1, 0), 1);
  ASSERT_EQ(send(ends[0], "bye", 3, 0), 3);
  closer_.close(UniqueFd(ends[0]), seconds(10));
  EXPECT_EQ(closer_.size(), 0U);
  char text[8];
  EXPECT_EQ(recv(peer.get(), text, sizeof text, 0), 3);
}

}  // namespace
}  // namespace xsd::service
