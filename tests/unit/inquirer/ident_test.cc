// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/ident.h"

#include <gtest/gtest.h>

namespace xsd::inquirer {
namespace {

using State = Answer::State;

Answer read(std::string_view reply) {
  return read_ident_reply(reply, 40122, 23);
}

TEST(IdentReply, names_the_user) {
  EXPECT_EQ(read("40122, 23 : USERID : UNIX : stjohns"), (Answer{State::Yes, {"stjohns"}}));
  EXPECT_EQ(read("40122,23:userid:UNIX,US-ASCII:root"), (Answer{State::Yes, {"root"}}));
  EXPECT_EQ(read(" 40122 , 23 : USERID : OTHER : a b:c "), (Answer{State::Yes, {"a b:c"}}));
}

TEST(IdentReply, may_say_that_there_is_none) {
  EXPECT_EQ(read("40122, 23 : ERROR : NO-USER").state, State::No);
  EXPECT_EQ(read("40122, 23 : ERROR : HIDDEN-USER").state, State::No);
}

TEST(IdentReply, counts_only_about_this_connection) {
  EXPECT_EQ(read("40121, 23 : USERID : UNIX : root").state, State::Unknown);
  EXPECT_EQ(read("40122, 24 : USERID : UNIX : root").state, State::Unknown);
  EXPECT_EQ(read("23, 40122 : USERID : UNIX : root").state, State::Unknown);
  EXPECT_EQ(read("40122 : USERID : UNIX : root").state, State::Unknown);
}

TEST(IdentReply, must_make_sense) {
  for (const char* const reply :
       {"", ":", "40122, 23", "40122, 23 :", "40122, 23 : USERID", "40122, 23 : USERID : UNIX",
        "40122, 23 : USERID : UNIX :", "40122, 23 : USERID : UNIX :  ", "40122, 23 : WHAT : UNIX : root",
        "x, y : USERID : UNIX : root"}) {
    EXPECT_EQ(read(reply).state, State::Unknown) << reply;
  }
}

TEST(IdentReply, is_cut_to_its_bounds) {
  const Answer answer = read("40122, 23 : USERID : UNIX : " + std::string(5000, 'x'));
  ASSERT_EQ(answer.state, State::Yes);
  EXPECT_EQ(answer.texts.front(), std::string(kLongestText, 'x'));
}

}  // namespace
}  // namespace xsd::inquirer
