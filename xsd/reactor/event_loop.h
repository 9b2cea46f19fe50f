// SPDX-License-Identifier: Apache-2.0
//
// EventLoop: the one wait of a process. Readiness of descriptors, timers, deferred work, and through the
// descriptors of SignalSource and ChildWatcher also signals and child exits, reach the program here and
// nowhere else.
//
// One turn is: wait (exactly until the next timer, for ever if there is none, not at all if work is deferred)
// -> read the clock once -> hand the batch of ready descriptors to their handlers -> run the timers that are
// due -> run the work that was deferred before this point -> free what the handlers gave up. Nothing may rely
// on the order inside the batch. Which timers are due is settled when the clock is read: one that a handler
// arms for no delay fires in the next turn, one that a handler cancels or arms anew does not fire in this
// one.
//
// Ownership: a registration is a move-only value (Watch, Timer) held by whoever wants the events; destroying
// it ends the registration. A handler may destroy anything, its own Watch and the object that holds it
// included: the loop looks handlers up by slot and generation, and frees a running handler only after the
// batch. Watches and timers must not outlive the loop. Not thread-safe: one thread, one loop. Handlers must
// not throw.
//
// Watches are level-triggered. A Watch must be destroyed (or `reset`) before its descriptor is closed or
// passed on: the open file may live on in another process, and epoll would report it for ever.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/base/result.h"
#include "xsd/reactor/poller.h"
#include "xsd/reactor/timing_wheel.h"

namespace xsd::reactor {

class EventLoop;

/// A descriptor registered with the loop. Borrows the descriptor.
class Watch {
 public:
  Watch() noexcept = default;
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { reset(); }

  /// Ends the registration; harmless when there is none.
  void reset() noexcept;
  bool active() const noexcept { return loop_ != nullptr; }
  /// What to be told of from now on; kNone keeps the registration and stays silent (errors and hang-ups
  /// included).
  void set_interest(Events interest) noexcept;

 private:
  friend class EventLoop;
  Watch(EventLoop* loop, std::uint32_t slot, std::uint32_t generation) noexcept
      : loop_(loop), slot_(slot), generation_(generation) {}

  EventLoop* loop_ = nullptr;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

/// A one-shot timer; arm it again, also from its own handler, for a period. Arm, re-arm and cancel take
/// constant time.
class Timer {
 public:
  /// Not armed yet. The handler is called from the loop, never from here.
  Timer(EventLoop& loop, std::function<void()> handler);
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  /// Fires once, not before `delay` has passed since the loop's `now()`, and at most 1 ms (one tick) later
  /// than that if the loop is free. Replaces an earlier arming. A delay of zero or less fires in the next
  /// turn.
  void arm(Duration delay) noexcept;
  void cancel() noexcept;
  bool armed() const noexcept { return node_.linked(); }

 private:
  friend class EventLoop;
  EventLoop* loop_;
  TimerNode node_;
  std::function<void()> handler_;
};

class EventLoop {
 public:
  using Handler = std::function<void(Events ready)>;

  /// `clock` is borrowed and must outlive the loop.
  static Result<std::unique_ptr<EventLoop>> create(PollerKind kind, const Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// The same over a poller of the caller's, for tests.
  static std::unique_ptr<EventLoop> create(std::unique_ptr<Poller> poller, const Clock& clock);

  /// Registers `fd`, which must be non-blocking and not registered yet. Fails with ENOSPC/ENOMEM of the
  /// poller, EPERM for a file that cannot be waited for, EINVAL for a number that the select poller cannot
  /// hold (>= 1024).
  Result<Watch> watch(int fd, Events interest, Handler handler);

  /// Runs `work` after the handlers of this turn (in the order given). Work deferred by deferred work runs in
  /// the next turn, which then does not wait.
  void defer(std::function<void()> work);

  /// `begin` is called in each turn once the wait is over, before anything else, and `end` after all else.
  void on_turn(std::function<void()> begin, std::function<void()> end) {
    on_turn_begin_ = std::move(begin);
    on_turn_end_ = std::move(end);
  }

  /// Turns until `stop` is called; returns at once, after no turn, if it was called before.
  void run();
  /// One turn. Waits at most `longest` (for ever without). Returns the number of handlers, timers and works
  /// run.
  std::size_t run_once(std::optional<Duration> longest = std::nullopt);
  void stop() noexcept { stopping_ = true; }

  /// The time read at the start of this turn; before the first turn, of creation.
  MonotonicTime now() const noexcept { return now_; }
  const Clock& clock() const noexcept { return clock_; }
  PollerKind poller_kind() const noexcept;
  /// True if a descriptor of this number can be watched (select: below 1024).
  bool can_watch(int fd) const noexcept;
  /// The number of registered watches and armed timers, for status and tests.
  std::size_t watch_count() const noexcept { return watches_; }
  std::size_t timer_count() const noexcept { return wheel_.size(); }

 private:
  friend class Watch;
  friend class Timer;
  /// A registration. It stays at its address (hence the deque) because its handler may register others while
  /// it runs.
  struct Slot {
    Handler handler;
    int fd = -1;
    std::uint32_t generation =
        0;  ///< goes up when the registration ends, which makes older tokens and Watches strangers
    Events interest = kNone;
  };
  static constexpr std::uint32_t kNoSlot = UINT32_MAX;
  EventLoop(std::unique_ptr<Poller> poller, const Clock& clock);

  void remove(std::uint32_t slot, std::uint32_t generation) noexcept;
  void set_interest(std::uint32_t slot, Events interest) noexcept;
  void bury(std::uint32_t slot) noexcept;
  void empty_graveyard() noexcept;
  std::optional<Duration> time_to_wait(std::optional<Duration> longest) const noexcept;
  std::size_t dispatch(const ReadyEntry& entry) noexcept;
  std::size_t run_timers() noexcept;
  std::size_t run_deferred() noexcept;

  const Clock& clock_;
  std::unique_ptr<Poller> poller_;
  TimingWheel wheel_;
  MonotonicTime now_;
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Handler> graveyard_;  ///< handlers whose registration ended in this turn
  std::function<void()> on_turn_begin_;
  std::function<void()> on_turn_end_;
  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>>
      deferred_now_;  ///< those that run now; keeps its memory from turn to turn
  std::size_t watches_ = 0;
  std::uint32_t running_slot_ = kNoSlot;
  Timer* running_timer_ = nullptr;  ///< follows the Timer when it is moved; null once it is gone
  bool in_turn_ = false;
  bool stopping_ = false;
};

}  // namespace xsd::reactor
