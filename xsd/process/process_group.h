// SPDX-License-Identifier: Apache-2.0
//
// GroupSweeper: tells when a process group has no live member but its leader. A program's main process may
// end on TERM while its children still clean up; they get the rest of the grace that the service has. The
// leader stays a zombie meanwhile (ChildWatch::hold), so its number is not reused. The kernel has no event
// for this: /proc is read once for all groups that are asked for, at first at once and then every 50 ms as
// long as there are any, which is only while services are being stopped.
//
// A sweep over many thousand processes is done in steps of 2 ms, and each step is followed by a pause of 20
// times its length, so that it costs others 5 % of the time however many there are. What cannot be found out
// (no /proc, no descriptor left to read it) counts as alive: whoever asked has a limit of his own, after
// which he kills the group.
#pragma once

#include <functional>
#include <unordered_map>

#include <sys/types.h>

#include "xsd/base/directory.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::process {

class GroupSweeper {
 public:
  explicit GroupSweeper(reactor::EventLoop& loop);

  /// Calls `gone` from the loop once nobody but the (dead) leader is left in the group.
  void watch(pid_t leader, std::function<void()> gone);
  void forget(pid_t leader) noexcept;

 private:
  struct Group {
    std::function<void()> gone;
    /// False for one that came in the middle of a sweep: that sweep says nothing about it.
    bool in_sweep = false;
    bool seen_alive = false;
  };

  void on_timer();
  void begin_sweep();
  /// True at the end of the sweep; false when time is up.
  bool go_on(MonotonicTime until);
  void end_sweep();
  void look_at(pid_t pid);

  const Clock& clock_;
  std::unordered_map<pid_t, Group> groups_;
  std::size_t undecided_ = 0;  ///< groups in the sweep that were not seen alive yet
  DirectoryStream processes_;  ///< open during a sweep
  bool saw_ourselves_ = false;
  reactor::Timer timer_;
};

}  // namespace xsd::process
