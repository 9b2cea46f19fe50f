// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xsd::inquirer {
namespace {

using testing::SizeIs;

TEST(Question, reads_back_what_was_written) {
  const Question question{Question::Kind::Libwrap, *net::SocketAddress::parse("192.0.2.7", 40122),
                          *net::SocketAddress::parse("198.51.100.1", 23), "in.telnetd"};
  const auto read = decode_question(encode(7, question));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 7U);
  EXPECT_EQ(read->question.kind, question.kind);
  EXPECT_EQ(read->question.peer, question.peer);
  EXPECT_EQ(read->question.local, question.local);
  EXPECT_EQ(read->question.daemon, question.daemon);
}

TEST(Question, may_lack_the_addresses) {
  const auto read = decode_question(
      encode(1, Question{Question::Kind::Names, *net::SocketAddress::parse("2001:db8::1", 1)}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->question.local, net::SocketAddress());
  const auto without = decode_question(encode(1, Question{Question::Kind::Names, net::SocketAddress()}));
  ASSERT_TRUE(without);
  EXPECT_EQ(without->question.peer, net::SocketAddress());
}

TEST(Question, is_none_when_a_byte_is_missing_or_too_many) {
  const std::string whole =
      encode(1, Question{Question::Kind::Ident, *net::SocketAddress::parse("192.0.2.7", 1),
                         *net::SocketAddress::parse("192.0.2.8", 2)});
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_question(whole.substr(0, size))) << size;
  EXPECT_FALSE(decode_question(whole + "x"));
}

TEST(Answer, reads_back_what_was_written) {
  const Answer answer{Answer::State::Yes, {"a.example", "b.example"}};
  const auto read = decode_answer(encode(3, answer));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 3U);
  EXPECT_EQ(read->answer, answer);
}

TEST(Answer, is_cut_to_its_bounds) {
  const auto read = decode_answer(
      encode(3, Answer{Answer::State::Yes, std::vector<std::string>(50, std::string(5000, 'x'))}));
  ASSERT_TRUE(read);
  ASSERT_THAT(read->answer.texts, SizeIs(kMostTexts));
  EXPECT_THAT(read->answer.texts.front(), SizeIs(kLongestText));
}

TEST(Answer, is_none_when_a_byte_is_missing_or_too_many) {
  const std::string whole = encode(1, Answer{Answer::State::Yes, {"a.example"}});
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_answer(whole.substr(0, size))) << size;
  EXPECT_FALSE(decode_answer(whole + "x"));
}

}  // namespace
}  // namespace xsd::inquirer
