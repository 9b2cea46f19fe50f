// SPDX-License-Identifier: Apache-2.0
//
// Timers as the loop runs them. Time passes in a poller that does nothing but move the clock, so what the
// loop asks for is what it gets.
#include <array>
#include <random>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

class TimePoller final : public Poller {
 public:
  explicit TimePoller(ManualClock& clock) noexcept : clock_(clock) {}
  PollerKind kind() const noexcept override { return PollerKind::Epoll; }
  bool can_hold(int) const noexcept override { return false; }
  Status add(int, Events, std::uint64_t) override { return Error("no descriptors here"); }
  void modify(int, Events, std::uint64_t) noexcept override {}
  void remove(int) noexcept override {}
  std::span<const ReadyEntry> wait(std::optional<Duration> longest) noexcept override {
    waits.push_back(longest);
    if (longest) clock_.now += *longest;
    return {};
  }

  std::vector<std::optional<Duration>> waits;

 private:
  ManualClock& clock_;
};

class TimerOn : public testing::Test {
 protected:
  TimerOn() {
    auto owned = std::make_unique<TimePoller>(clock);
    poller = owned.get();
    loop = EventLoop::create(std::move(owned), clock);
  }

  ManualClock clock;
  TimePoller* poller = nullptr;
  std::unique_ptr<EventLoop> loop;
};

TEST_F(TimerOn, idle_loop_waits_once_and_exactly_until_it_is_due) {
  int fired = 0;
  Timer timer(*loop, [&] { ++fired; });
  EXPECT_FALSE(timer.armed());
  timer.arm(minutes(5));
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(loop->timer_count(), 1U);
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(fired, 1);
  ASSERT_EQ(poller->waits.size(), 1U);
  EXPECT_EQ(poller->waits[0], minutes(5));
  EXPECT_FALSE(timer.armed());
  EXPECT_EQ(loop->timer_count(), 0U);
}

TEST_F(TimerOn, loop_without_timers_waits_for_ever) {
  EXPECT_EQ(loop->run_once(), 0U);
  ASSERT_EQ(poller->waits.size(), 1U);
  EXPECT_FALSE(poller->waits[0]);
}

TEST_F(TimerOn, turn_waits_no_longer_than_it_is_told) {
  int fired = 0;
  Timer timer(*loop, [&] { ++fired; });
  timer.arm(seconds(10));
  EXPECT_EQ(loop->run_once(seconds(4)), 0U);
  EXPECT_EQ(loop->run_once(seconds(4)), 0U);
  EXPECT_EQ(loop->run_once(seconds(4)), 1U);
  EXPECT_EQ(poller->waits.back(), seconds(2));
}

TEST_F(TimerOn, wait_is_shorter_by_the_time_that_handlers_took) {
  Timer slow(*loop, [&] { clock.now += milliseconds(300); });
  int fired = 0;
  Timer timer(*loop, [&] { ++fired; });
  slow.arm(seconds(1));
  timer.arm(seconds(2));
  loop->run_once();
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(poller->waits.back(), milliseconds(700));
}

TEST_F(TimerOn, order_is_that_of_the_deadlines) {
  std::string order;
  Timer c(*loop, [&] { order += 'c'; });
  Timer a(*loop, [&] { order += 'a'; });
  Timer b(*loop, [&] { order += 'b'; });
  c.arm(seconds(90));
  a.arm(milliseconds(20));
  b.arm(seconds(3));
  for (int i = 0; i < 3; ++i)
    loop->run_once();
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(poller->waits.size(), 3U);
}

TEST_F(TimerOn, order_is_kept_when_all_are_overdue) {
  std::string order;
  Timer c(*loop, [&] { order += 'c'; });
  Timer a(*loop, [&] { order += 'a'; });
  Timer b(*loop, [&] { order += 'b'; });
  c.arm(seconds(90));
  a.arm(milliseconds(20));
  b.arm(seconds(3));
  clock.now += minutes(5);
  EXPECT_EQ(loop->run_once(), 3U);
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(poller->waits[0], Duration::zero());
}

TEST_F(TimerOn, handler_arms_its_timer_again_for_a_period) {
  std::vector<Duration> times;
  const MonotonicTime start = clock.now;
  Timer timer(*loop, [&] {
    times.push_back(clock.now - start);
    timer.arm(milliseconds(250));
  });
  timer.arm(milliseconds(250));
  for (int i = 0; i < 4; ++i)
    loop->run_once();
  EXPECT_EQ(times,
            (std::vector<Duration>{milliseconds(250), milliseconds(500), milliseconds(750), seconds(1)}));
}

TEST_F(TimerOn, no_delay_means_the_next_turn_and_never_this_one) {
  int fired = 0;
  Timer timer(*loop, [&] {
    ++fired;
    timer.arm(seconds(-1));
  });
  timer.arm(Duration::zero());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(loop->run_once(), 1U);
    EXPECT_EQ(fired, i);
    EXPECT_EQ(poller->waits.back(), Duration::zero());
  }
}

TEST_F(TimerOn, arming_again_replaces_the_earlier_deadline) {
  int fired = 0;
  Timer timer(*loop, [&] { ++fired; });
  timer.arm(seconds(1));
  timer.arm(seconds(5));
  EXPECT_EQ(loop->timer_count(), 1U);
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(poller->waits.back(), seconds(5));
}

TEST_F(TimerOn, cancelled_timer_does_not_fire_or_wake) {
  Timer timer(*loop, [] { FAIL(); });
  timer.arm(seconds(1));
  timer.cancel();
  timer.cancel();
  EXPECT_FALSE(timer.armed());
  loop->run_once();
  EXPECT_FALSE(poller->waits.back());
}

TEST_F(TimerOn, handler_cancels_or_delays_others_of_the_same_batch) {
  std::string order;
  Timer cancelled(*loop, [&] { order += 'x'; });
  Timer delayed(*loop, [&] { order += 'd'; });
  Timer destroyed_later(*loop, [&] { order += 'y'; });
  Timer first(*loop, [&] {
    order += 'f';
    cancelled.cancel();
    delayed.arm(seconds(1));
    { const Timer gone(std::move(destroyed_later)); }
  });
  for (Timer* timer : {&first, &cancelled, &delayed, &destroyed_later})
    timer->arm(milliseconds(10));
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(order, "fd");
}

TEST_F(TimerOn, handler_destroys_its_own_timer) {
  std::array<long, 8> ballast{1, 2, 3, 4, 5, 6, 7, 8};
  long sum = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(*loop, [&timer, &sum, ballast] {
    timer.reset();
    for (const long value : ballast)
      sum += value;
  });
  timer->arm(seconds(1));
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(sum, 36);
  EXPECT_EQ(loop->timer_count(), 0U);
}

TEST_F(TimerOn, handler_moves_its_own_timer_and_keeps_running_in_the_new_place) {
  int fired = 0;
  std::unique_ptr<Timer> new_place;
  Timer timer(*loop, [&] {
    ++fired;
    if (!new_place) new_place = std::make_unique<Timer>(std::move(timer));
    new_place->arm(seconds(1));
  });
  timer.arm(seconds(1));
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(fired, 2);
}

TEST_F(TimerOn, handler_assigns_another_timer_to_its_own) {
  std::string order;
  Timer other(*loop, [&] { order += 'o'; });
  Timer timer(*loop, [&] {
    order += 't';
    timer = std::move(other);
  });
  other.arm(seconds(2));
  timer.arm(seconds(1));
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(order, "to");
}

TEST_F(TimerOn, moved_timer_fires_from_its_new_place) {
  int fired = 0;
  Timer original(*loop, [&] { ++fired; });
  original.arm(seconds(1));
  std::vector<Timer> timers;
  timers.push_back(std::move(original));
  EXPECT_FALSE(original.armed());  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(timers[0].armed());
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerOn, delay_of_days_and_the_longest_of_all_are_exact) {
  int fired = 0;
  Timer days(*loop, [&] { ++fired; });
  Timer never(*loop, [] { FAIL(); });
  days.arm(std::chrono::hours(24 * 400));
  never.arm(Duration::max());
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_EQ(poller->waits.size(), 1U);
  EXPECT_EQ(poller->waits.back(), std::chrono::hours(24 * 400));
  EXPECT_EQ(loop->run_once(seconds(1)), 0U);
}

TEST_F(TimerOn, none_of_many_fires_early_or_more_than_a_tick_late) {
  std::mt19937_64 random(11);
  std::vector<std::unique_ptr<Timer>> timers;
  int fired = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto delay = Duration(1 + random() % (1ULL << (10 + random() % 32)));
    const MonotonicTime due = loop->now() + delay;
    timers.push_back(std::make_unique<Timer>(*loop, [this, due, &fired] {
      ++fired;
      EXPECT_GE(clock.now, due);
      EXPECT_LE(clock.now - due, milliseconds(1));
    }));
    timers.back()->arm(delay);
  }
  while (loop->timer_count() > 0)
    loop->run_once();
  EXPECT_EQ(fired, 10'000);
  // One wait a tick that has a timer: never one for nothing.
  EXPECT_LE(poller->waits.size(), 10'000U);
}

TEST_F(TimerOn, idle_timeouts_that_are_armed_anew_all_the_time_cost_few_wakes) {
  // 1000 clients with a minute of patience, one of which speaks each 10 ms.
  std::mt19937 random(5);
  std::vector<std::unique_ptr<Timer>> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.push_back(std::make_unique<Timer>(*loop, [] { FAIL() << "a client that spoke was timed out"; }));
    idle.back()->arm(minutes(1));
  }
  std::size_t speaker = 0;
  Timer talk(*loop, [&] {
    idle[speaker++ % idle.size()]->arm(minutes(1));
    talk.arm(milliseconds(10));
  });
  talk.arm(milliseconds(10));
  constexpr int kTalks = 30'000;  // five minutes
  int turns = 0;
  while (speaker < kTalks) {
    loop->run_once();
    ++turns;
  }
  EXPECT_LT(turns, kTalks + kTalks / 10);
}

class TimerOnRealTime : public LoopTest {};

INSTANTIATE_TEST_SUITE_P(On, TimerOnRealTime, each_poller(), kind_name);

TEST_P(TimerOnRealTime, fires_not_early_and_in_one_turn) {
  const MonotonicTime start = loop->now();
  MonotonicTime fired{};
  Timer timer(*loop, [&] { fired = clock.monotonic(); });
  Timer far(*loop, [] { FAIL(); });
  far.arm(minutes(5));
  timer.arm(microseconds(12'345));
  EXPECT_EQ(loop->run_once(), 1U);
  EXPECT_GE(fired - start, microseconds(12'345));
}

TEST_P(TimerOnRealTime, does_not_wake_an_idle_loop) {
  Timer timer(*loop, [] { FAIL(); });
  timer.arm(minutes(5));
  const MonotonicTime start = clock.monotonic();
  EXPECT_EQ(loop->run_once(milliseconds(100)), 0U);
  EXPECT_GE(clock.monotonic() - start, milliseconds(100));
}

}  // namespace
}  // namespace xsd::reactor
