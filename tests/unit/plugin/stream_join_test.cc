// SPDX-License-Identifier: Apache-2.0
//
// Two connections that are joined, over each poller.
#include <gmock/gmock.h>

#include "script_plugin.h"
#include "xsd/plugin/stream_connection.h"

namespace xsd::plugin {
namespace {

class JoinTest : public WithScript<PluginTest> {
 protected:
  JoinTest() : WithScript(GetParam()) {}

  void start_script(std::optional<Duration> idle_timeout = std::nullopt) {
    script.on_open = [this](xsd_connection* c) {
      connections.push_back(c);
      return 0;
    };
    script.on_data = [this](xsd_connection*, std::string_view data) { got += data; };
    script.on_end = [this](xsd_connection*) { got += "(end)"; };
    script.on_close = [this](xsd_connection*, std::uint32_t why) { reasons.push_back(why); };
    WithScript::start_script(idle_timeout);
  }
  void join() {
    in_callback([this] { EXPECT_EQ(host().join(connections[0], connections[1]), 0); });
  }
  UniqueFd slow_client() {
    auto [mine, accepted] = tcp_pair();
    set_buffers(mine, 16384);
    set_buffers(accepted, 16384);
    EXPECT_TRUE(open(std::move(accepted)));
    return std::move(mine);
  }
  /// Sends all of `text` at `from` while reading at `to`.
  std::string pass(const UniqueFd& from, const UniqueFd& to, std::string_view text) {
    std::string passed;
    std::size_t sent = 0;
    EXPECT_TRUE(turn_until([&] {
      if (sent < text.size()) {
        const ssize_t n =
            ::send(from.get(), text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) sent += static_cast<std::size_t>(n);
      }
      read_some(to, passed);
      return passed.size() >= text.size() || saw_end;
    }));
    return passed;
  }
  static std::string pattern(std::size_t length) {
    std::string text(length, '\0');
    for (std::size_t i = 0; i < length; ++i)
      text[i] = static_cast<char>('a' + (i / 7 + i / 251) % 26);
    return text;
  }

  std::vector<xsd_connection*> connections;
  std::vector<std::uint32_t> reasons;
  std::string got;
};

INSTANTIATE_TEST_SUITE_P(Pollers, JoinTest,
                         ::testing::Values(reactor::PollerKind::Epoll, reactor::PollerKind::Poll,
                                           reactor::PollerKind::Select),
                         [](const auto& kind) { return std::string(reactor::poller_name(kind.param)); });

TEST_P(JoinTest, carries_both_directions_and_counts_them) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = client();
  join();
  EXPECT_EQ(pass(a, b, "question"), "question");
  EXPECT_EQ(pass(b, a, "the answer"), "the answer");
  end_sending(a);
  EXPECT_EQ(receive_all(b), "");
  EXPECT_EQ(pass(b, a, "and more"), "and more");  // the other half goes on
  end_sending(b);
  EXPECT_EQ(receive_all(a), "");
  ASSERT_TRUE(ended(2));
  for (const StreamEnd& end : ends) {
    EXPECT_EQ(end.cause, EndCause::Finished);
    EXPECT_EQ(end.id == 1 ? end.bytes_in : end.bytes_out, 8U);
    EXPECT_EQ(end.id == 1 ? end.bytes_out : end.bytes_in, 18U);
  }
  EXPECT_EQ(got, "");
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_P(JoinTest, one_that_does_not_read_holds_the_other_back) {
  start_script();
  const UniqueFd a = slow_client();
  const UniqueFd b = slow_client();
  join();
  const std::string text = pattern(1'000'000);
  std::size_t sent = 0;
  EXPECT_TRUE(turn_until([&] {
    const ssize_t n = ::send(a.get(), text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<std::size_t>(n);
    return n < 0 && loop->run_once(milliseconds(20)) == 0;
  }));
  EXPECT_LT(sent, text.size());
  EXPECT_TRUE(receive(b, sent) == text.substr(0, sent));
}

TEST_P(JoinTest, carries_much_through_a_narrow_side) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = slow_client();
  join();
  const std::string text = pattern(5'000'000);
  EXPECT_TRUE(pass(a, b, text) == text);
  EXPECT_TRUE(pass(b, a, text) == text);
}

TEST_P(JoinTest, what_was_written_before_goes_out_first) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = slow_client();
  const std::string before = pattern(1'000'000);
  in_callback([&] {
    EXPECT_EQ(host().write(connections[1], before.data(), before.size()), 0);
    EXPECT_GT(host().unsent(connections[1]), 0U);
    EXPECT_EQ(host().join(connections[0], connections[1]), 0);
  });
  send_all(a, "after");
  EXPECT_TRUE(receive(b, before.size() + 5) == before + "after");
}

TEST_P(JoinTest, input_that_had_arrived_and_an_end_before_are_carried) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = client();
  in_callback([&] { host().set_reading(connections[0], 0); });
  send_all(a, "early");
  end_sending(b);
  ASSERT_TRUE(turn_until([&] { return got == "(end)"; }));
  join();
  EXPECT_EQ(receive(b, 5), "early");
  EXPECT_EQ(receive_all(a), "");
  end_sending(a);
  EXPECT_TRUE(ended(2));
}

TEST_P(JoinTest, urgent_data_does_not_stop_it) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = client();
  join();
  send_all(a, "abc");
  send_all(a, "!", MSG_OOB);
  send_all(a, "def");
  end_sending(a);
  EXPECT_EQ(receive_all(b), "abc!def");
}

TEST_P(JoinTest, joins_sockets_of_every_kind) {
  start_script();
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    connections.clear();
    const UniqueFd a = client();
    auto [b, accepted] = unix_pair(type);
    ASSERT_TRUE(open(std::move(accepted)));
    join();
    EXPECT_EQ(pass(a, b, "question"), "question");
    EXPECT_EQ(pass(b, a, "answer"), "answer");
  }
}

TEST_P(JoinTest, both_idle_timeouts_see_bytes_in_either_direction) {
  start_script(seconds(10));
  const UniqueFd a = client();
  const UniqueFd b = client();
  join();
  for (int i = 0; i < 5; ++i) {
    clock.now += seconds(9);
    EXPECT_EQ(pass(a, b, "x"), "x");
  }
  advance(seconds(9));
  EXPECT_TRUE(ends.empty());
  advance(seconds(2));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_EQ(ends[1].cause, EndCause::Timeout);
}

TEST_P(JoinTest, when_one_is_reset_the_other_gets_the_rest_and_is_closed) {
  start_script();
  UniqueFd a = client();
  const UniqueFd b = client();
  join();
  EXPECT_EQ(pass(a, b, "half an answer"), "half an answer");
  reset(std::move(a));
  EXPECT_EQ(receive_all(b), "");
  ASSERT_TRUE(ended(2));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
  EXPECT_EQ(ends[1].cause, EndCause::Finished);
}

TEST_P(JoinTest, what_is_under_way_outlives_the_one_it_came_from) {
  start_script();
  UniqueFd a = client();
  const UniqueFd b = slow_client();
  join();
  std::string text = pattern(100'000);
  std::size_t sent = 0;
  // Until something is in the pipe.
  while (sent < text.size()) {
    const ssize_t n = ::send(a.get(), text.data() + sent, text.size() - sent, MSG_DONTWAIT);
    if (n < 0) break;
    sent += static_cast<std::size_t>(n);
    settle();
  }
  in_callback([&] { host().abort(connections[0]); });
  const std::string rest = receive_all(b);
  EXPECT_TRUE(text.starts_with(rest));
  EXPECT_GT(rest.size(), 0U);
  EXPECT_TRUE(ended(2));
  EXPECT_EQ(ends[1].bytes_out, rest.size());
}

TEST_P(JoinTest, other_calls_are_refused_and_close_still_closes) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = client();
  const UniqueFd c = client();
  join();
  in_callback([&] {
    EXPECT_EQ(host().write(connections[0], "x", 1), -EBUSY);
    EXPECT_EQ(host().try_write(connections[0], "x", 1), -EBUSY);
    EXPECT_EQ(host().hand_over(connections[0], "x"), -EBUSY);
    EXPECT_EQ(host().join(connections[0], connections[2]), -EBUSY);
    EXPECT_EQ(host().join(connections[2], connections[2]), -EINVAL);
    host().finish(connections[2]);
    EXPECT_EQ(host().join(connections[2], connections[1]), -EPIPE);
    host().close(connections[0]);
  });
  EXPECT_EQ(receive_all(a), "");
  EXPECT_EQ(receive_all(b), "");
  EXPECT_TRUE(ended(2));
}

TEST_P(JoinTest, one_that_throws_input_away_is_not_joined) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = client();
  in_callback([&] {
    host().discard_input(connections[0]);
    EXPECT_EQ(host().join(connections[1], connections[0]), -EINVAL);
  });
}

TEST_P(JoinTest, one_that_is_refused_after_all_closes_the_other) {
  start_script();
  const UniqueFd a = client();
  script.on_open = [this](xsd_connection* c) {
    EXPECT_EQ(host().join(c, connections[0]), 0);
    return -EACCES;
  };
  auto [b, accepted] = tcp_pair();
  EXPECT_FALSE(open(std::move(accepted)));
  EXPECT_EQ(receive_all(b), "");
  EXPECT_EQ(receive_all(a), "");
  EXPECT_TRUE(ended(1));
}

TEST_P(JoinTest, joins_in_on_open) {
  start_script();
  const UniqueFd a = client();
  script.on_open = [this](xsd_connection* c) { return host().join(c, connections[0]); };
  const UniqueFd b = client();
  EXPECT_EQ(pass(a, b, "one"), "one");
  EXPECT_EQ(pass(b, a, "two"), "two");
}

TEST_P(JoinTest, ends_with_the_service) {
  start_script();
  const UniqueFd a = client();
  const UniqueFd b = client();
  join();
  service.reset();
  EXPECT_EQ(reasons, (std::vector<std::uint32_t>{XSD_CLOSE_DRAIN, XSD_CLOSE_DRAIN}));
}

}  // namespace
}  // namespace xsd::plugin
