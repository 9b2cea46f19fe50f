// SPDX-License-Identifier: Apache-2.0
//
// Against the machine that the tests run on: only what every machine has.
#include "xsd/config/name_service.h"

#include "config_test.h"

namespace xsd::config {
namespace {

TEST(NameService, knows_root) {
  const auto names = make_system_name_service();
  names->refresh();
  for (int i = 0; i < 2; ++i) {  // the second answer is remembered
    const auto by_name = names->user("root");
    ASSERT_TRUE(by_name);
    EXPECT_EQ(by_name->uid, 0U);
    const auto by_number = names->user(uid_t{0});
    ASSERT_TRUE(by_number);
    EXPECT_EQ(by_number->name, "root");
  }
  EXPECT_EQ(names->group("root"), gid_t{0});
  EXPECT_THAT(names->groups_of({"root", 0, 0}), testing::Contains(0U));
}

TEST(NameService, says_when_there_is_none) {
  const auto names = make_system_name_service();
  EXPECT_FALSE(names->user("no-such-user-xsd"));
  EXPECT_FALSE(names->user(uid_t{3'999'999'999U}));
  EXPECT_FALSE(names->group("no-such-group-xsd"));
  EXPECT_FALSE(names->port("no-such-port-xsd", "tcp"));
  EXPECT_FALSE(names->has_interface("noneXSD"));
}

TEST(NameService, knows_the_loopback) {
  const auto names = make_system_name_service();
  EXPECT_TRUE(names->has_interface("lo"));
  const auto addresses = names->addresses("localhost");
  ASSERT_FALSE(addresses.empty());
  for (const auto& address : addresses)
    EXPECT_TRUE(address.is_loopback());
  EXPECT_EQ(names->own_uid(), ::geteuid());
  EXPECT_EQ(names->own_gid(), ::getegid());
}

TEST(NameService, knows_ports_by_protocol) {
  const auto names = make_system_name_service();
  if (!names->port("telnet", "tcp")) GTEST_SKIP() << "no services database here";
  EXPECT_EQ(names->port("telnet", "tcp"), 23);
  EXPECT_EQ(names->port("tftp", "udp"), 69);
}

}  // namespace
}  // namespace xsd::config
