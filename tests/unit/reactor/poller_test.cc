// SPDX-License-Identifier: Apache-2.0
//
// The contract of Poller, over each of the three.
#include "xsd/reactor/poller.h"

#include <cerrno>
#include <csignal>

#include <sys/time.h>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

TEST(PollerName, is_read_back) {
  for (const PollerKind kind : {PollerKind::Epoll, PollerKind::Poll, PollerKind::Select}) {
    EXPECT_EQ(parse_poller(poller_name(kind)), kind);
  }
  EXPECT_FALSE(parse_poller("kqueue"));
  EXPECT_FALSE(parse_poller(""));
  EXPECT_FALSE(parse_poller("EPOLL"));
}

class EachPoller : public testing::TestWithParam<PollerKind> {
 protected:
  EachPoller() : poller(std::move(Poller::create(GetParam()).value())) {}

  void add(const UniqueFd& fd, Events interest, std::uint64_t token) {
    const Status added = poller->add(fd.get(), interest, token);
    EXPECT_TRUE(added) << added.error().text();
  }
  /// What is reported for `token` now.
  Events ready(std::uint64_t token) {
    Events events = kNone;
    for (const ReadyEntry& entry : poller->wait(Duration::zero())) {
      if (entry.token == token) events |= entry.events;
    }
    return events;
  }
  int error_of_add(int fd) {
    const Status added = poller->add(fd, kReadable, 1);
    return added ? 0 : added.error().number();
  }

  std::unique_ptr<Poller> poller;
};

INSTANTIATE_TEST_SUITE_P(On, EachPoller, each_poller(), kind_name);

TEST_P(EachPoller, says_its_kind) {
  EXPECT_EQ(poller->kind(), GetParam());
}

TEST_P(EachPoller, reports_what_is_ready_with_its_token_as_long_as_it_is) {
  const FdPair pair = make_socketpair();
  const std::uint64_t token = 0xfedcba9876543210;
  add(pair.first, kReadable | kWritable, token);
  EXPECT_EQ(ready(token), kWritable);
  put(pair.second);
  EXPECT_EQ(ready(token), kReadable | kWritable);
  EXPECT_EQ(ready(token), kReadable | kWritable);
  EXPECT_EQ(take(pair.first), "x");
  EXPECT_EQ(ready(token), kWritable);
}

TEST_P(EachPoller, reports_only_what_was_asked_for) {
  const FdPair pair = make_socketpair();
  put(pair.second);
  add(pair.first, kWritable, 1);
  EXPECT_EQ(ready(1), kWritable);
  poller->modify(pair.first.get(), kReadable, 2);
  EXPECT_EQ(ready(1), kNone);
  EXPECT_EQ(ready(2), kReadable);
  poller->modify(pair.first.get(), kPriority, 2);
  EXPECT_EQ(ready(2), kNone);
}

TEST_P(EachPoller, reports_urgent_data_as_priority) {
  const FdPair pair = make_tcp_pair();
  add(pair.first, kPriority, 1);
  EXPECT_EQ(ready(1), kNone);
  ASSERT_EQ(send(pair.second.get(), "!", 1, MSG_OOB), 1);
  const auto entries = poller->wait(seconds(10));
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].events, kPriority);
  char urgent = 0;
  EXPECT_EQ(recv(pair.first.get(), &urgent, 1, MSG_OOB), 1);
  EXPECT_EQ(urgent, '!');
  EXPECT_EQ(ready(1), kNone);
}

TEST_P(EachPoller, reports_end_of_file_as_readable_and_not_as_hangup_while_one_direction_lives) {
  const FdPair pair = make_socketpair();
  add(pair.first, kReadable, 1);
  ASSERT_EQ(shutdown(pair.second.get(), SHUT_WR), 0);
  EXPECT_EQ(ready(1), kReadable);
}

TEST_P(EachPoller, reports_a_hangup_with_what_was_asked_for) {
  FdPair pair = make_socketpair();
  add(pair.first, kReadable, 1);
  pair.second.reset();
  EXPECT_EQ(ready(1), kReadable | kHangup);
  poller->modify(pair.first.get(), kWritable, 1);
  EXPECT_EQ(ready(1), kWritable | kHangup);
  poller->modify(pair.first.get(), kReadable | kWritable, 1);
  EXPECT_EQ(ready(1), kReadable | kWritable | kHangup);
}

TEST_P(EachPoller, reports_the_closed_ends_of_pipes_as_hangup) {
  FdPair read_side = make_pipe();
  add(read_side.first, kReadable, 1);
  read_side.second.reset();
  EXPECT_EQ(ready(1), kReadable | kHangup);
  FdPair write_side = make_pipe();
  add(write_side.second, kWritable, 2);
  EXPECT_EQ(ready(2), kWritable);
  write_side.first.reset();
  EXPECT_EQ(ready(2), kWritable | kHangup);
}

TEST_P(EachPoller, is_silent_for_no_interest_even_when_the_peer_hangs_up) {
  FdPair pair = make_socketpair();
  add(pair.first, kReadable, 1);
  poller->modify(pair.first.get(), kNone, 1);
  put(pair.second);
  EXPECT_TRUE(poller->wait(Duration::zero()).empty());
  pair.second.reset();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(poller->wait(Duration::zero()).empty());
  }
  // Not a wait that ends early each time: the first may, to swallow the report, the second may not.
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(poller->wait(milliseconds(20)).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
  poller->modify(pair.first.get(), kReadable, 1);
  EXPECT_EQ(ready(1), kReadable | kHangup);
}

TEST_P(EachPoller, is_silent_for_an_entry_that_was_added_without_interest) {
  FdPair pair = make_socketpair();
  add(pair.first, kNone, 1);
  pair.second.reset();
  EXPECT_TRUE(poller->wait(Duration::zero()).empty());
  EXPECT_TRUE(poller->wait(Duration::zero()).empty());
  poller->modify(pair.first.get(), kReadable, 1);
  EXPECT_EQ(ready(1), kReadable | kHangup);
}

TEST_P(EachPoller, forgets_what_is_removed_and_takes_it_again) {
  const FdPair pair = make_socketpair();
  put(pair.second);
  add(pair.first, kReadable, 1);
  poller->remove(pair.first.get());
  EXPECT_TRUE(poller->wait(Duration::zero()).empty());
  add(pair.first, kReadable, 2);
  EXPECT_EQ(ready(2), kReadable);
}

TEST_P(EachPoller, refuses_what_it_cannot_wait_for) {
  const FdPair pair = make_socketpair();
  add(pair.first, kReadable, 1);
  EXPECT_EQ(error_of_add(pair.first.get()), EEXIST);
  EXPECT_EQ(error_of_add(-1), EBADF);
  const int closed = dup(pair.first.get());
  ASSERT_EQ(close(closed), 0);
  EXPECT_EQ(error_of_add(closed), EBADF);
  const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(error_of_add(file.get()), EPERM);
  const UniqueFd folder(open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(error_of_add(folder.get()), EPERM);
  // Nothing of the refused is left behind.
  put(pair.second);
  EXPECT_EQ(ready(1), kReadable);
}

TEST_P(EachPoller, waits_no_less_than_asked_with_a_precision_below_a_millisecond) {
  for (const Duration longest : {Duration(microseconds(300)), Duration(microseconds(1700))}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(poller->wait(longest).empty());
    EXPECT_GE(std::chrono::steady_clock::now() - start, longest);
  }
  EXPECT_TRUE(poller->wait(seconds(-1)).empty());
}

TEST_P(EachPoller, has_nothing_ready_when_a_signal_interrupts) {
  struct sigaction action {};
  struct sigaction old {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGALRM, &action, &old), 0);
  const FdPair pair = make_socketpair();
  add(pair.first, kReadable, 1);
  const itimerval soon{{0, 0}, {0, 20'000}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &soon, nullptr), 0);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(poller->wait(std::nullopt).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
  sigaction(SIGALRM, &old, nullptr);
}

TEST_P(EachPoller, finds_the_ready_ones_among_many) {
  if (!allow_descriptors(1000)) GTEST_SKIP() << "needs 1000 descriptors";
  std::vector<FdPair> pairs(300);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = make_socketpair();
    add(pairs[i].first, kReadable, i);
  }
  // Every third leaves again, so that the rest is not where it was.
  for (std::size_t i = 0; i < pairs.size(); i += 3)
    poller->remove(pairs[i].first.get());
  for (std::size_t i = 0; i < pairs.size(); i += 2)
    put(pairs[i].second);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(ready(i), i % 2 == 0 && i % 3 != 0 ? kReadable : kNone) << i;
  }
}

}  // namespace
}  // namespace xsd::reactor
