// SPDX-License-Identifier: Apache-2.0
//
// Plugins that read by themselves, make the peer wait, or want to know of urgent data; over each poller.
#include <gmock/gmock.h>

#include "script_plugin.h"
#include "xsd/plugin/stream_connection.h"

namespace xsd::plugin {
namespace {

class ReadingTest : public WithScript<PluginTest> {
 protected:
  ReadingTest() : WithScript(GetParam()) {}

  void start_script(std::optional<Duration> idle_timeout = std::nullopt) {
    script.on_open = [this](xsd_connection* c) {
      connection = c;
      return 0;
    };
    script.on_close = [this](xsd_connection*, std::uint32_t why) {
      connection = nullptr;
      reason = why;
    };
    WithScript::start_script(idle_timeout);
  }
  /// Reads up to `length` bytes into `got`; a result that is none goes to `results`.
  void read_into(xsd_connection* c, std::size_t length) {
    std::string buffer(length, '\0');
    const std::int64_t count = host().read(c, buffer.data(), length);
    if (count <= 0) return results.push_back(count);
    got.append(buffer, 0, static_cast<std::size_t>(count));
  }

  xsd_connection* connection = nullptr;
  std::uint32_t reason = 99;
  std::string got;
  std::vector<std::int64_t> results;
};

INSTANTIATE_TEST_SUITE_P(Pollers, ReadingTest,
                         ::testing::Values(reactor::PollerKind::Epoll, reactor::PollerKind::Poll,
                                           reactor::PollerKind::Select),
                         [](const auto& kind) { return std::string(reactor::poller_name(kind.param)); });

TEST_P(ReadingTest, calls_on_readable_until_the_end_is_read) {
  bool was_data = false;
  script.on_data = [&](xsd_connection*, std::string_view) { was_data = true; };
  script.on_end = [&](xsd_connection*) { was_data = true; };
  script.on_readable = [&](xsd_connection* c) {
    read_into(c, 3);
    if (!results.empty()) host().finish(c);
  };
  start_script();
  const UniqueFd mine = client();
  send_all(mine, "0123456789");
  end_sending(mine);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(got, "0123456789");
  EXPECT_EQ(results, std::vector<std::int64_t>{0});
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_in, 10U);
  EXPECT_FALSE(was_data);
}

TEST_P(ReadingTest, stays_open_after_the_end_was_read_until_the_plugin_finishes) {
  int calls = 0;
  script.on_readable = [&](xsd_connection* c) {
    ++calls;
    read_into(c, 100);
  };
  start_script();
  const UniqueFd mine = client();
  end_sending(mine);
  ASSERT_TRUE(turn_until([&] { return calls == 1; }));
  settle();
  EXPECT_EQ(calls, 1);
  in_callback([&] {
    read_into(connection, 1);
    EXPECT_EQ(host().write(connection, "bye", 3), 0);
    host().finish(connection);
  });
  EXPECT_EQ(results, (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(receive_all(mine), "bye");
  EXPECT_TRUE(ended(1));
}

TEST_P(ReadingTest, peek_takes_nothing) {
  script.on_readable = [&](xsd_connection* c) {
    char two[2];
    EXPECT_EQ(host().peek(c, two, 2), 2);
    EXPECT_EQ(std::string(two, 2), "ab");
    read_into(c, 100);
    EXPECT_EQ(host().peek(c, two, 2), -EAGAIN);
    read_into(c, 100);
  };
  start_script();
  const UniqueFd mine = client();
  send_all(mine, "abc");
  ASSERT_TRUE(turn_until([&] { return got == "abc"; }));
  EXPECT_EQ(results, std::vector<std::int64_t>{-EAGAIN});
}

TEST_P(ReadingTest, read_is_for_those_that_read) {
  script.on_data = [&](xsd_connection* c, std::string_view) { read_into(c, 10); };
  start_script();
  const UniqueFd mine = client();
  send_all(mine, "x");
  ASSERT_TRUE(turn_until([&] { return !results.empty(); }));
  EXPECT_EQ(results[0], -EINVAL);
}

TEST_P(ReadingTest, read_after_close_and_without_length) {
  script.on_readable = [&](xsd_connection* c) {
    read_into(c, 0);
    host().close(c);
    read_into(c, 10);
  };
  start_script();
  const UniqueFd mine = client();
  send_all(mine, "x");
  ASSERT_TRUE(turn_until([&] { return !results.empty(); }));
  EXPECT_EQ(results, (std::vector<std::int64_t>{-EINVAL, -EPIPE}));
}

TEST_P(ReadingTest, nothing_is_lost_when_a_unix_peer_has_gone) {
  int calls = 0;
  script.on_readable = [&](xsd_connection* c) {
    char byte = 0;
    (void)host().peek(c, &byte, 1);
    if (++calls % 3 != 0) return;  // it has hung up, and is read slowly
    read_into(c, 2);
    if (!results.empty()) host().finish(c);
  };
  start_script();
  auto [mine, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, "0123456789");
  mine.reset();
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(got, "0123456789");
}

TEST_P(ReadingTest, meets_a_reset_when_it_reads) {
  script.on_readable = [&](xsd_connection* c) { read_into(c, 10); };
  start_script();
  reset(client());
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(results, std::vector<std::int64_t>{-EPIPE});
  EXPECT_EQ(reason, XSD_CLOSE_PEER);
}

TEST_P(ReadingTest, discarded_input_ends_like_one_without_on_end) {
  script.on_readable = [&](xsd_connection* c) { read_into(c, 10); };
  start_script();
  const UniqueFd mine = client();
  in_callback([&] { host().discard_input(connection); });
  send_all(mine, "thrown away");
  end_sending(mine);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(got, "");
  EXPECT_EQ(ends[0].bytes_in, 11U);
}

TEST_P(ReadingTest, the_peer_waits_while_reading_is_off) {
  script.on_data = [&](xsd_connection*, std::string_view data) { got += data; };
  start_script(seconds(10));
  const UniqueFd mine = client();
  in_callback([&] { host().set_reading(connection, 0); });
  send_all(mine, "abc");
  settle();
  EXPECT_EQ(got, "");
  in_callback([&] {
    EXPECT_EQ(host().write(connection, "x", 1), 0);  // the other direction goes on
    host().set_reading(connection, 1);
  });
  ASSERT_TRUE(turn_until([&] { return got == "abc"; }));
  EXPECT_EQ(receive(mine, 1), "x");
  in_callback([&] { host().set_reading(connection, 0); });
  send_all(mine, "d");
  settle();
  advance(seconds(11));
  EXPECT_EQ(reason, XSD_CLOSE_TIMEOUT);
  EXPECT_EQ(got, "abc");
}

TEST_P(ReadingTest, close_throws_input_away_also_while_reading_is_off) {
  start_script();
  const UniqueFd mine = client();
  send_all(mine, "unread");
  in_callback([&] {
    host().set_reading(connection, 0);
    (void)host().write(connection, "bye", 3);
    host().close(connection);
  });
  EXPECT_EQ(receive_all(mine), "bye");
  end_sending(mine);
  EXPECT_TRUE(ended(1));
}

class UrgentTest : public ReadingTest {
 protected:
  void start_script() {
    script.on_urgent = [&](xsd_connection*) { record += "urgent "; };
    script.on_data = [&](xsd_connection*, std::string_view data) {
      got += data;
      record += "data ";
    };
    ReadingTest::start_script();
  }
  bool got_all(std::string_view text) {
    return turn_until([&] { return got == text; });
  }
  std::string record;
};

INSTANTIATE_TEST_SUITE_P(Pollers, UrgentTest,
                         ::testing::Values(reactor::PollerKind::Epoll, reactor::PollerKind::Poll,
                                           reactor::PollerKind::Select),
                         [](const auto& kind) { return std::string(reactor::poller_name(kind.param)); });

TEST_P(UrgentTest, is_told_once_before_the_data) {
  start_script();
  const UniqueFd mine = client();
  send_all(mine, "abc");
  send_all(mine, "!", MSG_OOB);
  ASSERT_TRUE(got_all("abc!"));
  settle();
  EXPECT_EQ(record, "urgent data data ");
  send_all(mine, "?", MSG_OOB);
  ASSERT_TRUE(got_all("abc!?"));
  EXPECT_EQ(record, "urgent data data urgent data ");
}

TEST_P(UrgentTest, is_told_once_while_nothing_is_read) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] { host().set_reading(connection, 0); });
  send_all(mine, "abc");
  send_all(mine, "!", MSG_OOB);
  ASSERT_TRUE(turn_until([&] { return record == "urgent "; }));
  settle();  // and does not spin
  EXPECT_EQ(record, "urgent ");
  in_callback([&] { host().set_reading(connection, 1); });
  ASSERT_TRUE(got_all("abc!"));
  EXPECT_EQ(record, "urgent data data ");
}

TEST_P(UrgentTest, is_no_reason_to_spin_when_the_peer_is_gone) {
  start_script();
  UniqueFd mine = client();
  in_callback([&] {
    host().set_reading(connection, 0);
    host().finish(connection);
  });
  send_all(mine, "!", MSG_OOB);
  ASSERT_TRUE(turn_until([&] { return record == "urgent "; }));
  mine.reset();
  settle();
  EXPECT_EQ(loop->run_once(milliseconds(1)), 0U);
  in_callback([&] { host().set_reading(connection, 1); });
  ASSERT_TRUE(got_all("!"));
  EXPECT_TRUE(ended(1));
}

TEST_P(UrgentTest, may_abort_before_the_data_is_read) {
  start_script();
  script.on_urgent = [&](xsd_connection* c) { host().abort(c); };
  const UniqueFd mine = client();
  send_all(mine, "!", MSG_OOB);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(got, "");
}

TEST_P(UrgentTest, passes_the_mark_when_input_is_thrown_away) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] { host().discard_input(connection); });
  for (int i = 1; i <= 3; ++i) {
    send_all(mine, "abc!", MSG_OOB);
    ASSERT_TRUE(turn_until([&] { return record.size() == 7U * static_cast<unsigned>(i); })) << record;
    settle();
  }
  EXPECT_EQ(record, "urgent urgent urgent ");
}

}  // namespace
}  // namespace xsd::plugin
