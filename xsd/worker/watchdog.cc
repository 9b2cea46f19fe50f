// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/watchdog.h"

#include <atomic>
#include <csignal>
#include <cstdlib>

#include <sys/time.h>

namespace xsd::worker {
namespace {

constexpr long kSeconds = 3;
constexpr int kMostLooks = 2;

// What the handler of the signal sees. Atomic and free of locks, hence safe there.
std::atomic<std::uint64_t> turn = 0;  ///< odd: one goes on
std::atomic<bool> armed = false;
std::atomic<std::uint64_t> seen_turn = 0;
std::atomic<int> looks = 0;
std::atomic<std::uint64_t*> told = nullptr;
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// Only the loop counts, so nobody comes in between.
void count_turn() noexcept {
  turn.store(turn.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void arm() noexcept {
  armed = true;
  const itimerval once{{0, 0}, {kSeconds, 0}};
  (void)setitimer(ITIMER_REAL, &once, nullptr);  // cannot fail with these
}

void look(int /*signal*/) noexcept {
  const std::uint64_t now = turn;
  if (now % 2 == 0) {
    armed = false;
    return;
  }
  looks = seen_turn.exchange(now) == now ? looks + 1 : 0;
  if (looks >= kMostLooks) {
    *told.load() = 1;
    abort();
  }
  arm();
}

}  // namespace

void Watchdog::start(reactor::EventLoop& loop, std::uint64_t& hung) {
  told = &hung;
  struct sigaction action {};
  action.sa_handler = look;
  action.sa_flags = SA_RESTART;
  (void)sigaction(SIGALRM, &action, nullptr);  // cannot fail with these, nor do the next ones
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  (void)sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
  loop.on_turn(
      [] {
        count_turn();
        if (!armed.load(std::memory_order_relaxed)) arm();
      },
      count_turn);
}

}  // namespace xsd::worker
