// SPDX-License-Identifier: Apache-2.0
//
// System calls are made with syscall(2) where the library's function does more than the call: setresuid and
// its kin tell every thread of the process, and the sanitizers put functions of their own in front of many.
// The attribute on each function keeps the sanitizers' bookkeeping, which belongs to the parent, out of the
// child.
#include "xsd/process/child_setup.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::process {
namespace {

// 32-bit systems have two generations of these; the first knows 16-bit ids only.
#ifdef SYS_setresuid32
constexpr long kSetresuid = SYS_setresuid32;
constexpr long kGetresuid = SYS_getresuid32;
constexpr long kSetresgid = SYS_setresgid32;
constexpr long kGetresgid = SYS_getresgid32;
constexpr long kSetgroups = SYS_setgroups32;
constexpr long kGetgroups = SYS_getgroups32;
#else
constexpr long kSetresuid = SYS_setresuid;
constexpr long kGetresuid = SYS_getresuid;
constexpr long kSetresgid = SYS_setresgid;
constexpr long kGetresgid = SYS_getresgid;
constexpr long kSetgroups = SYS_setgroups;
constexpr long kGetgroups = SYS_getgroups;
#endif

[[noreturn]] __attribute__((no_sanitize("address", "thread", "undefined"))) void fail(ChildSetup& setup,
                                                                                      SpawnStep step,
                                                                                      int error) noexcept {
  setup.step = step;
  setup.error = error;
  setup.failed = true;
  for (;;)
    syscall(SYS_exit_group, 127);
}

/// `from` becomes `to`, and stays open over execve.
__attribute__((no_sanitize("address", "thread", "undefined"))) void place(ChildSetup& setup, int from,
                                                                          int to) noexcept {
  const long result = from == to ? syscall(SYS_fcntl, to, F_SETFD, 0) : syscall(SYS_dup3, from, to, 0);
  if (result < 0) fail(setup, SpawnStep::Descriptors, errno);
}

__attribute__((no_sanitize("address", "thread", "undefined"))) void make_blocking(ChildSetup& setup,
                                                                                  int fd) noexcept {
  const long flags = syscall(SYS_fcntl, fd, F_GETFL);
  if (flags < 0 || ((flags & O_NONBLOCK) != 0 && syscall(SYS_fcntl, fd, F_SETFL, flags & ~O_NONBLOCK) != 0)) {
    fail(setup, SpawnStep::Descriptors, errno);
  }
}

/// The decimal number at the start of `text`, -1 if there is none.
__attribute__((no_sanitize("address", "thread", "undefined"))) int number_at(const char* text) noexcept {
  if (*text < '0' || *text > '9') return -1;
  int number = 0;
  for (; *text >= '0' && *text <= '9'; ++text)
    number = number * 10 + (*text - '0');
  return number;
}

/// Closes every descriptor from `first` on, where close_range(2) is missing or filtered: by the kernel's own
/// list, so that it costs what is open and not what could be. False, with errno, if that cannot be had
/// either.
__attribute__((no_sanitize("address", "thread", "undefined"))) bool close_listed(int first) noexcept {
  constexpr std::size_t kNameOffset =
      19;  // struct linux_dirent64, getdents(2): ino 8, off 8, reclen 2, type 1
  constexpr std::size_t kLengthOffset = 16;
  const long list = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (list < 0) return false;
  alignas(8) char buffer[4096];
  for (;;) {
    // The position in this list is a descriptor number, so closing while reading skips none.
    const long size = syscall(SYS_getdents64, list, buffer, sizeof buffer);
    if (size < 0) return false;
    if (size == 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      std::uint16_t length = 0;
      std::memcpy(&length, buffer + at + kLengthOffset, sizeof length);
      const int fd = number_at(buffer + at + kNameOffset);
      if (fd >= first && fd != list) syscall(SYS_close, fd);
      at += length;
    }
  }
  if (list >= first) syscall(SYS_close, list);
  return true;
}

__attribute__((no_sanitize("address", "thread", "undefined"))) void arrange_descriptors(
    ChildSetup& setup) noexcept {
  if (setup.table_is_shared && syscall(SYS_close_range, setup.floor, ~0U, CLOSE_RANGE_UNSHARE) != 0) {
    setup.unshare_refused = errno == ENOSYS || errno == EINVAL || errno == EPERM;
    fail(setup, SpawnStep::Descriptors, errno);
  }

  // From here on the table is ours. Standard error first leaves 0 and 1 before the socket takes them.
  int standard_error = setup.standard_error;
  if (standard_error == setup.socket) standard_error = -1;
  if (standard_error == 0 || standard_error == 1) {
    standard_error = static_cast<int>(syscall(SYS_fcntl, standard_error, F_DUPFD_CLOEXEC, 3));
    if (standard_error < 0) fail(setup, SpawnStep::Descriptors, errno);
  }
  // Once the socket is at 0 every other copy is made from there, so it does not matter which number it had:
  // 1, 2 and 3 may be overwritten, with itself too.
  place(setup, setup.socket, 0);
  place(setup, 0, 1);
  place(setup, standard_error < 0 ? 0 : standard_error, 2);
  if (setup.listening) place(setup, 0, 3);

  // Others may have these open files too, and have set them to non-blocking: an earlier program, or we.
  make_blocking(setup, 0);
  if (standard_error >= 0) make_blocking(setup, 2);

  const int first_unwanted = setup.listening ? 4 : 3;
  if (syscall(SYS_close_range, first_unwanted, ~0U, 0) != 0 && !close_listed(first_unwanted)) {
    fail(setup, SpawnStep::Descriptors, errno);
  }
}

__attribute__((no_sanitize("address", "thread", "undefined"))) void set_limits(ChildSetup& setup) noexcept {
  for (std::size_t i = 0; i < setup.limit_count; ++i) {
    const LimitSetting& limit = setup.limits[i];
    if (setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &limit.value) != 0) {
      fail(setup, SpawnStep::Limits, errno);
    }
  }
}

__attribute__((no_sanitize("address", "thread", "undefined"))) void enter_directory(
    ChildSetup& setup) noexcept {
  if (setup.chroot != nullptr && (syscall(SYS_chroot, setup.chroot) != 0 || syscall(SYS_chdir, "/") != 0)) {
    fail(setup, SpawnStep::Chroot, errno);
  }
  if (syscall(SYS_chdir, setup.directory) != 0) fail(setup, SpawnStep::Directory, errno);
}

/// A call that said yes and did not do it (a filter, an interposer) counts as one that is not permitted.
__attribute__((no_sanitize("address", "thread", "undefined"))) void change_ids(ChildSetup& setup) noexcept {
  if (syscall(kSetgroups, setup.group_count, setup.groups) != 0) fail(setup, SpawnStep::Groups, errno);
  // EINVAL here: there are more than there is room for.
  const long groups = syscall(kGetgroups, setup.group_count, setup.group_check);
  if (groups != static_cast<long>(setup.group_count)) fail(setup, SpawnStep::Groups, EPERM);
  for (std::size_t i = 0; i < setup.group_count; ++i) {
    if (setup.groups[i] != setup.group_check[i]) fail(setup, SpawnStep::Groups, EPERM);
  }

  // Never what is wanted unless the kernel writes it.
  gid_t real_gid = ~setup.gid;
  gid_t effective_gid = ~setup.gid;
  gid_t saved_gid = ~setup.gid;
  if (syscall(kSetresgid, setup.gid, setup.gid, setup.gid) != 0) fail(setup, SpawnStep::Gid, errno);
  if (syscall(kGetresgid, &real_gid, &effective_gid, &saved_gid) != 0) fail(setup, SpawnStep::Gid, errno);
  if (real_gid != setup.gid || effective_gid != setup.gid || saved_gid != setup.gid) {
    fail(setup, SpawnStep::Gid, EPERM);
  }

  uid_t real_uid = ~setup.uid;
  uid_t effective_uid = ~setup.uid;
  uid_t saved_uid = ~setup.uid;
  if (syscall(kSetresuid, setup.uid, setup.uid, setup.uid) != 0) fail(setup, SpawnStep::Uid, errno);
  if (syscall(kGetresuid, &real_uid, &effective_uid, &saved_uid) != 0) fail(setup, SpawnStep::Uid, errno);
  if (real_uid != setup.uid || effective_uid != setup.uid || saved_uid != setup.uid) {
    fail(setup, SpawnStep::Uid, EPERM);
  }
}

__attribute__((no_sanitize("address", "thread", "undefined"))) void write_pid(char* out) noexcept {
  char digits[20];
  std::size_t count = 0;
  for (long pid = syscall(SYS_getpid); pid > 0; pid /= 10)
    digits[count++] = static_cast<char>('0' + pid % 10);
  while (count > 0)
    *out++ = digits[--count];
  *out = '\0';
}

}  // namespace

__attribute__((no_sanitize("address", "thread", "undefined"))) int run_child(void* argument) noexcept {
  ChildSetup& setup = *static_cast<ChildSetup*>(argument);
  arrange_descriptors(setup);
  if (syscall(SYS_setsid) < 0) fail(setup, SpawnStep::Session, errno);
  if (setup.adopts_orphans && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    fail(setup, SpawnStep::Session, errno);
  }
  set_limits(setup);
  if (setup.change_nice && syscall(SYS_setpriority, PRIO_PROCESS, 0, setup.nice) != 0) {
    fail(setup, SpawnStep::Nice, errno);
  }
  (void)syscall(SYS_umask, setup.umask);  // cannot fail; the answer is the old one
  enter_directory(setup);
  if (setup.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    fail(setup, SpawnStep::NoNewPrivs, errno);
  }
  if (setup.listen_pid != nullptr) write_pid(setup.listen_pid);
  constexpr unsigned char kNoSignals[(_NSIG - 1) / 8] = {};
  if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, kNoSignals, nullptr, sizeof kNoSignals) != 0) {
    fail(setup, SpawnStep::SignalMask, errno);
  }
  if (setup.change_ids) change_ids(setup);
  syscall(SYS_execve, setup.program, setup.argv, setup.envp);
  fail(setup, SpawnStep::Exec, errno);
}

}  // namespace xsd::process
