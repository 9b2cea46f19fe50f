// SPDX-License-Identifier: Apache-2.0
//
// Ignores a signal as some callers of a daemon do it: past the C library, which would leave out the two
// signals that it keeps for itself (32 and 33, nptl(7)). Async-signal-safe.
#pragma once

#include <csignal>

#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::test {

inline void ignore_signal(int number) noexcept {
  unsigned long action[16] = {};
#if defined(__mips__)
  action[1] = 1;
#else
  action[0] = 1;  // SIG_IGN, first in the kernel's form
#endif
  (void)syscall(SYS_rt_sigaction, number, action, nullptr, (_NSIG - 1) / 8);
}

}  // namespace xsd::test
