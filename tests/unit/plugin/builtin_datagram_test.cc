// SPDX-License-Identifier: Apache-2.0
//
// echo, discard, daytime, time and chargen over datagrams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "datagram_peer.h"

namespace xsd::plugin {
namespace {

class BuiltinDatagram : public DatagramPluginTest {};

TEST_F(BuiltinDatagram, echo_returns_the_longest_datagram_whole) {
  start("echo");
  std::string text(65507, '\0');
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<char>(i * 31 % 251);
  for (const char* bound_to : {"127.0.0.1", "0.0.0.0"}) {
    bind_service(bound_to);
    const UniqueFd mine = peer("127.0.0.1");
    send_to(mine, "127.0.0.1", text);
    EXPECT_TRUE(receive_datagram(mine) == text) << bound_to;
  }
}

TEST_F(BuiltinDatagram, echo_answers_every_datagram_of_a_burst) {
  start("echo");
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  const int room = 1 << 20;
  (void)setsockopt(mine.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  (void)setsockopt(mine.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  // All of it waits at the service before the loop turns.
  for (int i = 0; i < 500; ++i)
    send_to(mine, "127.0.0.1", std::to_string(i));
  std::set<std::string> answers;
  for (int i = 0; i < 500; ++i)
    answers.insert(receive_datagram(mine));
  EXPECT_EQ(answers.size(), 500U);
  EXPECT_EQ(service->datagrams().answered, 500U);
  EXPECT_FALSE(has_datagram(mine));
}

TEST_F(BuiltinDatagram, echo_answers_an_empty_datagram) {
  start("echo");
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.1", "");
  EXPECT_EQ(receive_datagram(mine), "");
  EXPECT_EQ(service->datagrams().answered, 1U);
}

TEST_F(BuiltinDatagram, discard_reads_and_says_nothing) {
  start("discard");
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  for (int i = 0; i < 200; ++i)
    send_to(mine, "127.0.0.1", "hello");
  ASSERT_TRUE(received(200));
  EXPECT_EQ(service->datagrams().bytes_in, 1000U);
  EXPECT_EQ(service->datagrams().answered, 0U);
  EXPECT_FALSE(has_datagram(mine));
}

TEST_F(BuiltinDatagram, daytime_and_time_answer_whatever_is_asked) {
  const Zone zone("UTC0");
  for (const char* question : {"", "what time is it"}) {
    start("time");
    bind_service("127.0.0.1");
    const UniqueFd mine = peer("127.0.0.1");
    send_to(mine, "127.0.0.1", question);
    EXPECT_EQ(receive_datagram(mine), "\xee\xac\xbf\x97");
    start("daytime");
    send_to(mine, "127.0.0.1", question);
    EXPECT_EQ(receive_datagram(mine), "22 NOV 2026 01:10:47 UTC\r\n");
  }
}

TEST_F(BuiltinDatagram, chargen_answers_with_whole_lines_below_512_bytes) {
  start("chargen");
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  std::set<std::string> answers;
  for (int i = 0; i < 300; ++i) {
    send_to(mine, "127.0.0.1", i % 2 == 0 ? "" : "x");
    const std::string answer = receive_datagram(mine);
    ASSERT_LE(answer.size(), 512U);
    ASSERT_EQ(answer.size() % 74, 0U);
    for (std::size_t line = 0; line < answer.size(); line += 74) {
      ASSERT_EQ(answer.substr(line + 72, 2), "\r\n");
      for (std::size_t c = 1; c < 72; ++c) {
        ASSERT_EQ(answer[line + c] - ' ', (answer[line + c - 1] - ' ' + 1) % 95);
      }
    }
    answers.insert(answer);
  }
  EXPECT_EQ(answers.size(), 95U);
}

}  // namespace
}  // namespace xsd::plugin
