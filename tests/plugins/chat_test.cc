// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "loaded_plugin_test.h"

namespace xsd::plugin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class ChatTest : public LoadedPluginTest {
 protected:
  /// What one user sees of what another one sends.
  std::string heard(std::string_view bytes, std::size_t length) {
    if (!service) start_loaded("chat", {{"announce", "no"}});
    const UniqueFd writer = client();
    const UniqueFd reader = client();
    send_all(writer, bytes);
    std::string got = receive(reader, length);
    settle();
    read_some(reader, got);
    return got;
  }
};

TEST_F(ChatTest, sends_a_line_to_everyone_else) {
  start_loaded("chat", {{"announce", "no"}});
  const UniqueFd a = client();
  const UniqueFd b = client();
  auto [c, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(a, "hel");
  settle();
  send_all(a, "lo\nworld\nnot yet");
  EXPECT_EQ(receive(b, 12), "hello\nworld\n");
  EXPECT_EQ(receive(c, 12), "hello\nworld\n");
  send_all(c, "hi\n");
  EXPECT_EQ(receive(a, 3), "hi\n");
  EXPECT_EQ(receive(b, 3), "hi\n");
  EXPECT_EQ(counter("lines"), 3U);
  EXPECT_EQ(counter("users"), 3U);
}

TEST_F(ChatTest, sends_the_last_line_of_one_who_ends) {
  start_loaded("chat", {{"announce", "no"}});
  UniqueFd a = client();
  const UniqueFd b = client();
  send_all(a, "bye");
  end_sending(a);
  EXPECT_EQ(receive(b, 4), "bye\n");
  EXPECT_EQ(receive_all(a), "");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(counter("users"), 1U);
}

TEST_F(ChatTest, announces_who_joins_and_leaves) {
  start_loaded("chat", {{"greeting", "welcome"}});
  const UniqueFd a = client();
  EXPECT_EQ(receive(a, 8), "welcome\n");
  UniqueFd b = client();
  EXPECT_EQ(receive(b, 8), "welcome\n");
  EXPECT_EQ(receive(a, 31), "* 127.0.0.1 has joined, 2 here\n");
  b.reset();
  EXPECT_EQ(receive(a, 29), "* 127.0.0.1 has left, 1 here\n");
}

TEST_F(ChatTest, turns_away_whoever_is_too_many) {
  start_loaded("chat", {{"max_users", "2"}});
  UniqueFd a = client();
  const UniqueFd b = client();
  const UniqueFd late = client();
  send_all(late, "let me in\n");
  EXPECT_EQ(receive_all(late), "too many users\n");
  EXPECT_EQ(counter("users"), 2U);
  EXPECT_EQ(counter("lines"), 0U);
  a.reset();
  ASSERT_TRUE(turn_until([&] { return counter("users") == 1; }));
  const UniqueFd next = client();
  send_all(next, "now\n");
  EXPECT_THAT(receive(b, 29 + 31 + 4), EndsWith("joined, 2 here\nnow\n"));
}

TEST_F(ChatTest, makes_controls_harmless) {
  EXPECT_EQ(heard("a\x1b[2J\x07\x7f\tb\xC2\x9B"
                  "c\n",
                  12),
            "a?[2J??\tb??c\n");
  EXPECT_EQ(heard("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\n", 12),
            "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\n");
  EXPECT_EQ(heard("\xC0\xAF \xED\xA0\x80 \xE2\x82\n", 10), "?? ??? ??\n");
}

TEST_F(ChatTest, cuts_long_lines) {
  const std::string longest(1024, 'x');
  EXPECT_EQ(heard(longest + "\n" + longest + "yyy\nz\n", 2052), longest + "\n" + longest + "\nz\n");
}

TEST_F(ChatTest, knows_the_ends_of_lines_and_the_commands_of_telnet) {
  using namespace std::string_view_literals;
  EXPECT_EQ(heard("a\r\nb\r\0c\rd\n\n"sv, 9), "a\nb\nc\nd\n\n");
  EXPECT_EQ(heard("\xff\xfd\x01x\xff\xfa\x18\x01\xff\xff\n\xff\xf0y\xff\xf1z\n"sv, 4), "xyz\n");
  EXPECT_EQ(heard("a\xff\xff\n"sv, 3), "a?\n");
}

TEST_F(ChatTest, drops_a_slow_reader_and_nobody_else) {
  start_loaded("chat", {});
  const UniqueFd writer = client();
  auto [slow, accepted] = tcp_pair();
  set_buffers(slow, 4096);
  set_buffers(accepted, 4096);
  ASSERT_TRUE(open(std::move(accepted)));
  const UniqueFd reader = client();
  const std::string line = std::string(999, 'x') + "\n";
  std::string got;
  std::size_t sent = 0;
  while (ends.empty() && sent < 10000) {
    send_all(writer, line);
    ++sent;
    settle();
    read_some(reader, got);
  }
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_LE(ends[0].bytes_out, 200'000U);
  EXPECT_LT(sent, 1000U);
  EXPECT_EQ(counter("users"), 2U);
  send_all(writer, "end\n");
  ASSERT_TRUE(turn_until([&] {
    read_some(reader, got);
    return got.ends_with("end\n");
  }));
  EXPECT_THAT(got, HasSubstr("* 127.0.0.1 has been too slow, 2 here\n"));
  EXPECT_EQ(std::count(got.begin(), got.end(), '\n'), static_cast<std::ptrdiff_t>(sent) + 2);
}

TEST_F(ChatTest, ends_with_users_in_it) {
  start_loaded("chat", {});
  const UniqueFd a = client();
  const UniqueFd b = client();
  end_service();
  EXPECT_EQ(ends.size(), 2U);
  EXPECT_EQ(receive_all(b), "");
}

TEST_F(ChatTest, checks_its_settings) {
  EXPECT_EQ(problems("chat", {}), "");
  EXPECT_EQ(problems("chat", {{"max_users", "1"}}), "");
  EXPECT_EQ(problems("chat", {{"max_users", "0"}}), "max_users is a number from 1 to 100000\n");
  EXPECT_EQ(problems("chat", {{"max_users", "100001"}}), "max_users is a number from 1 to 100000\n");
}

}  // namespace
}  // namespace xsd::plugin
