// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/sender_names.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xsd::service {
namespace {

using policy::NameCache;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::SizeIs;

class SenderNamesTest : public testing::Test {
 protected:
  static net::SocketAddress sender(std::size_t number) {
    return *net::SocketAddress::parse(
        "10.0." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250), 40000);
  }

  std::vector<std::string> asked_;
  SenderNames names_{{1, 2}, [this](const net::SocketAddress& peer) {
                       asked_.push_back(peer.host());
                       return inquirer::Asked();
                     }};
  MonotonicTime now_{std::chrono::hours(1)};
};

TEST_F(SenderNamesTest, are_asked_for_once_and_known_when_there_is_an_answer) {
  EXPECT_EQ(names_.find(sender(0), now_), nullptr);
  EXPECT_EQ(names_.find(sender(0), now_), nullptr);
  EXPECT_THAT(asked_, ElementsAre("10.0.0.1"));
  names_.learn(sender(0), {true, {"a.example"}}, now_);
  ASSERT_NE(names_.find(sender(0), now_), nullptr);
  EXPECT_THAT(names_.find(sender(0), now_)->names, ElementsAre("a.example"));
  EXPECT_THAT(asked_, SizeIs(1));
}

TEST_F(SenderNamesTest, of_one_who_goes_on_are_asked_for_before_they_are_forgotten) {
  (void)names_.find(sender(0), now_);
  names_.learn(sender(0), {true, {"a.example"}}, now_);
  now_ += NameCache::kNamesLast / 2 - seconds(1);
  ASSERT_NE(names_.find(sender(0), now_), nullptr);
  EXPECT_THAT(asked_, SizeIs(1));
  now_ += seconds(2);
  ASSERT_NE(names_.find(sender(0), now_), nullptr);
  EXPECT_THAT(asked_, SizeIs(2));
  names_.learn(sender(0), {true, {"b.example"}}, now_);
  now_ += NameCache::kNamesLast - seconds(1);
  ASSERT_NE(names_.find(sender(0), now_), nullptr);
  EXPECT_THAT(names_.find(sender(0), now_)->names, ElementsAre("b.example"));
}

TEST_F(SenderNamesTest, that_hold_are_kept_where_it_cannot_be_found_out_any_more) {
  names_.learn(sender(0), {true, {"a.example"}}, now_);
  names_.learn(sender(0), {false, {}}, now_ + seconds(40));
  ASSERT_NE(names_.find(sender(0), now_ + seconds(50)), nullptr);
  EXPECT_THAT(names_.find(sender(0), now_ + seconds(50))->names, ElementsAre("a.example"));
  EXPECT_EQ(names_.find(sender(0), now_ + NameCache::kNamesLast), nullptr);
}

TEST_F(SenderNamesTest, that_hold_are_not_asked_for_at_once_again_by_one_who_goes_on) {
  names_.learn(sender(0), {true, {"a.example"}}, now_);
  now_ += seconds(40);
  (void)names_.find(sender(0), now_);
  EXPECT_THAT(asked_, SizeIs(1));
  names_.learn(sender(0), {false, {}}, now_);
  for (int i = 0; i < 100; ++i)
    (void)names_.find(sender(0), now_ + NameCache::kUnknownLasts - seconds(1));
  EXPECT_THAT(asked_, SizeIs(1));
  (void)names_.find(sender(0), now_ + NameCache::kUnknownLasts);
  EXPECT_THAT(asked_, SizeIs(2));
}

TEST_F(SenderNamesTest, that_are_missing_are_not_asked_for_again_before_they_are_forgotten) {
  names_.learn(sender(0), {true, {}}, now_);
  names_.learn(sender(1), {false, {}}, now_);
  EXPECT_NE(names_.find(sender(0), now_ + NameCache::kNoneLasts - seconds(1)), nullptr);
  EXPECT_NE(names_.find(sender(1), now_ + NameCache::kUnknownLasts - seconds(1)), nullptr);
  EXPECT_THAT(asked_, SizeIs(0));
}

TEST_F(SenderNamesTest, are_asked_for_so_many_at_a_time) {
  for (std::size_t i = 0; i < 2 * SenderNames::kMostAsked; ++i)
    EXPECT_EQ(names_.find(sender(i), now_), nullptr);
  EXPECT_THAT(asked_, SizeIs(SenderNames::kMostAsked));
  names_.learn(sender(3), {true, {}}, now_);
  EXPECT_EQ(names_.find(sender(400), now_), nullptr);
  EXPECT_EQ(names_.find(sender(401), now_), nullptr);
  EXPECT_THAT(asked_, SizeIs(SenderNames::kMostAsked + 1));
  EXPECT_EQ(asked_.back(), sender(400).host());
}

TEST_F(SenderNamesTest, are_asked_for_so_many_a_second) {
  for (std::size_t i = 0; i < 200; ++i) {
    (void)names_.find(sender(i), now_);
    names_.learn(sender(i), {true, {}}, now_);
  }
  EXPECT_THAT(asked_, SizeIs(SenderNames::kPace.burst));
  for (std::size_t i = 200; i < 500; ++i) {
    (void)names_.find(sender(i), now_ + seconds(1));
    names_.learn(sender(i), {true, {}}, now_ + seconds(1));
  }
  EXPECT_THAT(asked_, SizeIs(SenderNames::kPace.burst + SenderNames::kPace.rate.count));
}

TEST_F(SenderNamesTest, are_for_addresses_only) {
  const auto peer = *net::SocketAddress::unix_path("/run/x");
  EXPECT_EQ(names_.find(peer, now_), nullptr);
  names_.learn(peer, {true, {"a.example"}}, now_);
  EXPECT_EQ(names_.find(peer, now_), nullptr);
  EXPECT_THAT(asked_, SizeIs(0));
}

}  // namespace
}  // namespace xsd::service
