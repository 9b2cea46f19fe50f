// SPDX-License-Identifier: Apache-2.0
//
// StreamConnection through a HostedService with the probe plugin and with echo, over each poller.
#include "xsd/plugin/stream_connection.h"

#include <gmock/gmock.h>

#include "plugin_test.h"

namespace xsd::plugin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class StreamTest : public PluginTest {
 protected:
  StreamTest() : PluginTest(GetParam()) {}

  bool recorded(const char* text) {
    return turn_until([&] { return std::strstr(probe.record, text) != nullptr; });
  }
};

INSTANTIATE_TEST_SUITE_P(Pollers, StreamTest,
                         ::testing::Values(reactor::PollerKind::Epoll, reactor::PollerKind::Poll,
                                           reactor::PollerKind::Select),
                         [](const auto& kind) { return std::string(reactor::poller_name(kind.param)); });

TEST_P(StreamTest, finish_sends_what_was_written_and_goes_on_reading) {
  start_probe();
  const UniqueFd mine = client();
  send_all(mine, "fhello");
  EXPECT_EQ(receive_all(mine), "hello");
  send_all(mine, "more");
  ASSERT_TRUE(recorded("data:4 "));
  EXPECT_EQ(service->connections(), 1U);
  end_sending(mine);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_THAT(probe.record, EndsWith("end close:0 "));
}

TEST_P(StreamTest, stays_open_after_the_peer_s_end_until_the_plugin_finishes) {
  start_probe();
  const UniqueFd mine = client();
  const UniqueFd other = client();
  end_sending(mine);
  ASSERT_TRUE(recorded("end "));
  settle();  // and does not spin
  EXPECT_EQ(service->connections(), 2U);
  send_all(other, "olater");
  EXPECT_EQ(receive_all(mine), "later");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].id, 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
}

TEST_P(StreamTest, calls_after_close_are_harmless) {
  start_probe();
  const UniqueFd mine = client();
  send_all(mine, "chello");
  EXPECT_EQ(receive_all(mine), "hello");
  ASSERT_TRUE(ended(1));
  EXPECT_STREQ(probe.record, "start open data:6 write=-32 try=-32 close:0 ");
}

TEST_P(StreamTest, close_sends_a_long_answer_whole) {
  start_probe();
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 65536);
  set_buffers(mine, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, "k");
  std::string expected;
  for (unsigned i = 0; i < PROBE_BIG; ++i)
    expected += static_cast<char>(PROBE_BYTE(i));
  EXPECT_TRUE(receive_all(mine) == expected);
  EXPECT_EQ(saw_error, 0);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_out, expected.size());
}

TEST_P(StreamTest, close_with_unread_input_does_not_lose_the_answer) {
  start_probe();
  probe.on_open = "canswer";
  auto [mine, accepted] = tcp_pair();
  send_all(mine, "GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(open(std::move(accepted)));
  EXPECT_EQ(service->connections(), 1U);  // lingers
  EXPECT_EQ(receive_all(mine), "answer");
  send_all(mine, "and more");
  settle();
  EXPECT_TRUE(ends.empty());
  mine.reset();
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_in, 26U);
  EXPECT_THAT(probe.record, Not(HasSubstr("data")));
}

TEST_P(StreamTest, lingers_no_longer_than_its_bound) {
  start_probe();
  probe.on_open = "canswer";
  auto [mine, accepted] = tcp_pair();
  send_all(mine, "x");
  ASSERT_TRUE(open(std::move(accepted)));
  advance(kLingerTime - milliseconds(100));
  EXPECT_EQ(service->connections(), 1U);
  send_all(mine, "more");  // gives it no more time
  settle();
  advance(milliseconds(101));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(receive_all(mine), "answer");
}

TEST_P(StreamTest, on_close_never_runs_inside_another_callback) {
  start_probe();
  const UniqueFd one = client();
  const UniqueFd two = client();
  const UniqueFd three = client();
  send_all(one, "obye");
  EXPECT_EQ(receive_all(two), "bye");
  EXPECT_EQ(receive_all(three), "bye");
  ASSERT_TRUE(ended(2));
  EXPECT_STREQ(probe.record, "start open open open data:4 close:0 close:0 ");
  EXPECT_EQ(service->connections(), 1U);
}

TEST_P(StreamTest, bounds_what_waits_to_be_sent) {
  start_probe();
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 16384);
  set_buffers(mine, 16384);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, "b");
  ASSERT_TRUE(recorded("big=0 more=-105 try=-11 "));  // ENOBUFS, EAGAIN
  EXPECT_EQ(receive(mine, PROBE_BIG).size(), static_cast<std::size_t>(PROBE_BIG));
  // Room again, and reading goes on.
  send_all(mine, "whello");
  EXPECT_EQ(receive(mine, 5), "hello");
}

TEST_P(StreamTest, does_not_read_while_bytes_wait) {
  start_probe();
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 16384);
  set_buffers(mine, 16384);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, "b");
  ASSERT_TRUE(recorded("big=0 "));
  send_all(mine, "whello");
  settle();
  EXPECT_THAT(probe.record, Not(HasSubstr("data:6 ")));
  EXPECT_EQ(receive(mine, PROBE_BIG + 5).substr(PROBE_BIG), "hello");
}

TEST_P(StreamTest, want_writable_calls_until_switched_off) {
  start_probe();
  probe.on_open = "v";
  probe.writable_calls = 3;
  const UniqueFd mine = client();
  settle();
  EXPECT_STREQ(probe.record, "start open writable writable writable ");
}

TEST_P(StreamTest, reset_by_the_peer_ends_quietly) {
  start_probe(seconds(60));
  reset(client());
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
  EXPECT_STREQ(probe.record, "start open close:1 ");
  EXPECT_EQ(loop->timer_count(), 0U);
  EXPECT_TRUE(logged.empty());
}

TEST_P(StreamTest, reset_while_bytes_wait_ends_quietly) {
  start_probe(seconds(60));
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 16384);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, "b");
  ASSERT_TRUE(recorded("big=0 "));
  reset(std::move(mine));
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
}

TEST_P(StreamTest, clients_that_leave_with_unread_answers_end_quietly) {
  start("echo");
  for (int i = 0; i < 500; ++i) {
    const UniqueFd mine = client();
    send_all(mine, "something that comes back");
    settle();
    // Closing with unread input resets.
  }
  ASSERT_TRUE(ended(500));
  EXPECT_EQ(service->connections(), 0U);
  EXPECT_TRUE(logged.empty());
}

TEST_P(StreamTest, idle_timeout_counts_from_the_last_bytes) {
  start_probe(seconds(10));
  const UniqueFd mine = client();
  for (int i = 0; i < 5; ++i) {
    clock.now += seconds(9);
    send_all(mine, "whello");
    EXPECT_EQ(receive(mine, 5), "hello");
  }
  advance(seconds(9));
  EXPECT_EQ(service->connections(), 1U);
  advance(seconds(2));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_THAT(probe.record, EndsWith("close:2 "));
  EXPECT_EQ(receive_all(mine), "");
}

TEST_P(StreamTest, timeout_ends_a_half_closed_and_a_flushing_connection) {
  start_probe(seconds(10));
  const UniqueFd half = client();
  end_sending(half);
  ASSERT_TRUE(recorded("end "));
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 16384);
  probe.on_open = "b";
  ASSERT_TRUE(open(std::move(accepted)));
  settle();
  advance(seconds(11));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_EQ(ends[1].cause, EndCause::Timeout);
  // The kernel does not go on trying for the peer that does not read.
  (void)receive(mine, SIZE_MAX);
  EXPECT_EQ(saw_error, ECONNRESET);
}

TEST_P(StreamTest, urgent_data_is_read_in_its_place) {
  start("echo");
  const UniqueFd mine = client();
  send_all(mine, "abc");
  send_all(mine, "D", MSG_OOB);
  send_all(mine, "efg");
  send_all(mine, "H", MSG_OOB);
  EXPECT_EQ(receive(mine, 8), "abcDefgH");
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].bytes_in, 8U);
}

TEST_P(StreamTest, works_over_unix_sockets) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    probe = {};
    ends.clear();
    service.reset();
    start("echo");
    auto [mine, accepted] = unix_pair(type);
    ASSERT_TRUE(open(std::move(accepted)));
    send_all(mine, "hello");
    EXPECT_EQ(receive(mine, 5), "hello");
    mine.reset();
    ASSERT_TRUE(ended(1));
    EXPECT_EQ(ends[0].cause, EndCause::Finished);
  }
}

TEST_P(StreamTest, throws_away_the_input_of_unix_sockets_too) {
  start_probe();
  probe.on_open = "d";
  auto [mine, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, std::string(100000, 'x'));
  end_sending(mine);
  ASSERT_TRUE(recorded("end "));
  EXPECT_STREQ(probe.record, "start open end ");
  service->close_all(EndCause::Drain);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].bytes_in, 100000U);
}

TEST_P(StreamTest, a_unix_peer_that_is_gone_does_not_spin) {
  start_probe();
  auto [mine, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  mine.reset();
  ASSERT_TRUE(recorded("end "));
  settle();  // the plugin does not finish; nothing is ready for ever
  EXPECT_EQ(loop->run_once(Duration::zero()), 0U);
  EXPECT_EQ(service->connections(), 1U);
}

TEST_P(StreamTest, want_writable_meets_a_reset_after_the_peer_s_end) {
  start_probe();
  probe.on_open = "v";
  probe.writable_calls = 1000000000;
  UniqueFd mine = client();
  end_sending(mine);
  ASSERT_TRUE(recorded("end "));
  reset(std::move(mine));
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
}

}  // namespace
}  // namespace xsd::plugin
