// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

TEST(EpollPoller, reports_all_over_a_few_waits_when_more_are_ready_than_fit_a_batch) {
  if (!allow_descriptors(2000)) GTEST_SKIP() << "needs 2000 descriptors";
  auto poller = std::move(Poller::create(PollerKind::Epoll).value());
  std::vector<FdPair> pairs(600);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = make_socketpair();
    ASSERT_TRUE(poller->add(pairs[i].first.get(), kWritable, i));
  }
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 4; ++i) {
    for (const ReadyEntry& entry : poller->wait(Duration::zero()))
      seen.insert(entry.token);
  }
  EXPECT_EQ(seen.size(), pairs.size());
}

TEST(EpollPoller, holds_any_number) {
  auto poller = std::move(Poller::create(PollerKind::Epoll).value());
  EXPECT_TRUE(poller->can_hold(0));
  EXPECT_TRUE(poller->can_hold(100'000));
  EXPECT_FALSE(poller->can_hold(-1));
}

}  // namespace
}  // namespace xsd::reactor
