// SPDX-License-Identifier: Apache-2.0
//
// Watches and deferred work, over each of the three pollers. Timers are in timer_test.cc.
#include "xsd/reactor/event_loop.h"

#include <array>
#include <cerrno>

#include <sys/wait.h>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

class EachLoop : public LoopTest {};

INSTANTIATE_TEST_SUITE_P(On, EachLoop, each_poller(), kind_name);

TEST_P(EachLoop, calls_the_handler_with_what_is_ready) {
  const FdPair pair = make_socketpair();
  Events seen = kNone;
  const Watch watched = watch(pair.first, kReadable | kWritable, [&](Events ready) { seen = ready; });
  EXPECT_EQ(loop->poller_kind(), GetParam());
  EXPECT_EQ(loop->watch_count(), 1U);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(seen, kWritable);
  put(pair.second);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(seen, kReadable | kWritable);
}

TEST_P(EachLoop, hands_out_priority_data) {
  const FdPair pair = make_tcp_pair();
  Events seen = kNone;
  char urgent = 0;
  const Watch watched = watch(pair.first, kReadable | kPriority, [&](Events ready) {
    seen |= ready;
    if ((ready & kPriority) != 0) {
      EXPECT_EQ(recv(pair.first.get(), &urgent, 1, MSG_OOB), 1);
    }
  });
  ASSERT_EQ(send(pair.second.get(), "!", 1, MSG_OOB), 1);
  EXPECT_TRUE(turn_until([&] { return urgent != 0; }));
  EXPECT_EQ(urgent, '!');
  EXPECT_NE(seen & kPriority, kNone);
}

TEST_P(EachLoop, is_silent_without_interest_and_speaks_again_with_it) {
  FdPair pair = make_socketpair();
  int calls = 0;
  Watch watched = watch(pair.first, kReadable, [&](Events) { ++calls; });
  watched.set_interest(kNone);
  EXPECT_TRUE(watched.active());
  put(pair.second);
  pair.second.reset();
  for (int i = 0; i < 3; ++i)
    turn();
  EXPECT_EQ(calls, 0);
  watched.set_interest(kReadable);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(calls, 1);
}

TEST_P(EachLoop, reports_a_hangup) {
  FdPair pair = make_socketpair();
  Events seen = kNone;
  const Watch watched = watch(pair.first, kReadable, [&](Events ready) { seen = ready; });
  pair.second.reset();
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(seen, kReadable | kHangup);
}

TEST_P(EachLoop, ends_a_registration_with_its_watch) {
  const FdPair pair = make_socketpair();
  put(pair.second);
  int calls = 0;
  {
    const Watch watched = watch(pair.first, kReadable, [&](Events) { ++calls; });
  }
  EXPECT_EQ(loop->watch_count(), 0U);
  EXPECT_EQ(turn(), 0U);
  Watch again = watch(pair.first, kReadable, [&](Events) { ++calls; });
  EXPECT_EQ(turn(), 1U);
  again.reset();
  again.reset();
  EXPECT_FALSE(again.active());
  again.set_interest(kReadable);
  EXPECT_EQ(turn(), 0U);
  EXPECT_EQ(calls, 1);
}

TEST_P(EachLoop, moves_a_registration_with_its_watch) {
  const FdPair pair = make_socketpair();
  const FdPair other = make_socketpair();
  put(pair.second);
  put(other.second);
  int calls = 0;
  int other_calls = 0;
  Watch first = watch(pair.first, kReadable, [&](Events) { ++calls; });
  Watch second(std::move(first));
  EXPECT_FALSE(first.active());  // NOLINT(bugprone-use-after-move)
  Watch third = watch(other.first, kReadable, [&](Events) { ++other_calls; });
  third = std::move(second);
  EXPECT_EQ(loop->watch_count(), 1U);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(other_calls, 0);
}

TEST_P(EachLoop, lets_a_handler_destroy_its_own_watch) {
  const FdPair pair = make_socketpair();
  put(pair.second);
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> alive = token;
  Watch watched;
  // More than std::function stores in place, so that a sanitizer sees a handler that was freed while it ran.
  std::array<long, 8> ballast{1, 2, 3, 4, 5, 6, 7, 8};
  long sum = 0;
  watched = watch(pair.first, kReadable, [&watched, &sum, ballast, token = std::move(token)](Events) {
    watched.reset();
    for (const long value : ballast)
      sum += value;
    *token = 1;
  });
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(sum, 36);
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(turn(), 0U);
}

TEST_P(EachLoop, lets_a_handler_replace_its_own_watch) {
  const FdPair pair = make_socketpair();
  put(pair.second);
  Watch watched;
  int second_calls = 0;
  watched = watch(pair.first, kReadable, [&](Events) {
    watched.reset();
    watched = watch(pair.first, kReadable, [&](Events) { ++second_calls; });
  });
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(second_calls, 0);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(second_calls, 1);
}

TEST_P(EachLoop, does_not_call_a_watch_that_an_earlier_handler_of_the_batch_destroyed) {
  const FdPair pairs[2] = {make_socketpair(), make_socketpair()};
  Watch watches[2];
  int calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    put(pairs[i].second);
    watches[i] = watch(pairs[i].first, kReadable, [&, i](Events) {
      ++calls;
      watches[1 - i].reset();
    });
  }
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(loop->watch_count(), 1U);
}

TEST_P(EachLoop, does_not_call_a_watch_that_an_earlier_handler_of_the_batch_silenced) {
  const FdPair pairs[2] = {make_socketpair(), make_socketpair()};
  Watch watches[2];
  int calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    put(pairs[i].second);
    watches[i] = watch(pairs[i].first, kReadable, [&, i](Events) {
      ++calls;
      watches[1 - i].set_interest(i == 0 ? kNone : kWritable);
    });
  }
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(calls, 1);
}

TEST_P(EachLoop, lets_a_handler_destroy_the_object_that_holds_it) {
  struct Owner {
    std::string name = "a name that is long enough to live on the heap";
    FdPair pair = make_socketpair();
    Watch watch;
  };
  auto owner = std::make_unique<Owner>();
  put(owner->pair.second);
  std::size_t length = 0;
  owner->watch = watch(owner->pair.first, kReadable, [&owner, &length](Events) {
    length = owner->name.size();
    owner.reset();
  });
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(owner, nullptr);
  EXPECT_GT(length, 0U);
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_P(EachLoop, frees_the_handlers_of_other_watches_only_after_the_batch) {
  const FdPair pairs[2] = {make_socketpair(), make_socketpair()};
  auto token = std::make_shared<int>(7);
  const std::weak_ptr<int> alive = token;
  Watch other = watch(pairs[1].first, kReadable, [token = std::move(token)](Events) {});
  int seen = 0;
  put(pairs[0].second);
  const Watch watched = watch(pairs[0].first, kReadable, [&](Events) {
    other.reset();
    if (const auto still = alive.lock()) seen = *still;
  });
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(seen, 7);
  EXPECT_TRUE(alive.expired());
}

TEST_P(EachLoop, frees_handlers_that_own_other_watches) {
  const FdPair pairs[3] = {make_socketpair(), make_socketpair(), make_socketpair()};
  // The first's handler owns the second watch, whose handler owns the third.
  auto third = std::make_shared<Watch>(watch(pairs[2].first, kReadable, [](Events) {}));
  auto second =
      std::make_shared<Watch>(watch(pairs[1].first, kReadable, [third = std::move(third)](Events) {}));
  Watch first;
  put(pairs[0].second);
  first = watch(pairs[0].first, kReadable, [&first, second = std::move(second)](Events) { first.reset(); });
  EXPECT_EQ(loop->watch_count(), 3U);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_P(EachLoop, does_not_take_a_reused_number_for_the_old_descriptor_within_a_batch) {
  FdPair pairs[2] = {make_socketpair(), make_socketpair()};
  Watch watches[2];
  FdPair fresh;
  Watch fresh_watch;
  int old_calls = 0;
  int fresh_calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    put(pairs[i].second);
    watches[i] = watch(pairs[i].first, kReadable, [&, i](Events) {
      ++old_calls;
      // Whichever comes first closes the other, which is ready too, and takes its number and its slot for a
      // new pair with no data.
      const std::size_t other = 1 - i;
      const int number = pairs[other].first.get();
      watches[other].reset();
      fresh = make_socketpair();
      ASSERT_EQ(dup3(fresh.first.get(), number, O_CLOEXEC), number);
      (void)pairs[other].first.release();  // closed by dup3
      fresh.first = UniqueFd(number);
      fresh_watch = watch(fresh.first, kReadable, [&](Events) { ++fresh_calls; });
    });
  }
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(old_calls, 1);
  EXPECT_EQ(fresh_calls, 0);
  for (Watch& old : watches)
    old.reset();
  put(fresh.second);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(fresh_calls, 1);
}

TEST_P(EachLoop, keeps_running_handlers_in_place_while_they_register_many_others) {
  if (!allow_descriptors(1000)) GTEST_SKIP() << "needs 1000 descriptors";
  const FdPair pair = make_socketpair();
  put(pair.second);
  std::vector<FdPair> pairs;
  std::vector<Watch> watches;
  std::array<long, 2> captured{3, 4};
  long sum = 0;
  Watch watched = watch(pair.first, kReadable, [&, captured](Events) {
    for (int i = 0; i < 300; ++i) {
      pairs.push_back(make_socketpair());
      watches.push_back(watch(pairs.back().first, kReadable, [](Events) {}));
    }
    watches.clear();
    sum = captured[0] + captured[1];
  });
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(sum, 7);
  EXPECT_EQ(loop->watch_count(), 1U);
}

TEST_P(EachLoop, passes_the_pollers_refusal_on) {
  const FdPair pair = make_socketpair();
  const Watch watched = watch(pair.first, kReadable, [](Events) {});
  const auto twice = loop->watch(pair.first.get(), kReadable, [](Events) {});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().number(), EEXIST);
  const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const auto regular = loop->watch(file.get(), kReadable, [](Events) {});
  ASSERT_FALSE(regular);
  EXPECT_EQ(regular.error().number(), EPERM);
  EXPECT_EQ(loop->watch_count(), 1U);
}

TEST_P(EachLoop, runs_deferred_work_in_order_after_the_handlers_and_timers_of_the_turn) {
  const FdPair pair = make_socketpair();
  put(pair.second);
  std::string order;
  Timer timer(*loop, [&] {
    order += 't';
    loop->defer([&] { order += '3'; });
  });
  timer.arm(Duration::zero());
  loop->defer([&] { order += '1'; });
  const Watch watched = watch(pair.first, kReadable, [&](Events) {
    order += 'h';
    loop->defer([&] { order += '2'; });
  });
  EXPECT_EQ(turn(), 5U);
  EXPECT_EQ(order, "ht123");
}

TEST_P(EachLoop, runs_work_that_deferred_work_defers_in_the_next_turn_which_does_not_wait) {
  std::string order;
  loop->defer([&] {
    order += 'a';
    loop->defer([&] { order += 'b'; });
  });
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(order, "a");
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(turn(), 0U);
}

TEST_P(EachLoop, runs_until_it_is_stopped_and_can_run_again) {
  int rounds = 0;
  Timer timer(*loop, [&] {
    if (++rounds % 3 == 0) {
      loop->stop();
    } else {
      timer.arm(Duration::zero());
    }
  });
  timer.arm(Duration::zero());
  loop->run();
  EXPECT_EQ(rounds, 3);
  timer.arm(Duration::zero());
  loop->run();
  EXPECT_EQ(rounds, 6);
  loop->stop();
  loop->run();  // stopped before it began
}

TEST_P(EachLoop, goes_with_handlers_and_work_that_own_watches) {
  const FdPair pairs[2] = {make_socketpair(), make_socketpair()};
  auto self = std::make_shared<Watch>();
  *self = watch(pairs[0].first, kReadable, [self](Events) {});
  auto deferred = std::make_shared<Watch>(watch(pairs[1].first, kReadable, [](Events) {}));
  loop->defer([deferred = std::move(deferred)] {});
  self.reset();
  loop.reset();
}

TEST_P(EachLoop, wakes_for_what_becomes_ready_while_it_waits) {
  // Filled by a child, so that this process really waits.
  const FdPair pair = make_pipe();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(write(pair.second.get(), "x", 1) == 1 ? 0 : 1);
  bool seen = false;
  const Watch watched = watch(pair.first, kReadable, [&](Events) { seen = true; });
  EXPECT_TRUE(turn_until([&] { return seen; }));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace xsd::reactor
