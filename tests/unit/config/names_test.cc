// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/names.h"

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using Kind = NameQuestion::Kind;

TEST(NameAnswers, asks_each_question_once_and_hosts_last) {
  NameAnswers answers;
  for (int i = 0; i < 3; ++i) {
    answers.add({Kind::Host, "a.example"});
    answers.add({Kind::UdpPort, "tftp"});
    answers.add({Kind::User, "nobody"});
    answers.add({Kind::TcpPort, "tftp"});
    answers.add({Kind::Group, "nobody"});
    answers.add({Kind::UserAndGroups, "nobody"});
  }
  answers.sort();
  EXPECT_THAT(answers.questions(),
              ElementsAre(NameQuestion{Kind::User, "nobody"}, NameQuestion{Kind::UserAndGroups, "nobody"},
                          NameQuestion{Kind::Group, "nobody"}, NameQuestion{Kind::TcpPort, "tftp"},
                          NameQuestion{Kind::UdpPort, "tftp"}, NameQuestion{Kind::Host, "a.example"}));
}

TEST(NameAnswers, finds_the_answer_of_its_question) {
  NameAnswers answers;
  answers.add({Kind::Host, "twice.example"});
  answers.add({Kind::User, "games"});
  answers.add({Kind::User, "nobdy"});
  answers.sort();
  FakeNames names;
  ask_all(names, answers);
  EXPECT_EQ(answers.find({Kind::User, "games"}).user.uid, 5U);
  EXPECT_EQ(answers.find({Kind::User, "nobdy"}).state, NameAnswer::State::NotFound);
  EXPECT_EQ(answers.find({Kind::Host, "twice.example"}).addresses.size(), 2U);
  EXPECT_EQ(answers.find({Kind::Group, "games"}).state, NameAnswer::State::Unknown);
}

TEST(NameAnswers, tells_no_from_nobody_could_say) {
  NameAnswers answers;
  answers.add({Kind::User, "a"});
  answers.add({Kind::User, "b"});
  answers.add({Kind::User, "c"});
  answers.set(0, NameAnswer::not_found());
  answers.set(1, NameAnswer::unknown("no answer from a name server"));
  answers.give_up("no answer within 5s");
  EXPECT_EQ(answers.find({Kind::User, "a"}).remark(), "");
  EXPECT_EQ(answers.find({Kind::User, "b"}).remark(), " (no answer from a name server)");
  EXPECT_EQ(answers.find({Kind::User, "c"}).remark(), " (no answer within 5s)");
}

TEST(AccountNumber, is_decimal_and_an_id) {
  EXPECT_EQ(account_number("0"), 0U);
  EXPECT_EQ(account_number("65534"), 65534U);
  for (const char* const text : {"", "-1", "007", "nobody", "4294967295", "99999999999"})
    EXPECT_EQ(account_number(text), std::nullopt) << text;
}

}  // namespace
}  // namespace xsd::config
