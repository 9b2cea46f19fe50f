// SPDX-License-Identifier: Apache-2.0
//
// TimingWheel: armed timers of one loop. Hierarchical: 8 levels of 64 slots, one tick is 1 ms, each slot a
// doubly linked list of nodes that live inside their owners, so arm, re-arm and cancel touch only neighbours
// and allocate nothing (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987).
//
// A node lives at the level of the highest 6-bit digit in which its tick differs from the wheel's, in the
// slot of its tick's digit there. So a lower level fires before a higher one, a lower slot before a higher
// one, and the first taken slot of the first taken level holds the next timer. When time enters a slot above
// level 0, its nodes are dealt out to lower levels. Ticks count from the wheel's start; 48 bits of them are
// more than the 64 bits of nanoseconds that a time can hold, so no delay is too long.
//
// A node that is armed anew for later may stay where it is, in company, until time enters its slot.
//
// Each slot keeps the earliest deadline that was ever put into it since it was last empty: a lower bound that
// cancelling and putting off leave in place. `next_deadline` is the bound of the first taken slot: exact
// unless the earliest timer of that slot was cancelled or put off, and then the loop wakes once for nothing
// and the slot is sorted out. So an idle loop does not tick.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "xsd/base/clock.h"

namespace xsd::reactor {

class Timer;
class TimingWheel;

/// Neighbours in a ring. The ring's head is one of these too.
struct TimerLinks {
  TimerLinks* next = nullptr;
  TimerLinks* previous = nullptr;
};

/// The links of one timer. Belongs to its owner; the wheel borrows it while it is linked.
class TimerNode : private TimerLinks {
 public:
  TimerNode() noexcept = default;
  ~TimerNode();
  TimerNode(TimerNode&& other) noexcept;             ///< takes over the other's place in the wheel
  TimerNode& operator=(TimerNode&& other) noexcept;  ///< leaves its own place first
  bool linked() const noexcept { return next != nullptr; }
  std::uint64_t deadline_tick() const noexcept { return deadline_; }

  /// For the owner; the wheel does not look at it.
  void* owner = nullptr;

 private:
  friend class TimingWheel;
  void take_place_of(TimerNode& other) noexcept;

  TimingWheel* wheel_ = nullptr;
  std::uint64_t deadline_ = 0;  ///< in ticks since the wheel's start
  std::uint16_t slot_ = 0;      ///< level * 64 + slot, or kNoSlot in the lists beside the wheel
};

class TimingWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(1);

  explicit TimingWheel(MonotonicTime start) noexcept;
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  /// Links `node` to fire at the first tick at or after `deadline`; takes it from its old place first.
  void arm(TimerNode& node, MonotonicTime deadline) noexcept;
  void cancel(TimerNode& node) noexcept;

  /// Moves the wheel to `now` and begins a round: what is due now is what `expire_one` will return. Nodes
  /// armed later, even for a time that is past, belong to the next round; a node of this round that is
  /// cancelled or armed again leaves it.
  void advance(MonotonicTime now) noexcept;

  /// Returns one node of the round, unlinked, or nullptr when none is left, which ends the round. Begins one
  /// with `advance(now)` where none is under way.
  TimerNode* expire_one(MonotonicTime now) noexcept;

  /// When the loop must wake at the latest; nullopt if nothing is armed.
  std::optional<MonotonicTime> next_deadline() const noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  friend class TimerNode;
  static constexpr unsigned kLevels = 8;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1U << kSlotBits;
  static constexpr std::uint16_t kNoSlot = kLevels * kSlots;

  struct Slot {
    TimerLinks head;  ///< ring: head.next is the first, head.previous the last
    std::uint64_t earliest = 0;
  };

  std::uint64_t tick_after(MonotonicTime deadline) const noexcept;
  std::uint64_t tick_before(MonotonicTime now) const noexcept;
  MonotonicTime time_of(std::uint64_t tick) const noexcept;
  static bool may_stay(const TimerNode& node) noexcept;
  void place(TimerNode& node) noexcept;
  void unlink(TimerNode& node) noexcept;
  void enter_slot(unsigned level, unsigned index, std::uint64_t target) noexcept;
  static void append(TimerLinks& head, TimerNode& node) noexcept;

  MonotonicTime start_;
  std::uint64_t current_ = 0;  ///< every node in a slot has a greater tick than this
  bool in_round_ = false;
  TimerLinks due_;                                 ///< this round's
  TimerLinks late_;                                ///< armed for a time that is past: the next round's
  std::array<std::uint64_t, kLevels> occupied_{};  ///< a bit for each slot that is not empty
  std::array<Slot, static_cast<std::size_t>(kLevels) * kSlots> slots_;
  std::size_t size_ = 0;
};

}  // namespace xsd::reactor
