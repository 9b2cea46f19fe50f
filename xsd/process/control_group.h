// SPDX-License-Identifier: Apache-2.0
//
// ControlGroups: cgroups (v2) below our own, one for each program whose whole process tree is to be ended.
// Whatever the program starts is in its group, and nothing that has no privileges gets out of it: not by
// setsid, not by a second fork. A program is started in its group (CLONE_INTO_CGROUP); to move one that runs
// would take the kernel 10 ms.
//
// There are none where no cgroup2 hierarchy is mounted, where we may not make folders in our place of it (an
// ordinary user without delegation, a mount that is read only), or where the kernel cannot kill a group
// (before 5.14): `make` then gives an empty one, and whoever asked has to do without.
//
// A ControlGroup owns its folder, which goes with it if nothing lives in the group any more. What a daemon
// that was killed has left is removed, if it is empty, when the next one makes its first group.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <sys/types.h>

#include "xsd/base/unique_fd.h"

namespace xsd::process {

class ControlGroup {
 public:
  ControlGroup() = default;
  ControlGroup(ControlGroup&& other) noexcept
      : folder_(std::exchange(other.folder_, {})), name_(std::exchange(other.name_, {})) {}
  ControlGroup& operator=(ControlGroup&& other) noexcept;
  ~ControlGroup() { (void)remove(); }

  bool exists() const noexcept { return !folder_.empty(); }
  /// For CLONE_INTO_CGROUP; empty, with errno, if it cannot be opened.
  UniqueFd open() const;
  /// The file that tells of the last member's end (kPriority); to be read anew with `is_populated`.
  UniqueFd open_events() const;
  /// Calls `visit` with each process that is in it now. The number may be another's by then.
  void for_each(const std::function<void(pid_t)>& visit) const;
  /// Whether the process is in it, or in a group below.
  bool holds(pid_t pid) const;
  /// KILL to all that is in it, also to what is being forked. False if the kernel would not.
  bool kill() const;
  /// True if it is gone: nothing lives in it. A process that has ended and is not reaped does not live.
  bool remove() noexcept;

 private:
  friend class ControlGroups;
  ControlGroup(std::string folder, std::string name) : folder_(std::move(folder)), name_(std::move(name)) {}

  std::string folder_;  ///< empty: none
  std::string name_;    ///< as /proc/PID/cgroup says it
};

/// By what `open_events` gave.
bool is_populated(int events) noexcept;

class ControlGroups {
 public:
  /// A new group, an empty one if that cannot be had now.
  ControlGroup make();

 private:
  void look_for_place();
  void remove_old() const;

  bool looked_ = false;
  std::string folder_;  ///< ours; empty: none
  std::string name_;    ///< ours, without a slash at its end
  unsigned long last_ = 0;
};

}  // namespace xsd::process
