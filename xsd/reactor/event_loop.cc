// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/event_loop.h"

#include <algorithm>
#include <utility>

#include "xsd/base/assert.h"
#include "xsd/reactor/pollers.h"

namespace xsd::reactor {
namespace {

constexpr std::uint64_t make_token(std::uint32_t slot, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | slot;
}

}  // namespace

Watch::Watch(Watch&& other) noexcept
    : loop_(std::exchange(other.loop_, nullptr)), slot_(other.slot_), generation_(other.generation_) {}

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  reset();
  loop_ = std::exchange(other.loop_, nullptr);
  slot_ = other.slot_;
  generation_ = other.generation_;
  return *this;
}

void Watch::reset() noexcept {
  // Inactive first: what the handler owned may hold this very Watch.
  EventLoop* const loop = std::exchange(loop_, nullptr);
  if (loop != nullptr) loop->remove(slot_, generation_);
}

void Watch::set_interest(Events interest) noexcept {
  if (loop_ != nullptr) loop_->set_interest(slot_, interest);
}

Timer::Timer(EventLoop& loop, std::function<void()> handler) : loop_(&loop), handler_(std::move(handler)) {
  node_.owner = this;
}

Timer::Timer(Timer&& other) noexcept
    : loop_(other.loop_), node_(std::move(other.node_)), handler_(std::move(other.handler_)) {
  node_.owner = this;
  if (loop_->running_timer_ == &other) loop_->running_timer_ = this;
}

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this == &other) return *this;
  if (loop_->running_timer_ == this) loop_->running_timer_ = nullptr;
  loop_ = other.loop_;
  node_ = std::move(other.node_);
  node_.owner = this;
  if (loop_->running_timer_ == &other) loop_->running_timer_ = this;
  handler_ = std::move(other.handler_);
  return *this;
}

Timer::~Timer() {
  cancel();
  if (loop_->running_timer_ == this) loop_->running_timer_ = nullptr;
}

void Timer::arm(Duration delay) noexcept {
  const MonotonicTime now = loop_->now_;
  MonotonicTime deadline = MonotonicTime::min();  // past: due in the next turn, not with the next tick
  if (delay > Duration::zero()) {
    deadline = delay < MonotonicTime::max() - now ? now + delay : MonotonicTime::max();
  }
  loop_->wheel_.arm(node_, deadline);
}

void Timer::cancel() noexcept {
  loop_->wheel_.cancel(node_);
}

Result<std::unique_ptr<EventLoop>> EventLoop::create(PollerKind kind, const Clock& clock) {
  auto poller = Poller::create(kind);
  if (!poller) return std::move(poller.error());
  return create(std::move(*poller), clock);
}

std::unique_ptr<EventLoop> EventLoop::create(std::unique_ptr<Poller> poller, const Clock& clock) {
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(poller), clock));
}

EventLoop::EventLoop(std::unique_ptr<Poller> poller, const Clock& clock)
    : clock_(clock), poller_(std::move(poller)), wheel_(clock.monotonic()), now_(clock.monotonic()) {}

EventLoop::~EventLoop() {
  // Work and handlers may own watches and timers: let go of them while there is a loop to take them from.
  deferred_.clear();
  empty_graveyard();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Handler last = std::move(slots_[i].handler);
  }
}

PollerKind EventLoop::poller_kind() const noexcept {
  return poller_->kind();
}

bool EventLoop::can_watch(int fd) const noexcept {
  return poller_->can_hold(fd);
}

Result<Watch> EventLoop::watch(int fd, Events interest, Handler handler) {
  if (free_slots_.empty()) {
    XSD_ASSERT(slots_.size() < kNoSlot);
    slots_.emplace_back();
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    // So that ending a registration allocates nothing.
    if (graveyard_.capacity() < slots_.size()) {
      graveyard_.reserve(slots_.size() * 2);
      free_slots_.reserve(slots_.size() * 2);
    }
  }
  const std::uint32_t index = free_slots_.back();
  Slot& slot = slots_[index];
  if (Status added = poller_->add(fd, interest & kAskable, make_token(index, slot.generation)); !added) {
    return std::move(added.error());
  }
  free_slots_.pop_back();
  slot.handler = std::move(handler);
  slot.fd = fd;
  slot.interest = interest & kAskable;
  ++watches_;
  return Watch(this, index, slot.generation);
}

void EventLoop::set_interest(std::uint32_t slot_index, Events interest) noexcept {
  Slot& slot = slots_[slot_index];
  interest &= kAskable;
  if (slot.interest == interest) return;
  slot.interest = interest;
  poller_->modify(slot.fd, interest, make_token(slot_index, slot.generation));
}

void EventLoop::remove(std::uint32_t slot_index, std::uint32_t generation) noexcept {
  Slot& slot = slots_[slot_index];
  XSD_ASSERT(slot.generation == generation);
  poller_->remove(slot.fd);
  ++slot.generation;
  slot.fd = -1;
  slot.interest = kNone;
  --watches_;
  // The running handler lies in its slot: `dispatch` buries it when it has returned.
  if (slot_index != running_slot_) bury(slot_index);
}

// Frees the slot at once and its handler when no handler runs: what it owns may be in use further up the
// stack.
void EventLoop::bury(std::uint32_t slot_index) noexcept {
  Handler handler = std::move(slots_[slot_index].handler);
  slots_[slot_index].handler = nullptr;
  free_slots_.push_back(slot_index);
  if (in_turn_) graveyard_.push_back(std::move(handler));
}

void EventLoop::empty_graveyard() noexcept {
  while (!graveyard_.empty()) {
    // Out of the vector before it is destroyed: that may bury others.
    const Handler last = std::move(graveyard_.back());
    graveyard_.pop_back();
  }
}

void EventLoop::defer(std::function<void()> work) {
  deferred_.push_back(std::move(work));
}

void EventLoop::run() {
  while (!stopping_)
    run_once();
  stopping_ = false;
}

std::optional<Duration> EventLoop::time_to_wait(std::optional<Duration> longest) const noexcept {
  if (!deferred_.empty()) return Duration::zero();
  const std::optional<MonotonicTime> deadline = wheel_.next_deadline();
  if (!deadline) return longest;
  // Not now_: the handlers of the last turn took their time.
  const MonotonicTime now = clock_.monotonic();
  const Duration left = *deadline > now ? *deadline - now : Duration::zero();
  return longest ? std::min(left, *longest) : left;
}

std::size_t EventLoop::run_once(std::optional<Duration> longest) {
  XSD_ASSERT(!in_turn_);
  in_turn_ = true;
  const std::span<const ReadyEntry> ready = poller_->wait(time_to_wait(longest));
  now_ = clock_.monotonic();
  wheel_.advance(now_);
  if (on_turn_begin_) on_turn_begin_();
  std::size_t count = 0;
  for (const ReadyEntry& entry : ready)
    count += dispatch(entry);
  count += run_timers();
  count += run_deferred();
  empty_graveyard();
  in_turn_ = false;
  if (on_turn_end_) on_turn_end_();
  return count;
}

std::size_t EventLoop::dispatch(const ReadyEntry& entry) noexcept {
  const auto index = static_cast<std::uint32_t>(entry.token & UINT32_MAX);
  const auto generation = static_cast<std::uint32_t>(entry.token >> 32);
  Slot& slot = slots_[index];
  // An earlier handler of this batch may have ended the registration or asked for less.
  if (slot.generation != generation || slot.interest == kNone) return 0;
  const Events ready = entry.events & (slot.interest | kHangup);
  if (ready == kNone) return 0;
  running_slot_ = index;
  slot.handler(ready);
  running_slot_ = kNoSlot;
  if (slot.generation != generation) bury(index);
  return 1;
}

std::size_t EventLoop::run_timers() noexcept {
  std::size_t count = 0;
  while (TimerNode* const node = wheel_.expire_one(now_)) {
    running_timer_ = static_cast<Timer*>(node->owner);
    // Out of the Timer while it runs, because it may destroy the Timer.
    std::function<void()> handler = std::move(running_timer_->handler_);
    handler();
    if (running_timer_ != nullptr) std::exchange(running_timer_, nullptr)->handler_ = std::move(handler);
    ++count;
  }
  return count;
}

std::size_t EventLoop::run_deferred() noexcept {
  if (deferred_.empty()) return 0;
  deferred_now_.swap(deferred_);
  for (const std::function<void()>& work : deferred_now_)
    work();
  const std::size_t count = deferred_now_.size();
  deferred_now_.clear();
  return count;
}

}  // namespace xsd::reactor
