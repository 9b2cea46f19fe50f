// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/timing_wheel.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace xsd::reactor {
namespace {

constexpr std::uint64_t kTickLength = static_cast<std::uint64_t>(TimingWheel::kTick.count());

void make_empty(TimerLinks& head) noexcept {
  head.next = &head;
  head.previous = &head;
}

bool is_empty(const TimerLinks& head) noexcept {
  return head.next == &head;
}

// From `start` to `end`, right for any two times: unsigned arithmetic does not overflow.
std::uint64_t nanoseconds_between(MonotonicTime start, MonotonicTime end) noexcept {
  if (end <= start) return 0;
  return static_cast<std::uint64_t>(end.time_since_epoch().count()) -
         static_cast<std::uint64_t>(start.time_since_epoch().count());
}

}  // namespace

TimerNode::~TimerNode() {
  if (wheel_ != nullptr) wheel_->cancel(*this);
}

TimerNode::TimerNode(TimerNode&& other) noexcept : TimerLinks(), owner(other.owner) {
  take_place_of(other);
}

TimerNode& TimerNode::operator=(TimerNode&& other) noexcept {
  if (this == &other) return *this;
  if (wheel_ != nullptr) wheel_->cancel(*this);
  owner = other.owner;
  take_place_of(other);
  return *this;
}

void TimerNode::take_place_of(TimerNode& other) noexcept {
  deadline_ = other.deadline_;
  if (other.wheel_ == nullptr) return;
  slot_ = other.slot_;
  wheel_ = std::exchange(other.wheel_, nullptr);
  next = std::exchange(other.next, nullptr);
  previous = std::exchange(other.previous, nullptr);
  next->previous = this;
  previous->next = this;
}

TimingWheel::TimingWheel(MonotonicTime start) noexcept : start_(start) {
  static_assert(UINT64_MAX / kTickLength < 1ULL << (kLevels * kSlotBits));
  make_empty(due_);
  make_empty(late_);
  for (Slot& slot : slots_)
    make_empty(slot.head);
}

std::uint64_t TimingWheel::tick_after(MonotonicTime deadline) const noexcept {
  const std::uint64_t passed = nanoseconds_between(start_, deadline);
  return passed / kTickLength + (passed % kTickLength != 0 ? 1 : 0);
}

std::uint64_t TimingWheel::tick_before(MonotonicTime now) const noexcept {
  return nanoseconds_between(start_, now) / kTickLength;
}

MonotonicTime TimingWheel::time_of(std::uint64_t tick) const noexcept {
  const std::uint64_t longest = nanoseconds_between(start_, MonotonicTime::max());
  if (tick > longest / kTickLength) return MonotonicTime::max();
  const std::uint64_t count =
      static_cast<std::uint64_t>(start_.time_since_epoch().count()) + tick * kTickLength;
  return MonotonicTime(Duration(static_cast<Duration::rep>(count)));
}

void TimingWheel::append(TimerLinks& head, TimerNode& node) noexcept {
  node.next = &head;
  node.previous = head.previous;
  head.previous->next = &node;
  head.previous = &node;
}

void TimingWheel::arm(TimerNode& node, MonotonicTime deadline) noexcept {
  const std::uint64_t tick = tick_after(deadline);
  if (node.wheel_ == this && tick >= node.deadline_ && may_stay(node)) {
    node.deadline_ = tick;
    return;
  }
  if (node.wheel_ != nullptr) node.wheel_->cancel(node);
  node.wheel_ = this;
  node.deadline_ = tick;
  ++size_;
  if (tick > current_) {
    place(node);
  } else {
    node.slot_ = kNoSlot;
    append(late_, node);
  }
}

// A node that is put off stays in its slot and moves on when time gets there: a client that speaks all the
// time costs one store each time, and no look at neighbours that are cold. Not so when it is alone in there:
// then the loop would wake for it alone.
bool TimingWheel::may_stay(const TimerNode& node) noexcept {
  return node.slot_ != kNoSlot && node.next != node.previous;
}

void TimingWheel::cancel(TimerNode& node) noexcept {
  if (node.wheel_ != this) return;
  unlink(node);
  node.wheel_ = nullptr;
  --size_;
}

// For a node whose tick is after the wheel's.
void TimingWheel::place(TimerNode& node) noexcept {
  const auto highest_bit = static_cast<unsigned>(std::bit_width(node.deadline_ ^ current_)) - 1;
  const unsigned level = highest_bit / kSlotBits;
  const auto index = static_cast<unsigned>(node.deadline_ >> (level * kSlotBits)) % kSlots;
  node.slot_ = static_cast<std::uint16_t>(level * kSlots + index);
  Slot& slot = slots_[node.slot_];
  if (is_empty(slot.head)) {
    occupied_[level] |= 1ULL << index;
    slot.earliest = node.deadline_;
  } else {
    slot.earliest = std::min(slot.earliest, node.deadline_);
  }
  append(slot.head, node);
}

void TimingWheel::unlink(TimerNode& node) noexcept {
  node.previous->next = node.next;
  node.next->previous = node.previous;
  node.next = nullptr;
  node.previous = nullptr;
  if (node.slot_ == kNoSlot || !is_empty(slots_[node.slot_].head)) return;
  occupied_[node.slot_ / kSlots] &= ~(1ULL << (node.slot_ % kSlots));
}

// Empties a slot that begins at or before `target`: what is due goes to the round, the rest to lower levels.
// Nodes of a level keep their order, so timers of one tick fire in the order in which they were armed.
void TimingWheel::enter_slot(unsigned level, unsigned index, std::uint64_t target) noexcept {
  Slot& slot = slots_[static_cast<std::size_t>(level) * kSlots + index];
  // Up to the earliest node and not to `target`, since the slots below are filled first and then gone through
  // in order.
  current_ = std::max(current_, std::min(slot.earliest, target));
  occupied_[level] &= ~(1ULL << index);
  TimerLinks* links = slot.head.next;
  TimerLinks* const end = &slot.head;
  make_empty(slot.head);
  while (links != end) {
    auto& node = static_cast<TimerNode&>(*links);
    links = links->next;
    if (node.deadline_ > current_) {
      place(node);
    } else {
      node.slot_ = kNoSlot;
      append(due_, node);
    }
  }
}

void TimingWheel::advance(MonotonicTime now) noexcept {
  in_round_ = true;
  while (!is_empty(late_)) {
    auto& node = static_cast<TimerNode&>(*late_.next);
    unlink(node);
    append(due_, node);
  }
  const std::uint64_t target = std::max(current_, tick_before(now));
  unsigned level = 0;
  while (level < kLevels) {
    if (occupied_[level] == 0) {
      ++level;
      continue;
    }
    const auto index = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const unsigned shift = level * kSlotBits;
    // The slot's first tick: the digits above are the wheel's own. Every node beyond this slot is later
    // still.
    const std::uint64_t begin = (((current_ >> shift) & ~std::uint64_t{kSlots - 1}) | index) << shift;
    if (begin > target) break;
    enter_slot(level, index, target);
    level = 0;
  }
  current_ = target;
}

TimerNode* TimingWheel::expire_one(MonotonicTime now) noexcept {
  if (!in_round_) advance(now);
  if (is_empty(due_)) {
    in_round_ = false;
    return nullptr;
  }
  auto& node = static_cast<TimerNode&>(*due_.next);
  cancel(node);
  return &node;
}

std::optional<MonotonicTime> TimingWheel::next_deadline() const noexcept {
  if (!is_empty(late_) || !is_empty(due_)) return time_of(current_);
  for (std::size_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const auto index = static_cast<std::size_t>(std::countr_zero(occupied_[level]));
    return time_of(slots_[level * kSlots + index].earliest);
  }
  return std::nullopt;
}

}  // namespace xsd::reactor
