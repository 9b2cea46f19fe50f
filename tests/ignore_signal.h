// SPDX-License-Identifier: Apache-2.0
//
// Sets what a signal does as some callers of a daemon do it: past the C library, which would leave out the
// two signals that it keeps for itself (32 and 33, nptl(7)). Async-signal-safe.
#pragma once

#include <csignal>

#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::test {

/// `handler` as the kernel has it: 0 the default, 1 ignored.
inline void set_signal(int number, unsigned long handler) noexcept {
  unsigned long action[16] = {};
#if defined(__mips__)
  action[1] = handler;
#else
  action[0] = handler;  // first in the kernel's form
#endif
  (void)syscall(SYS_rt_sigaction, number, action, nullptr, (_NSIG - 1) / 8);
}

inline void ignore_signal(int number) noexcept {
  set_signal(number, 1);
}

}  // namespace xsd::test
