// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/daemon_names.h"

#include <gtest/gtest.h>

#include "tests/unit/config/config_test.h"

namespace xsd::config {
namespace {

using Target = LogSettings::Target;

class DaemonNamesTest : public testing::Test {
 protected:
  std::vector<DaemonNames::Fault> resolve(DaemonSettings& settings) {
    std::vector<DaemonNames::Fault> faults;
    names_.resolve(settings, service_, faults);
    return faults;
  }
  std::size_t questions(const DaemonSettings& settings) const {
    NameAnswers answers;
    names_.add_questions(settings, answers);
    return answers.questions().size();
  }
  static DaemonSettings user(const std::string& name) {
    DaemonSettings settings;
    settings.user = name;
    return settings;
  }
  static DaemonSettings udp(const std::string& host) {
    DaemonSettings settings = user("games");
    settings.log.target = Target::Udp;
    settings.log.host = host;
    settings.log.port = 514;
    return settings;
  }

  FakeNames service_;
  DaemonNames names_{true, false};
};

TEST_F(DaemonNamesTest, takes_nobody_for_want_of_a_user_of_its_own) {
  DaemonSettings settings;
  EXPECT_EQ(questions(settings), 2U);
  EXPECT_TRUE(resolve(settings).empty());
  EXPECT_EQ(settings.role_user, (RoleUser{65534, 65534}));
  EXPECT_TRUE(settings.role_user_is_nobody);
}

TEST_F(DaemonNamesTest, decides_about_the_default_once) {
  service_.users.push_back({"xsd", 300, 301});
  DaemonSettings settings;
  (void)resolve(settings);
  EXPECT_EQ(settings.role_user, (RoleUser{300, 301}));
  EXPECT_FALSE(settings.role_user_is_nobody);
  service_.users.pop_back();
  DaemonSettings again;
  EXPECT_EQ(questions(again), 0U) << "a reload would start a helper for it";
  (void)resolve(again);
  EXPECT_EQ(again.role_user, (RoleUser{300, 301}));
}

TEST_F(DaemonNamesTest, may_find_nobody_at_all) {
  service_.users.clear();
  DaemonSettings settings;
  EXPECT_TRUE(resolve(settings).empty());
  EXPECT_FALSE(settings.role_user);
}

TEST_F(DaemonNamesTest, takes_the_user_that_is_named) {
  DaemonSettings settings = user("games");
  EXPECT_EQ(questions(settings), 1U);
  EXPECT_TRUE(resolve(settings).empty());
  EXPECT_EQ(settings.role_user, (RoleUser{5, 60}));
}

TEST_F(DaemonNamesTest, refuses_root_and_who_is_not_there) {
  DaemonSettings root = user("root");
  auto faults = resolve(root);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(faults[0].rejects);
  EXPECT_FALSE(root.role_user);
  DaemonSettings stranger = user("stranger");
  faults = resolve(stranger);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(faults[0].rejects);
  EXPECT_EQ(faults[0].message, "user 'stranger' not found");
}

TEST_F(DaemonNamesTest, an_ordinary_user_is_who_he_is) {
  names_ = DaemonNames(false, false);
  DaemonSettings settings;
  EXPECT_EQ(questions(settings), 0U);
  EXPECT_TRUE(resolve(settings).empty());
  EXPECT_FALSE(settings.role_user);
  DaemonSettings named = user("games");
  EXPECT_TRUE(resolve(named).empty());
  EXPECT_FALSE(named.role_user);
}

TEST_F(DaemonNamesTest, knows_a_literal_log_host_without_asking) {
  for (const char* const host : {"192.0.2.7", "2001:db8::1"}) {
    DaemonSettings settings = udp(host);
    EXPECT_EQ(questions(settings), 1U) << "the user";
    EXPECT_TRUE(resolve(settings).empty());
    EXPECT_EQ(settings.log.address, *net::SocketAddress::parse(host, 514));
  }
}

TEST_F(DaemonNamesTest, keeps_the_last_address_of_a_log_host) {
  service_.hosts["logs.example"] = {"192.0.2.9"};
  DaemonSettings settings = udp("logs.example");
  EXPECT_EQ(questions(settings), 2U);
  EXPECT_TRUE(resolve(settings).empty());
  EXPECT_EQ(settings.log.address, *net::SocketAddress::parse("192.0.2.9", 514));
  service_.hosts.clear();
  DaemonSettings again = udp("logs.example");
  auto faults = resolve(again);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_FALSE(faults[0].rejects);
  EXPECT_EQ(faults[0].message, "host 'logs.example' not found; its last address is used");
  EXPECT_EQ(again.log.address, settings.log.address);
  DaemonSettings other = udp("other.example");
  faults = resolve(other);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_FALSE(faults[0].rejects);
  EXPECT_FALSE(other.log.address.is_ip());
}

}  // namespace
}  // namespace xsd::config
