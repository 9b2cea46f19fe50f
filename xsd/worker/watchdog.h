// SPDX-License-Identifier: Apache-2.0
//
// Watchdog: ends a process whose loop is stuck in one turn: a plugin that never returns, or blocks for longer
// than anybody should wait. It costs one system call in three seconds while there is something to do, and
// nothing while the loop waits: a signal of the process's own timer (setitimer(2)) looks whether the turn
// that it saw the last time still goes on; after the second such look the process ends by SIGABRT. So a turn
// may take six seconds, and does not take more than nine.
//
// One for the process. Calls that a plugin blocks in are interrupted by the signal where SA_RESTART does not
// hold (signal(7)).
#pragma once

#include <cstdint>

#include "xsd/reactor/event_loop.h"

namespace xsd::worker {

class Watchdog {
 public:
  /// Watches the turns of this loop from now on; `hung` becomes 1 before it ends the process. Both are
  /// borrowed for the life of the process.
  static void start(reactor::EventLoop& loop, std::uint64_t& hung);
};

}  // namespace xsd::worker
