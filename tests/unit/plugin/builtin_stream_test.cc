// SPDX-License-Identifier: Apache-2.0
//
// echo, discard, daytime, time and chargen over streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <set>

#include <malloc.h>

#include "plugin_test.h"
#include "xsd/plugin/stream_connection.h"

namespace xsd::plugin {
namespace {

class BuiltinStream : public PluginTest {
 protected:
  /// Constant under a sanitizer, which has its own allocator.
  static std::size_t heap_in_use() { return kSanitized ? 0 : mallinfo2().uordblks + mallinfo2().hblkhd; }
};

std::string pattern_of(std::size_t length) {
  std::string text;
  text.reserve(length);
  for (std::size_t i = 0; i < length; ++i)
    text += static_cast<char>('a' + i * 7 % 23);
  return text;
}

TEST_F(BuiltinStream, echo_returns_everything_to_a_slow_reader_with_bounded_memory) {
  start("echo");
  auto [client_end, accepted] = tcp_pair();
  const UniqueFd mine = std::move(client_end);  // no binding: clang 14 does not capture those
  set_buffers(accepted, 65536);
  set_buffers(mine, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  const std::string text = pattern_of(8 * 1024 * 1024);
  std::vector<char> buffer(16384);
  const std::size_t before = heap_in_use();
  std::size_t most = 0;
  std::size_t sent = 0;
  std::size_t got = 0;
  bool same = true;
  ASSERT_TRUE(turn_until([&] {
    // Writes as much as will go, reads a little each time.
    const ssize_t out = send(mine.get(), text.data() + sent,
                             std::min<std::size_t>(text.size() - sent, 1 << 20), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out > 0) sent += static_cast<std::size_t>(out);
    if (sent == text.size() && out >= 0) (void)shutdown(mine.get(), SHUT_WR);
    most = std::max(most, heap_in_use() - before);
    const ssize_t in = recv(mine.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (in > 0) {
      same = same && text.compare(got, static_cast<std::size_t>(in), buffer.data(),
                                  static_cast<std::size_t>(in)) == 0;
      got += static_cast<std::size_t>(in);
    }
    return in == 0;
  }));
  EXPECT_TRUE(same);
  EXPECT_EQ(got, text.size());
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_in, text.size());
  EXPECT_EQ(ends[0].bytes_out, text.size());
  EXPECT_LE(most, std::size_t{72} * 1024);
}

TEST_F(BuiltinStream, echo_stops_reading_from_a_client_that_does_not_read) {
  start("echo", seconds(10));
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 65536);
  set_buffers(mine, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  const std::string text(65536, 'x');
  const std::size_t before = heap_in_use();
  while (true) {
    const ssize_t out = send(mine.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (loop->run_once(milliseconds(20)) == 0 && out < 0) break;
  }
  EXPECT_LE(heap_in_use() - before, std::size_t{72} * 1024);
  EXPECT_EQ(service->connections(), 1U);
  advance(seconds(11));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_LE(ends[0].bytes_in - ends[0].bytes_out, std::size_t{64} * 1024);
  service.reset();
}

TEST_F(BuiltinStream, echo_ends_its_direction_after_the_peer_s) {
  start("echo");
  const UniqueFd mine = client();
  send_all(mine, "the last words");
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "the last words");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
}

TEST_F(BuiltinStream, echo_ends_an_empty_connection) {
  start("echo");
  client().reset();
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_in, 0U);
}

TEST_F(BuiltinStream, an_idle_connection_is_small) {
  if (kSanitized) GTEST_SKIP() << "measures the allocator";
  start("echo", seconds(600));
  constexpr std::size_t kCount = 2000;
  std::vector<UniqueFd> clients;
  clients.reserve(kCount);
  for (std::size_t i = 0; i < 10; ++i)
    clients.push_back(client());
  const std::size_t before = heap_in_use();
  for (std::size_t i = 0; i < kCount; ++i) {
    UniqueFd mine = client();
    send_all(mine, "hello");
    clients.push_back(std::move(mine));
  }
  settle();
  const std::size_t each = (heap_in_use() - before) / kCount;
  RecordProperty("bytes_per_connection", static_cast<int>(each));
  EXPECT_LE(each, 800U);  // the loop's slot and handler tables included, which double
  EXPECT_EQ(service->connections(), kCount + 10);
  advance(seconds(601));
  EXPECT_EQ(ends.size(), kCount + 10);
}

TEST_F(BuiltinStream, discard_counts_what_it_throws_away) {
  start("discard");
  const UniqueFd mine = client();
  const std::string text(1 << 20, 'x');
  std::size_t sent = 0;
  constexpr std::size_t kTotal = 20U << 20;
  ASSERT_TRUE(turn_until([&] {
    const ssize_t out =
        send(mine.get(), text.data(), std::min(text.size(), kTotal - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out > 0) sent += static_cast<std::size_t>(out);
    return sent == kTotal;
  }));
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_in, kTotal);
}

TEST_F(BuiltinStream, discard_of_a_busy_client_that_becomes_slow_is_not_idle) {
  start("discard", seconds(10));
  const UniqueFd mine = client();
  const std::string text(1 << 20, 'x');
  std::size_t sent = 0;
  ASSERT_TRUE(turn_until([&] {
    const ssize_t out = send(mine.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out > 0) sent += static_cast<std::size_t>(out);
    return sent >= 8U << 20;
  }));
  settle();
  // Below the low-water mark now: the loop hears nothing of these.
  for (int i = 0; i < 5; ++i) {
    send_all(mine, "x");
    advance(seconds(9));
    advance(seconds(2));
    ASSERT_EQ(service->connections(), 1U) << i;
  }
  advance(seconds(11));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_EQ(ends[0].bytes_in, sent + 5);
}

TEST_F(BuiltinStream, discard_ends_idle_clients_and_not_slow_ones) {
  start("discard", seconds(10));
  const UniqueFd idle = client();
  const UniqueFd slow = client();
  for (int i = 0; i < 3; ++i) {
    clock.now += seconds(4);
    send_all(slow, "x");
    settle();
  }
  EXPECT_EQ(ends.size(), 1U);
  EXPECT_EQ(service->connections(), 1U);
  EXPECT_EQ(receive_all(idle), "");
}

TEST_F(BuiltinStream, daytime_says_the_time_and_closes) {
  const Zone zone("UTC0");
  start("daytime");
  const UniqueFd mine = client();
  EXPECT_EQ(service->connections(), 0U);
  EXPECT_EQ(receive_all(mine), "22 NOV 2026 01:10:47 UTC\r\n");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
}

TEST_F(BuiltinStream, daytime_uses_the_local_zone_and_the_clock_of_the_loop) {
  const Zone zone("XST-5:30");
  start("daytime");
  clock.wall_now = WallTime(seconds(1772323200));  // 2026-03-01 00:00 UTC
  EXPECT_EQ(receive_all(client()), "01 MAR 2026 05:30:00 XST\r\n");
}

TEST_F(BuiltinStream, daytime_answers_a_client_that_has_sent_something) {
  const Zone zone("UTC0");
  start("daytime");
  auto [mine, accepted] = tcp_pair();
  send_all(mine, std::string(10000, 'x'));
  ASSERT_TRUE(open(std::move(accepted)));
  EXPECT_EQ(receive_all(mine).size(), std::strlen("22 NOV 2026 01:10:47 UTC\r\n"));
  mine.reset();
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
}

TEST_F(BuiltinStream, daytime_survives_a_client_that_is_gone) {
  start("daytime");
  auto [mine, accepted] = tcp_pair();
  reset(std::move(mine));
  EXPECT_EQ(service->open(std::move(accepted), 1, {}, *net::SocketAddress::parse("127.0.0.1", 13)),
            OpenOutcome::Open);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
}

TEST_F(BuiltinStream, time_says_four_bytes_since_1900) {
  start("time");
  EXPECT_EQ(receive_all(client()), "\xee\xac\xbf\x97");  // 1795309847 + 2208988800
  clock.wall_now = WallTime(seconds((std::int64_t{1} << 32) - 2208988800 + 1));
  EXPECT_EQ(receive_all(client()), std::string("\0\0\0\1", 4));
}

TEST_F(BuiltinStream, chargen_sends_the_pattern_of_rfc_864) {
  start("chargen");
  const UniqueFd mine = client();
  constexpr std::size_t kLength = 3U << 20;
  const std::string got = receive(mine, kLength).substr(0, kLength);
  ASSERT_EQ(got.size(), kLength);
  std::string expected;
  for (std::size_t line = 0; expected.size() < kLength; ++line) {
    for (std::size_t i = 0; i < 72; ++i)
      expected += static_cast<char>(' ' + (line + i) % 95);
    expected += "\r\n";
  }
  expected.resize(kLength);
  EXPECT_TRUE(got == expected);
}

TEST_F(BuiltinStream, chargen_throws_away_input_and_outlives_the_peer_s_end) {
  start("chargen");
  UniqueFd mine = client();
  send_all(mine, std::string(30000, 'x'));
  end_sending(mine);
  EXPECT_GE(receive(mine, 1U << 20).size(), 1U << 20);
  mine.reset();
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
  EXPECT_EQ(ends[0].bytes_in, 30000U);
}

TEST_F(BuiltinStream, chargen_clients_that_do_not_read_cost_little_and_time_out) {
  start("chargen", seconds(10));
  std::vector<UniqueFd> clients;
  const std::size_t before = heap_in_use();
  for (int i = 0; i < 200; ++i) {
    auto [mine, accepted] = tcp_pair();
    set_buffers(mine, 4096);
    set_buffers(accepted, 65536);
    ASSERT_TRUE(open(std::move(accepted)));
    clients.push_back(std::move(mine));
  }
  ASSERT_TRUE(turn_until([&] { return loop->run_once(milliseconds(5)) == 0; }));
  EXPECT_LE((heap_in_use() - before) / 200, 2000U);
  EXPECT_EQ(service->connections(), 200U);
  advance(seconds(11));
  EXPECT_EQ(ends.size(), 200U);
  for (const StreamEnd& end : ends)
    EXPECT_EQ(end.cause, EndCause::Timeout);
}

TEST_F(BuiltinStream, chargen_clients_that_do_not_read_time_out_whatever_they_send) {
  start("chargen", seconds(10));
  auto [mine, accepted] = tcp_pair();
  set_buffers(mine, 4096);
  set_buffers(accepted, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  settle();
  for (int i = 0; i < 3 && ends.empty(); ++i) {
    send_all(mine, ".");
    settle();
    advance(seconds(6));
  }
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_EQ(ends[0].bytes_in, 2U);
}

}  // namespace
}  // namespace xsd::plugin
