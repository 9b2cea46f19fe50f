// SPDX-License-Identifier: Apache-2.0
//
// GroupSweeper: tells when a process group has no live member but its leader. A program's main process may
// end on TERM while its children still clean up; they get the rest of the grace that the service has. The
// leader stays a zombie meanwhile (ChildWatch::hold), so its number is not reused. The kernel has no event
// for this: /proc is read once for all groups that are asked for, at first at once and then every 50 ms as
// long as there are any, which is only while services are being stopped.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include <sys/types.h>

#include "xsd/reactor/event_loop.h"

namespace xsd::process {

class GroupSweeper {
 public:
  explicit GroupSweeper(reactor::EventLoop& loop);

  /// Calls `gone` from the loop once nobody but the (dead) leader is left in the group.
  void watch(pid_t leader, std::function<void()> gone);
  void forget(pid_t leader) noexcept;

 private:
  void sweep();

  std::unordered_map<pid_t, std::function<void()>> groups_;
  reactor::Timer timer_;
};

/// Process groups that have a member which is not a zombie, from /proc/PID/stat (proc(5)).
std::vector<pid_t> live_process_groups();

}  // namespace xsd::process
