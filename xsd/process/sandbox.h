// SPDX-License-Identifier: Apache-2.0
//
// The sandbox of a role: what is left to a process that hosts plugins or reads what strangers wrote. After it
// the process has no capabilities in any set, cannot gain privileges by exec (no_new_privs), and its system
// calls go through a filter (seccomp(2)) that knows what such a process needs:
//   - always: memory, threads, clocks, waiting, reading files, and sockets that are there
//   - never: executing anything, tracing, kernel interfaces of administrators. These end the process
//     (SIGSYS); the rest of what is not on the list fails with ENOSYS, which libraries know how to take.
// Every step is checked; the first that fails is the error, and the process must not go on.
#pragma once

#include "xsd/base/result.h"

namespace xsd::process {

struct SandboxNeeds {
  bool files = false;    ///< make, write, rename and remove files
  bool network = false;  ///< make sockets
};

/// `needs` only add. Nothing is undone if it fails: end the process.
Status enter_sandbox(SandboxNeeds needs);

/// The first step of it alone, for a role that has to start processes: all sets of capabilities are empty
/// afterwards.
Status drop_capabilities();

}  // namespace xsd::process
