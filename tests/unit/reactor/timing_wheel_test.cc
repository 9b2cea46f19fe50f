// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/timing_wheel.h"

#include <map>
#include <random>
#include <vector>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

constexpr MonotonicTime kStart{seconds(1000)};

std::vector<TimerNode*> expire_all(TimingWheel& wheel, MonotonicTime now) {
  std::vector<TimerNode*> fired;
  while (TimerNode* node = wheel.expire_one(now))
    fired.push_back(node);
  return fired;
}

using Nodes = std::vector<TimerNode*>;

TEST(TimingWheel, has_no_deadline_when_empty) {
  TimingWheel wheel(kStart);
  EXPECT_FALSE(wheel.next_deadline());
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.expire_one(kStart + std::chrono::hours(24)), nullptr);
}

TEST(TimingWheel, fires_at_the_first_tick_at_or_after_the_deadline) {
  TimingWheel wheel(kStart);
  TimerNode exact;
  TimerNode between;
  wheel.arm(exact, kStart + milliseconds(5));
  wheel.arm(between, kStart + microseconds(5001));
  EXPECT_TRUE(expire_all(wheel, kStart + milliseconds(5) - nanoseconds(1)).empty());
  EXPECT_EQ(expire_all(wheel, kStart + milliseconds(5)), Nodes{&exact});
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(6));
  EXPECT_TRUE(expire_all(wheel, kStart + milliseconds(6) - nanoseconds(1)).empty());
  EXPECT_EQ(expire_all(wheel, kStart + milliseconds(6)), Nodes{&between});
}

TEST(TimingWheel, fires_in_order_of_deadline_and_of_arming_within_a_tick) {
  TimingWheel wheel(kStart);
  TimerNode nodes[6];
  const int delays[] = {5000, 70, 5000, 3, 300000, 70};
  for (int i = 0; i < 6; ++i)
    wheel.arm(nodes[i], kStart + milliseconds(delays[i]));
  // One that gets to the same tick from nearer by, when the others already came down from their levels.
  EXPECT_EQ(expire_all(wheel, kStart + milliseconds(69)), Nodes{&nodes[3]});
  TimerNode late;
  wheel.arm(late, kStart + milliseconds(70));
  EXPECT_EQ(expire_all(wheel, kStart + minutes(10)),
            (Nodes{&nodes[1], &nodes[5], &late, &nodes[0], &nodes[2], &nodes[4]}));
}

TEST(TimingWheel, returns_a_node_armed_for_the_past_in_the_next_round_only) {
  TimingWheel wheel(kStart);
  TimerNode first;
  TimerNode second;
  const MonotonicTime now = kStart + milliseconds(10);
  wheel.arm(first, kStart + milliseconds(1));
  EXPECT_EQ(wheel.expire_one(now), &first);
  wheel.arm(first, kStart);
  wheel.arm(second, MonotonicTime::min());
  EXPECT_EQ(wheel.expire_one(now), nullptr);
  ASSERT_TRUE(wheel.next_deadline());
  EXPECT_LE(*wheel.next_deadline(), now);
  EXPECT_EQ(expire_all(wheel, now), (Nodes{&first, &second}));
}

TEST(TimingWheel, leaves_out_of_a_round_what_is_cancelled_or_armed_anew_in_it) {
  TimingWheel wheel(kStart);
  TimerNode nodes[3];
  for (TimerNode& node : nodes)
    wheel.arm(node, kStart + milliseconds(1));
  const MonotonicTime now = kStart + milliseconds(1);
  EXPECT_EQ(wheel.expire_one(now), &nodes[0]);
  wheel.cancel(nodes[1]);
  wheel.arm(nodes[2], kStart + milliseconds(9));
  EXPECT_FALSE(nodes[1].linked());
  EXPECT_EQ(wheel.expire_one(now), nullptr);
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(9));
  EXPECT_EQ(wheel.size(), 1U);
}

TEST(TimingWheel, keeps_the_place_of_a_node_that_is_moved) {
  TimingWheel wheel(kStart);
  TimerNode original;
  int owner = 0;
  original.owner = &owner;
  wheel.arm(original, kStart + milliseconds(100));
  TimerNode moved(std::move(original));
  EXPECT_FALSE(original.linked());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(moved.owner, &owner);
  TimerNode assigned;
  wheel.arm(assigned, kStart + milliseconds(1));
  assigned = std::move(moved);
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(100));
  EXPECT_EQ(expire_all(wheel, kStart + milliseconds(100)), Nodes{&assigned});
}

TEST(TimingWheel, forgets_a_node_that_is_destroyed) {
  TimingWheel wheel(kStart);
  {
    TimerNode node;
    wheel.arm(node, kStart + seconds(1));
  }
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_FALSE(wheel.next_deadline());
}

TEST(TimingWheel, holds_every_delay_that_a_time_can_express) {
  TimingWheel wheel(kStart);
  TimerNode day;
  TimerNode century;
  TimerNode never;
  wheel.arm(never, MonotonicTime::max());
  wheel.arm(century, kStart + std::chrono::hours(24 * 36525));
  wheel.arm(day, kStart + std::chrono::hours(24));
  EXPECT_EQ(wheel.next_deadline(), kStart + std::chrono::hours(24));
  EXPECT_TRUE(expire_all(wheel, kStart + std::chrono::hours(24) - milliseconds(1)).empty());
  EXPECT_EQ(expire_all(wheel, kStart + std::chrono::hours(24)), Nodes{&day});
  EXPECT_EQ(wheel.next_deadline(), kStart + std::chrono::hours(24 * 36525));
  EXPECT_EQ(expire_all(wheel, kStart + std::chrono::hours(24 * 36525)), Nodes{&century});
  EXPECT_TRUE(expire_all(wheel, MonotonicTime::max() - milliseconds(2)).empty());
  EXPECT_EQ(wheel.next_deadline(), MonotonicTime::max());
  EXPECT_TRUE(never.linked());
}

TEST(TimingWheel, measures_from_a_start_before_the_epoch) {
  TimingWheel wheel(MonotonicTime(seconds(-5)));
  TimerNode node;
  TimerNode never;
  wheel.arm(node, MonotonicTime(seconds(-4)));
  wheel.arm(never, MonotonicTime::max());
  EXPECT_EQ(wheel.next_deadline(), MonotonicTime(seconds(-4)));
  EXPECT_EQ(expire_all(wheel, MonotonicTime(seconds(1))), Nodes{&node});
}

TEST(TimingWheel, does_not_go_back_when_the_time_does) {
  TimingWheel wheel(kStart);
  TimerNode node;
  wheel.advance(kStart + seconds(10));
  EXPECT_EQ(wheel.expire_one(kStart + seconds(10)), nullptr);
  EXPECT_EQ(wheel.expire_one(kStart), nullptr);
  wheel.arm(node, kStart + seconds(11));
  EXPECT_EQ(wheel.expire_one(kStart + seconds(5)), nullptr);
  EXPECT_EQ(wheel.expire_one(kStart + seconds(11)), &node);
}

TEST(TimingWheel, wakes_once_for_nothing_when_the_earliest_of_a_slot_was_cancelled) {
  TimingWheel wheel(kStart);
  TimerNode earlier;
  TimerNode later;
  wheel.arm(earlier, kStart + milliseconds(128));
  wheel.arm(later, kStart + milliseconds(191));
  wheel.cancel(earlier);
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(128));
  EXPECT_TRUE(expire_all(wheel, kStart + milliseconds(128)).empty());
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(191));
}

TEST(TimingWheel, wakes_once_for_nothing_when_the_timers_of_a_slot_were_put_off) {
  TimingWheel wheel(kStart);
  TimerNode first;
  TimerNode second;
  wheel.arm(first, kStart + milliseconds(128));
  wheel.arm(second, kStart + milliseconds(129));
  wheel.arm(first, kStart + milliseconds(5000));
  wheel.arm(second, kStart + milliseconds(4999));
  EXPECT_EQ(wheel.size(), 2U);
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(128));
  EXPECT_TRUE(expire_all(wheel, kStart + milliseconds(128)).empty());
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(4999));
  EXPECT_EQ(expire_all(wheel, kStart + milliseconds(6000)), (Nodes{&second, &first}));
}

TEST(TimingWheel, wakes_exactly_for_a_timer_alone_in_its_slot_that_was_put_off_or_brought_forward) {
  TimingWheel wheel(kStart);
  TimerNode node;
  for (const int delay : {128, 5000, 5001, 64, 9, 10, 3, 1'000'000}) {
    wheel.arm(node, kStart + milliseconds(delay));
    EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(delay));
  }
}

TEST(TimingWheel, brings_a_timer_forward_that_was_put_off_before) {
  TimingWheel wheel(kStart);
  TimerNode node;
  TimerNode company;
  wheel.arm(company, kStart + milliseconds(130));
  wheel.arm(node, kStart + milliseconds(131));
  wheel.arm(node, kStart + minutes(1));
  wheel.arm(node, kStart + milliseconds(7));
  EXPECT_EQ(wheel.next_deadline(), kStart + milliseconds(7));
  EXPECT_EQ(expire_all(wheel, kStart + milliseconds(7)), Nodes{&node});
}

TEST(TimingWheel, wakes_exactly_for_the_timers_when_none_is_cancelled) {
  std::mt19937_64 random(7);
  TimingWheel wheel(kStart);
  std::vector<TimerNode> nodes(2000);
  std::multimap<std::uint64_t, TimerNode*> model;
  for (TimerNode& node : nodes) {
    const auto delay = milliseconds(1 + random() % (1ULL << (1 + random() % 40)));
    wheel.arm(node, kStart + delay);
    model.emplace(node.deadline_tick(), &node);
  }
  while (!model.empty()) {
    const auto next = wheel.next_deadline();
    ASSERT_EQ(next, kStart + milliseconds(model.begin()->first));
    for (TimerNode* fired : expire_all(wheel, *next)) {
      ASSERT_EQ(fired, model.begin()->second);
      model.erase(model.begin());
    }
  }
  EXPECT_FALSE(wheel.next_deadline());
}

// 100 000 timers, armed, re-armed and cancelled at random over all scales, against a sorted multimap.
class TimingWheelModel : public testing::TestWithParam<unsigned> {};

TEST_P(TimingWheelModel, agrees_with_a_sorted_map) {
  constexpr std::size_t kCount = 100'000;
  std::mt19937_64 random(GetParam());
  TimingWheel wheel(kStart);
  std::vector<TimerNode> nodes(kCount);
  std::multimap<std::uint64_t, TimerNode*> model;
  std::vector<decltype(model)::iterator> places(kCount, model.end());
  for (std::size_t i = 0; i < kCount; ++i)
    nodes[i].owner = &places[i];

  MonotonicTime now = kStart;
  const auto forget = [&](TimerNode& node) {
    auto& place = *static_cast<decltype(model)::iterator*>(node.owner);
    if (place != model.end()) model.erase(place);
    place = model.end();
  };
  std::size_t fired_count = 0;
  std::size_t empty_wakes = 0;
  for (int round = 0; round < 400; ++round) {
    for (int i = 0; i < 1500; ++i) {
      TimerNode& node = nodes[random() % kCount];
      forget(node);
      if (random() % 4 == 0) {
        wheel.cancel(node);
        ASSERT_FALSE(node.linked());
        continue;
      }
      const unsigned scale = static_cast<unsigned>(random() % 58);
      wheel.arm(node, now + nanoseconds(random() % (1ULL << scale)));
      *static_cast<decltype(model)::iterator*>(node.owner) = model.emplace(node.deadline_tick(), &node);
    }
    ASSERT_EQ(wheel.size(), model.size());
    const auto next = wheel.next_deadline();
    ASSERT_EQ(next.has_value(), !model.empty());
    // A lower bound of the truth. (What is armed for the past is in no order with the present tick.)
    if (next) {
      ASSERT_LE(*next, std::max(now, kStart + milliseconds(model.begin()->first)));
    }
    const auto present = static_cast<std::uint64_t>((now - kStart) / milliseconds(1));

    if (random() % 2 == 0 && next && *next > now) {
      now = *next;
    } else {
      now += nanoseconds(random() % (1ULL << (10 + random() % 36)));
    }
    const auto target = static_cast<std::uint64_t>((now - kStart) / milliseconds(1));
    std::uint64_t last = 0;
    const std::size_t before = fired_count;
    while (TimerNode* node = wheel.expire_one(now)) {
      ASSERT_FALSE(node->linked());
      ASSERT_LE(node->deadline_tick(), target);
      if (node->deadline_tick() > present) {
        ASSERT_GE(node->deadline_tick(), last);
        last = node->deadline_tick();
      } else {
        ASSERT_EQ(last, 0U) << "what is late comes first";
      }
      forget(*node);
      ++fired_count;
    }
    if (fired_count == before) ++empty_wakes;
    ASSERT_TRUE(model.empty() || model.begin()->first > target);
  }
  EXPECT_GT(fired_count, 50'000U);
  EXPECT_LT(empty_wakes, 200U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimingWheelModel, testing::Values(1U, 2U, 3U));

}  // namespace
}  // namespace xsd::reactor
