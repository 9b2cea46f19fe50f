// SPDX-License-Identifier: Apache-2.0
//
// The smallest program a super-server can start: writes one byte to its connection and ends. No C library, so
// that what is measured is the starting and not the started.
#if defined(__x86_64__)

static long call3(long number, long a, long b, long c) {
  long result = number;
  __asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

void _start(void);
void _start(void) {
  static const char dot = '.';
  (void)call3(1, 1, (long)&dot, 1);  // write; a peer that went away is no concern of ours
  for (;;)
    (void)call3(231, 0, 0, 0);  // exit_group
}

#else

#include <unistd.h>

int main(void) {
  _exit(write(1, ".", 1) == 1 ? 0 : 1);
}

#endif
