// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/clone_into.h"

#include <cerrno>
#include <cstddef>

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

namespace xsd::process {
namespace {

using Run = int (*)(void*);

// The child keeps the registers that a call must preserve, so what it is to run waits in two of these. It
// does not return: `run` ends in exec or exit.
#if defined(__x86_64__)

__attribute__((no_sanitize("address", "thread", "undefined"))) long clone3_and_run(
    const clone_args& arguments, Run run, void* argument) noexcept {
  register Run run_register asm("r12") = run;
  register void* argument_register asm("r13") = argument;
  long result = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(&arguments), "S"(sizeof arguments), "r"(run_register), "r"(argument_register)
      : "rcx", "r11", "memory", "cc");
  return result;
}

#elif defined(__aarch64__)

__attribute__((no_sanitize("address", "thread", "undefined"))) long clone3_and_run(
    const clone_args& arguments, Run run, void* argument) noexcept {
  register Run run_register asm("x19") = run;
  register void* argument_register asm("x20") = argument;
  register long call asm("x8") = SYS_clone3;
  register long result asm("x0") = reinterpret_cast<long>(&arguments);
  register std::size_t size asm("x1") = sizeof arguments;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x30, #0\n\t"
      "mov x0, x20\n\t"
      "blr x19\n\t"
      "brk #1\n"
      "1:"
      : "+r"(result)
      : "r"(call), "r"(size), "r"(run_register), "r"(argument_register)
      : "memory", "cc");
  return result;
}

#else

long clone3_and_run(const clone_args& /*arguments*/, Run /*run*/, void* /*argument*/) noexcept {
  return -ENOSYS;
}

#endif

std::uint64_t address(const void* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

pid_t clone_into(int group, int flags, StackRange stack, int (*run)(void*), void* argument, int& pidfd,
                 int& child_tid) noexcept {
  clone_args arguments{};
  arguments.flags = static_cast<std::uint64_t>(flags) | CLONE_INTO_CGROUP;
  arguments.pidfd = address(&pidfd);
  arguments.child_tid = address(&child_tid);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = address(stack.bottom);
  arguments.stack_size = static_cast<std::uint64_t>(stack.top - stack.bottom);
  arguments.cgroup = static_cast<std::uint64_t>(group);
  const long result = clone3_and_run(arguments, run, argument);
  if (result >= 0) return static_cast<pid_t>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace xsd::process
