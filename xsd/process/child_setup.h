// SPDX-License-Identifier: Apache-2.0
//
// What runs in the child between clone and execve. The child has the parent's memory and the parent stands
// still, so everything here calls only async-signal-safe functions, allocates nothing and ends in execve or
// exit; it writes to its stack, to `errno`, to the ChildSetup and to the room for LISTEN_PID, nothing else.
// Private to the layer.
//
// As long as the descriptor table is shared, a dup or a close would be the parent's too: unsharing comes
// first.
#pragma once

#include <cstddef>

#include <sys/resource.h>
#include <sys/types.h>

#include "xsd/process/exec_plan.h"
#include "xsd/process/spawner.h"

namespace xsd::process {

/// Plain values and borrowed pointers, filled by the Spawner.
struct ChildSetup {
  bool table_is_shared = false;
  unsigned floor = 0;  ///< if shared: what the child needs lies below
  int socket = -1;
  int standard_error = -1;  ///< -1: the socket
  bool listening = false;
  bool adopts_orphans = false;  ///< becomes a subreaper
  const LimitSetting* limits = nullptr;
  std::size_t limit_count = 0;
  bool change_nice = false;
  int nice = 0;
  mode_t umask = 022;
  const char* chroot = nullptr;  ///< nullptr: none
  const char* directory = "/";
  bool no_new_privs = true;
  bool change_ids = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;  ///< ascending, as the kernel gives them back
  std::size_t group_count = 0;
  gid_t* group_check = nullptr;  ///< room for as many
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  char* listen_pid = nullptr;  ///< room for the child's pid, nullptr: not wanted

  // Left by a child that failed:
  bool failed = false;
  bool unshare_refused = false;  ///< close_range cannot unshare here: the fallback may do
  SpawnStep step = SpawnStep::Clone;
  int error = 0;
};

/// For clone(2); `setup` is a ChildSetup. Does not return. All signals are to be blocked.
int run_child(void* setup) noexcept;

}  // namespace xsd::process
