// SPDX-License-Identifier: Apache-2.0
//
// ProcessTree: a program's main process and all that comes from it, whatever it does about sessions and
// process groups, so that it can be ended as a whole. Owned by whoever watches the main process; that one,
// and what is in its process group, is the owner's to signal.
//
// Where the program was started in a cgroup of its own, the cgroup is the tree: exact, also after the main
// process has ended.
//
// Elsewhere the tree is found by walking it, when it is asked for and not before: from the main process by
// the kernel's lists of children (/proc/PID/task/TID/children, proc(5)). The main process was made a
// subreaper (SpawnRequest::keeps_tree), so as long as it lives whoever loses its parent becomes its child and
// is found. What was found once is remembered by its number and start time and goes on being walked from
// after the main process's end. Not found is what the main process has left behind when it ended by itself,
// and what a process forks, and leaves, between the last look and the main process's end.
//
// Nobody else is ever hit by a number that is used again: who is signalled is held by a pidfd first and
// looked at again then.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <sys/types.h>

#include "xsd/process/control_group.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::process {

class ProcessTree {
 public:
  /// Of a tree that is walked, at a time: walking one is to take milliseconds. The others are found when
  /// these are gone.
  static constexpr std::size_t kMostRemembered = 256;

  /// `group` is empty where the tree is to be walked.
  ProcessTree(reactor::EventLoop& loop, pid_t main, ControlGroup group);
  ProcessTree(const ProcessTree&) = delete;
  ProcessTree& operator=(const ProcessTree&) = delete;

  /// True if it is known whether anything lives after the main process has ended by itself.
  bool outlives_main() const noexcept { return group_.exists(); }
  /// To all but the process group `but` (0: to all).
  void signal(int number, pid_t but);
  /// KILL to all, where the tree is walked without the main process: until it ends too, those that lose their
  /// parent are given to it. False if there was somebody left to kill: look again before the main process is
  /// killed.
  bool kill();
  /// The main process has ended; its number may be another's soon.
  void forget_main() noexcept { main_ = 0; }
  /// Calls `empty` from the loop once nothing lives any more but the main process. After `kill` no longer
  /// than a second, where the tree is walked: what is not gone by then is stuck in the kernel.
  void on_empty(std::function<void()> empty);

 private:
  struct Member {
    pid_t pid;
    std::uint64_t start;  ///< in ticks since boot
  };

  void look();
  void look_below(pid_t parent);
  void check();
  bool is_group_alive();
  bool is_walked_alive();

  reactor::EventLoop& loop_;
  ControlGroup group_;
  pid_t main_;
  std::vector<Member> members_;  ///< without the main process
  bool killed_ = false;
  int looks_after_kill_ = 0;
  std::function<void()> empty_;
  UniqueFd events_;
  reactor::Watch watch_;
  reactor::Timer timer_;
};

}  // namespace xsd::process
