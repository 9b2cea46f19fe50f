// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

TEST(SelectPoller, refuses_numbers_from_1024_on) {
  if (!allow_descriptors(1100)) GTEST_SKIP() << "needs 1100 descriptors";
  const SystemClock clock;
  auto loop = std::move(EventLoop::create(PollerKind::Select, clock).value());
  const FdPair pair = make_socketpair();
  const UniqueFd high(fcntl(pair.first.get(), F_DUPFD_CLOEXEC, 1024));
  ASSERT_TRUE(high);
  EXPECT_FALSE(loop->can_watch(high.get()));
  EXPECT_TRUE(loop->can_watch(1023));
  EXPECT_FALSE(loop->can_watch(-1));
  const auto refused = loop->watch(high.get(), kReadable, [](Events) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().number(), EINVAL);
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST(SelectPoller, watches_number_1023) {
  if (!allow_descriptors(1100)) GTEST_SKIP() << "needs 1100 descriptors";
  auto poller = std::move(Poller::create(PollerKind::Select).value());
  const FdPair pair = make_socketpair();
  const UniqueFd highest(fcntl(pair.first.get(), F_DUPFD_CLOEXEC, 1023));
  if (highest.get() != 1023) GTEST_SKIP() << "number 1023 is taken";
  ASSERT_TRUE(poller->add(1023, kReadable, 5));
  put(pair.second);
  const auto entries = poller->wait(Duration::zero());
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].token, 5U);
  EXPECT_EQ(entries[0].events, kReadable);
}

}  // namespace
}  // namespace xsd::reactor
