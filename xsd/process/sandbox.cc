// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/sandbox.h"

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace xsd::process {
namespace {

// Names, not numbers: which of them a machine has is the library's to know.
constexpr const char* kAlways[] = {
    // memory and threads
    "brk", "mmap", "mmap2", "munmap", "mprotect", "mremap", "madvise", "futex", "futex_time64", "futex_waitv",
    "set_robust_list", "get_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "gettid",
    "getpid", "getppid", "set_tid_address", "exit", "exit_group", "restart_syscall", "arch_prctl",
    "set_thread_area", "getcpu", "memfd_create",
    // signals, of our own
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "sigaltstack", "tgkill", "signalfd4",
    // clocks and waiting
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday", "time",
    "nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6",
    "pselect6_time64", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_settime64",
    "timerfd_gettime", "setitimer",
    // bytes
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2",
    "sendfile", "sendfile64", "splice", "tee", "vmsplice", "copy_file_range", "pipe2", "pipe", "close",
    "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "ioctl", "lseek", "_llseek", "fadvise64",
    "fadvise64_64", "readahead",
    // files, for reading: the flags of the opening calls are looked at below
    "fstat", "fstat64", "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "fstatfs",
    "fstatfs64", "statfs", "statfs64", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
    "getdents64", "getdents", "getcwd", "flock", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    // sockets that are there
    "accept", "accept4", "bind", "listen", "getsockname", "getpeername", "getsockopt", "setsockopt",
    "shutdown", "send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg",
    "recvmmsg_time64", "connect", "socketpair", "socketcall",
    // who we are
    "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getresuid",
    "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32", "getrlimit", "ugetrlimit",
    "prlimit64", "getrusage", "uname", "sysinfo", "getrandom", "umask", "capget"};

constexpr const char* kFiles[] = {
    "open",      "creat",           "rename",     "renameat",  "renameat2", "unlink",    "unlinkat",
    "mkdir",     "mkdirat",         "rmdir",      "ftruncate", "truncate",  "fallocate", "fsync",
    "fdatasync", "sync_file_range", "fchmod",     "link",      "linkat",    "symlink",   "symlinkat",
    "utimensat", "ftruncate64",     "truncate64", "fchmodat"};

#ifdef XSD_SANITIZED
// The runtimes of the sanitizers look at themselves; a build for tests only.
constexpr const char* kForSanitizers[] = {"ptrace", "wait4",          "waitid", "kill",   "prctl",  "clone",
                                          "clone3", "sched_getparam", "open",   "openat", "openat2"};
#else
// Nothing that serves ever needs these: who calls one is not himself any more.
constexpr const char* kDeadly[] = {
    "execve",      "execveat",       "ptrace",       "process_vm_readv", "process_vm_writev",
    "kexec_load",  "init_module",    "finit_module", "delete_module",    "bpf",
    "mount",       "umount2",        "pivot_root",   "chroot",           "setns",
    "unshare",     "keyctl",         "add_key",      "request_key",      "perf_event_open",
    "userfaultfd", "io_uring_setup", "reboot",       "swapon",           "swapoff",
    "acct",        "setuid",         "setgid",       "setresuid",        "setresgid",
    "setreuid",    "setregid",       "setgroups",    "capset",           "personality",
    "vfork",       "fork",           "pidfd_getfd",  "settimeofday",     "clock_settime",
    "sethostname"};
#endif

constexpr int kNameMemory = 0x53564d41;  // PR_SET_VMA, where the headers know it

Error failure(int result, const char* what) {
  return Error::from_errno(result < 0 ? -result : result, std::string("seccomp: ") + what);
}

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {}
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  explicit operator bool() const noexcept { return context_ != nullptr; }

  /// A name that this machine does not have needs no rule.
  template <std::size_t N>
  Status add(std::uint32_t action, const char* const (&names)[N]) {
    for (const char* const name : names) {
      if (Status status = add(action, name); !status) return status;
    }
    return {};
  }
  template <class... Comparisons>
  Status add(std::uint32_t action, const char* name, Comparisons... comparisons) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return {};
    const std::array<scmp_arg_cmp, sizeof...(comparisons)> array{comparisons...};
    const int result =
        seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(array.size()), array.data());
    // EACCES: the default action is the same. EEXIST: said already. EDOM: not on this architecture.
    if (result == 0 || result == -EACCES || result == -EEXIST || result == -EDOM) return {};
    return failure(result, name);
  }
  Status load() {
    if (const int result = seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1); result != 0)
      return failure(result, "tsync");
    if (const int result = seccomp_load(context_); result != 0) return failure(result, "load");
    return {};
  }

 private:
  scmp_filter_ctx context_;
};

Status add_special(Filter& filter, SandboxNeeds needs) {
  // A thread, not a process. clone3 has its flags in memory, where no filter can look: ENOSYS, and the
  // library takes clone.
  Status status =
      filter.add(SCMP_ACT_ALLOW, "clone",
                 scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM});
  if (!status) return status;
  if (needs.files) {
    status = filter.add(SCMP_ACT_ALLOW, kFiles);
    for (const char* const name : {"openat", "openat2"}) {
      if (status) status = filter.add(SCMP_ACT_ALLOW, name);
    }
  } else {
    constexpr scmp_datum_t kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    status = filter.add(SCMP_ACT_ALLOW, "openat", scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, kWriting, 0});
    if (status) status = filter.add(SCMP_ACT_ALLOW, "open", scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, kWriting, 0});
    // Its flags are in memory. An unprivileged user who opens for writing is stopped by the files' modes.
    if (status) status = filter.add(SCMP_ACT_ALLOW, "openat2");
  }
  if (!status) return status;
  // Names of threads and of memory; and whether there is a filter, for ourselves.
  for (const int option : {PR_SET_NAME, PR_GET_SECCOMP, kNameMemory}) {
    status = filter.add(SCMP_ACT_ALLOW, "prctl",
                        scmp_arg_cmp{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(option), 0});
    if (!status) return status;
  }
  // The host asks the kernel for its interfaces. Raw and packet sockets need a capability that nobody has
  // here.
  for (const int family : {AF_NETLINK, AF_UNIX, AF_INET, AF_INET6}) {
    if (family != AF_NETLINK && !needs.network) break;
    status = filter.add(SCMP_ACT_ALLOW, "socket",
                        scmp_arg_cmp{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0});
    if (!status) return status;
  }
  return {};
}

Status install_filter(SandboxNeeds needs) {
  Filter filter;
  if (!filter) return Error("seccomp: no filter could be made");
  Status status = filter.add(SCMP_ACT_ALLOW, kAlways);
  if (status) status = add_special(filter, needs);
#ifdef XSD_SANITIZED
  if (status) status = filter.add(SCMP_ACT_ALLOW, kForSanitizers);
#else
  if (status) status = filter.add(SCMP_ACT_KILL_PROCESS, kDeadly);
#endif
  if (!status) return status;
  return filter.load();
}

}  // namespace

Status drop_capabilities() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return Error::from_errno(errno, "capabilities: ambient");
  const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> none(cap_init(), &cap_free);
  if (!none) return Error::from_errno(errno, "capabilities");
  // The bounding set needs a capability to be changed, and means nothing to a process that can get none back.
  for (cap_value_t one = 0; cap_get_bound(one) >= 0; ++one) {
    if (cap_drop_bound(one) != 0 && errno != EPERM) return Error::from_errno(errno, "capabilities: bounding");
  }
  if (cap_set_proc(none.get()) != 0) return Error::from_errno(errno, "capabilities");
  const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> now(cap_get_proc(), &cap_free);
  if (!now || cap_compare(now.get(), none.get()) != 0) return Error("capabilities: some are left");
  return {};
}

Status enter_sandbox(SandboxNeeds needs) {
  if (Status status = drop_capabilities(); !status) return status;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Error::from_errno(errno, "no_new_privs");
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return Error("no_new_privs: not set");
  if (Status status = install_filter(needs); !status) return status;
  if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER) return Error("seccomp: not in force");
  return {};
}

}  // namespace xsd::process
