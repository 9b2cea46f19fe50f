// SPDX-License-Identifier: Apache-2.0
//
// Against the machine that the tests run on: only what every machine has.
#include "xsd/config/name_service.h"

#include "config_test.h"

namespace xsd::config {
namespace {

using Kind = NameQuestion::Kind;

bool knows(NameService& names, Kind kind, const std::string& text) {
  const NameAnswer answer = names.ask({kind, text});
  EXPECT_NE(answer.state, NameAnswer::State::Unknown) << answer.why;
  return answer.found();
}

TEST(NameService, knows_root) {
  const auto names = make_system_name_service();
  names->refresh();
  const NameAnswer by_name = names->ask({Kind::User, "root"});
  ASSERT_TRUE(by_name.found());
  EXPECT_EQ(by_name.user, (UserEntry{"root", 0, 0}));
  EXPECT_THAT(by_name.groups, testing::IsEmpty());
  const NameAnswer by_number = names->ask({Kind::UserAndGroups, "0"});
  ASSERT_TRUE(by_number.found());
  EXPECT_EQ(by_number.user, by_name.user);
  EXPECT_THAT(by_number.groups, testing::Not(testing::Contains(~gid_t{0})));
  const NameAnswer group = names->ask({Kind::Group, "root"});
  ASSERT_TRUE(group.found());
  EXPECT_EQ(group.gid, 0U);
}

TEST(NameService, says_when_there_is_none) {
  const auto names = make_system_name_service();
  EXPECT_FALSE(knows(*names, Kind::User, "no-such-user-xsd"));
  EXPECT_FALSE(knows(*names, Kind::UserAndGroups, "no-such-user-xsd"));
  EXPECT_FALSE(knows(*names, Kind::User, "3999999999"));
  EXPECT_FALSE(knows(*names, Kind::Group, "no-such-group-xsd"));
  EXPECT_FALSE(knows(*names, Kind::TcpPort, "no-such-port-xsd"));
  EXPECT_FALSE(names->has_interface("noneXSD"));
}

TEST(NameService, knows_the_loopback) {
  for (const HostPatience patience : {HostPatience::Short, HostPatience::Long}) {
    const auto names = make_system_name_service(patience);
    EXPECT_TRUE(names->has_interface("lo"));
    const NameAnswer answer = names->ask({Kind::Host, "localhost"});
    ASSERT_TRUE(answer.found());
    ASSERT_FALSE(answer.addresses.empty());
    for (const auto& address : answer.addresses)
      EXPECT_TRUE(address.is_loopback());
    EXPECT_EQ(names->own_uid(), ::geteuid());
    EXPECT_EQ(names->own_gid(), ::getegid());
  }
}

TEST(NameService, knows_ports_by_protocol) {
  const auto names = make_system_name_service();
  if (!knows(*names, Kind::TcpPort, "telnet")) GTEST_SKIP() << "no services database here";
  EXPECT_EQ(names->ask({Kind::TcpPort, "telnet"}).port, 23);
  EXPECT_EQ(names->ask({Kind::UdpPort, "tftp"}).port, 69);
}

TEST(LearnedNames, says_what_was_learned_and_asks_nobody) {
  NameAnswers answers;
  answers.add({Kind::User, "games"});
  answers.add({Kind::Host, "slow.example"});
  answers.sort();
  answers.set(0, FakeNames().ask({Kind::User, "games"}));
  answers.give_up("no answer within 5s");
  FakeNames machine;
  LearnedNames names(answers, machine);
  EXPECT_EQ(names.ask({Kind::User, "games"}).user.uid, 5U);
  EXPECT_EQ(names.ask({Kind::Host, "slow.example"}).remark(), " (no answer within 5s)");
  EXPECT_EQ(names.ask({Kind::User, "nobody"}).state, NameAnswer::State::Unknown);
  EXPECT_EQ(names.own_uid(), 1000U);
  EXPECT_TRUE(names.has_interface("lo"));
  EXPECT_THAT(machine.asked, testing::IsEmpty());
}

}  // namespace
}  // namespace xsd::config
