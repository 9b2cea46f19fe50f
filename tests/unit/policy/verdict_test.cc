// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/verdict.h"

#include <gtest/gtest.h>

#include <set>

namespace xsd::policy {
namespace {

TEST(Decide, admits_below_the_limits) {
  EXPECT_FALSE(
      decide({.active = 1, .instances = {2}, .processes = 9, .max_processes = {10}, .starts_process = true}));
  EXPECT_FALSE(decide(
      {.active = 1'000'000, .instances = {}, .processes = 0, .max_processes = {}, .starts_process = true}));
}

TEST(Decide, refuses_at_the_limits) {
  EXPECT_EQ(decide({.active = 2, .instances = {2}, .processes = 0, .max_processes = {}}), Reason::Instances);
  EXPECT_EQ(decide({.active = 0, .instances = {0}, .processes = 0, .max_processes = {}}), Reason::Instances);
  EXPECT_EQ(
      decide({.active = 0, .instances = {}, .processes = 10, .max_processes = {10}, .starts_process = true}),
      Reason::Processes);
}

TEST(Decide, does_not_count_plugins_as_processes) {
  EXPECT_FALSE(decide(
      {.active = 0, .instances = {}, .processes = 10, .max_processes = {10}, .starts_process = false}));
}

TEST(ReasonWord, is_different_for_each_reason) {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < kReasonCount; ++i)
    words.insert(reason_word(static_cast<Reason>(i)));
  EXPECT_EQ(words.size(), kReasonCount);
  EXPECT_EQ(reason_word(Reason::Instances), "instances");
  EXPECT_EQ(reason_word(Reason::Resources), "resources");
}

}  // namespace
}  // namespace xsd::policy
