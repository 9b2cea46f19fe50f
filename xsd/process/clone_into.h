// SPDX-License-Identifier: Apache-2.0
//
// clone3(2) with CLONE_INTO_CGROUP and a stack of the caller's, which glibc 2.36 has no function for and
// which cannot be called from C: the child comes back on an empty stack. Private to the layer.
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace xsd::process {

struct StackRange {
  char* bottom;  ///< the lowest byte
  char* top;
};

/// As clone(2) with SIGCHLD and CLONE_PIDFD, in the cgroup whose folder `group` is. -1 and errno on failure:
/// ENOSYS also where this was not written for the processor.
pid_t clone_into(int group, int flags, StackRange stack, int (*run)(void*), void* argument, int& pidfd,
                 int& child_tid) noexcept;

}  // namespace xsd::process
