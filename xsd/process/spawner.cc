// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/spawner.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <utility>

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsd/process/child_setup.h"
#include "xsd/process/clone_into.h"

namespace xsd::process {
namespace {

constexpr std::size_t kGuardSize = std::size_t{64} * 1024;  // a page, however large pages are
constexpr std::size_t kStackSize = std::size_t{64} * 1024;
constexpr std::size_t kWordRoom = 64;  // above the stack, a multiple of its alignment
constexpr std::size_t kMostStuck = 16;

constexpr std::array<std::string_view, 13> kStepNames{
    "clone",     "descriptors", "setsid", "rlimit",       "nice",    "chroot", "chdir",
    "setgroups", "setgid",      "setuid", "no_new_privs", "sigmask", "exec"};

/// The kernel's form of a signal set. The library's functions leave out the two signals that it keeps for
/// itself.
using SignalSet = std::array<unsigned char, (_NSIG - 1) / 8>;

#if defined(__mips__)
constexpr bool kKernelActionHasFlagsFirst = true;
#else
constexpr bool kKernelActionHasFlagsFirst = false;
#endif

bool is_refusal(int error) noexcept {
  return error == EINVAL || error == ENOSYS || error == EPERM;
}

/// Gives `fd` a number below the floor if it has none. False if there is no such number left.
bool bring_below_floor(int& fd, UniqueFd& low) {
  if (fd < fd_floor()) return true;
  Result<UniqueFd> lowered = lower_fd(fd);
  if (!lowered || lowered->get() >= fd_floor()) return false;
  low = *std::move(lowered);
  fd = low.get();
  return true;
}

enum class Departure : std::uint8_t {
  InTime,  ///< it has executed its program or ended by itself
  Killed,  ///< it was killed, and has ended
  NotYet,  ///< it was killed, and has not ended
};

/// Waits until the child has left our memory, by exec or exit: then the kernel sets `in_our_memory` to 0 and
/// wakes us (CLONE_CHILD_CLEARTID). Not CLONE_VFORK, which cannot be told how long to wait: whoever runs as
/// the service's user may stop the child between its setuid and its exec, and we would stand still with it.
/// A stop wakes nobody, so we look every few milliseconds: more often would cost every start on a busy
/// machine.
///
/// The child has our errno, too. The wait leaves it alone as long as the child is there, except when time is
/// up.
Departure wait_for_exec(int& in_our_memory, int pidfd) noexcept {
  static constexpr timespec kRound{0, 5'000'000};
  constexpr int kRounds = 1000;
  constexpr int kRoundsAfterKill = 20;
  constexpr int kFatalStop = 3;
  const std::atomic_ref<int> word(in_our_memory);
  const auto send = [pidfd](int number) {
    return syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0;
  };
  int rounds = kRounds;
  int stops = 0;
  bool killed = false;
  while (word.load(std::memory_order_acquire) != 0) {
    if (syscall(SYS_futex, &in_our_memory, FUTEX_WAIT, 1, &kRound, nullptr, 0) == 0 || errno != ETIMEDOUT)
      continue;
    // WNOWAIT: an end is left to whoever reaps, and a stop is told of until the child goes on.
    siginfo_t info{};
    const bool told =
        waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0;
    const bool stopped = told && info.si_code == CLD_STOPPED;
    if (told && !stopped) break;  // a child that dumps core ends without a word
    --rounds;
    if (killed) {
      if (rounds <= 0) return Departure::NotYet;
    } else if (stopped && ++stops < kFatalStop) {
      (void)send(SIGCONT);  // ended: fine too
    } else if (stopped || rounds <= 0) {
      // If that is refused (an LSM) there is nothing to do but to wait on: it may still run in our memory.
      killed = send(SIGKILL);
      rounds = killed ? kRoundsAfterKill : kRounds;
    }
  }
  return killed ? Departure::Killed : Departure::InTime;
}

void reap(int pidfd) noexcept {
  siginfo_t info;
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

bool reap_if_ended(int pidfd) noexcept {
  siginfo_t info{};
  // ECHILD: somebody else did.
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) != 0) return errno == ECHILD;
  return info.si_pid != 0;
}

char* bottom_of(void* stack) noexcept {
  return static_cast<char*>(stack) + kGuardSize;
}

char* top_of(void* stack) noexcept {
  return bottom_of(stack) + kStackSize - kWordRoom;
}

bool is_want_of_resources(int error) noexcept {
  return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

}  // namespace

std::string_view step_name(SpawnStep step) noexcept {
  return kStepNames[static_cast<std::size_t>(step)];
}

Status reset_signal_dispositions() {
  for (int number = 1; number < _NSIG; ++number) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    // Asked of the kernel, since the library denies that there are the two signals that it keeps for itself
    // (nptl(7)), and a caller may have ignored these too. The handler comes first in the kernel's form, but
    // on MIPS second, and SIG_DFL is all zeros.
    constexpr std::size_t kHandler = kKernelActionHasFlagsFirst ? 1 : 0;
    std::array<unsigned long, 16> action{};
    if (syscall(SYS_rt_sigaction, number, nullptr, action.data(), SignalSet().size()) != 0) {
      return Error::from_errno(errno, "sigaction " + std::to_string(number));
    }
    if (action[kHandler] != reinterpret_cast<std::uintptr_t>(SIG_IGN)) continue;
    action = {};
    if (syscall(SYS_rt_sigaction, number, action.data(), nullptr, SignalSet().size()) != 0) {
      return Error::from_errno(errno, "sigaction " + std::to_string(number));
    }
  }
  return {};
}

bool SpawnFailure::temporary() const noexcept {
  return is_want_of_resources(error);
}

std::string SpawnFailure::text(const ExecPlan& plan) const {
  std::string what(step_name(step));
  switch (step) {
    case SpawnStep::Exec:
      what += " " + plan.program;
      break;
    case SpawnStep::Chroot:
      what += " " + plan.chroot;
      break;
    case SpawnStep::Directory:
      what += " " + plan.directory;
      break;
    case SpawnStep::Nice:
      if (plan.nice) what += " " + std::to_string(*plan.nice);
      break;
    case SpawnStep::Gid:
      if (plan.credentials) what += " " + std::to_string(plan.credentials->gid);
      break;
    case SpawnStep::Uid:
      if (plan.credentials) what += " " + std::to_string(plan.credentials->uid);
      break;
    default:
      break;
  }
  what += ": " + errno_text(error);
  // execve(2) says the same for a program that is missing and for one whose interpreter is.
  if (step == SpawnStep::Exec && error == ENOENT && plan.chroot.empty() &&
      access(plan.program.c_str(), F_OK) == 0) {
    what += " (its interpreter)";
  }
  return what;
}

struct Spawner::Outcome {
  pid_t pid = -1;
  UniqueFd pidfd;
  SpawnFailure failure{SpawnStep::Clone, 0};
  bool refused = false;  // this way of cloning does not work here
};

Spawner::Spawner(bool share_descriptors) : shares_descriptors_(share_descriptors) {
  (void)map_stack();  // tried again by spawn()
}

Spawner::~Spawner() {
  reap_stuck();  // whoever is still stuck keeps its stack
  if (stack_ != nullptr) (void)munmap(stack_, kGuardSize + kStackSize);  // nobody is left to tell
}

bool Spawner::map_stack() noexcept {
  void* const stack =
      mmap(nullptr, kGuardSize + kStackSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return false;
  // Stacks grow down on everything that Debian runs on: the guard is the low end.
  if (mprotect(static_cast<char*>(stack) + kGuardSize, kStackSize, PROT_READ | PROT_WRITE) != 0) {
    const int error = errno;
    (void)munmap(stack, kGuardSize + kStackSize);
    errno = error;
    return false;
  }
  stack_ = stack;
  return true;
}

void Spawner::reap_stuck() noexcept {
  std::erase_if(stuck_, [](Stuck& stuck) {
    if (!reap_if_ended(stuck.pidfd.get())) return false;
    (void)munmap(stuck.stack, kGuardSize + kStackSize);  // as in the destructor
    return true;
  });
}

Spawner::Outcome Spawner::start(ChildSetup& setup, bool share, int group) noexcept {
  setup.table_is_shared = share;
  setup.floor = static_cast<unsigned>(fd_floor());
  setup.failed = false;
  setup.unshare_refused = false;
  const int flags = CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_PIDFD | (share ? CLONE_FILES : 0);

  // The child runs in our memory: no handler may run there. It gets an empty mask just before its exec.
  SignalSet all;
  all.fill(0xff);
  SignalSet before{};
  Outcome outcome;
  int pidfd = -1;
  int& in_our_memory = *reinterpret_cast<int*>(top_of(stack_));
  in_our_memory = 1;
  Departure departure = Departure::InTime;
  (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, all.data(), before.data(),
                all.size());  // fails on bad pointers only
  outcome.pid =
      group >= 0 ? clone_into(group, flags, {bottom_of(stack_), top_of(stack_)}, run_child, &setup, pidfd,
                              in_our_memory)
                 : clone(run_child, top_of(stack_), flags | SIGCHLD, &setup, &pidfd, nullptr, &in_our_memory);
  const int error = outcome.pid < 0 ? errno : 0;
  if (outcome.pid >= 0) departure = wait_for_exec(in_our_memory, pidfd);
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, before.data(), nullptr, before.size());

  if (outcome.pid < 0) {
    outcome.failure = {SpawnStep::Clone, error};
    outcome.refused = is_refusal(error);
    return outcome;
  }
  outcome.pidfd = UniqueFd(pidfd);
  if (departure == Departure::NotYet) {
    stuck_.push_back({std::move(outcome.pidfd), std::exchange(stack_, nullptr), std::move(groups_)});
  } else if (setup.failed || departure == Departure::Killed) {
    reap(pidfd);
  } else {
    return outcome;
  }
  outcome.pid = -1;
  outcome.failure =
      setup.failed ? SpawnFailure{setup.step, setup.error} : SpawnFailure{SpawnStep::Exec, ETIMEDOUT};
  outcome.refused = setup.unshare_refused && departure != Departure::NotYet;
  return outcome;
}

tl::expected<Spawned, SpawnFailure> Spawner::spawn(const ExecPlan& plan,
                                                   const SpawnRequest& request) noexcept {
  reap_stuck();
  if (stuck_.size() >= kMostStuck) return tl::unexpected(SpawnFailure{SpawnStep::Clone, EAGAIN});
  if (stack_ == nullptr && !map_stack()) return tl::unexpected(SpawnFailure{SpawnStep::Clone, errno});

  vectors_.build(plan, request);
  ChildSetup setup;
  setup.socket = request.socket;
  setup.standard_error = request.standard_error;
  setup.listening = request.listening;
  setup.limits = plan.limits.data();
  setup.limit_count = plan.limits.size();
  setup.change_nice = plan.nice.has_value();
  setup.nice = plan.nice.value_or(0);
  setup.umask = plan.umask;
  setup.chroot = plan.chroot.empty() ? nullptr : plan.chroot.c_str();
  setup.directory = plan.directory.empty() ? "/" : plan.directory.c_str();
  setup.no_new_privs = plan.no_new_privs;
  if (plan.credentials) {
    const Credentials& ids = *plan.credentials;
    groups_.assign(ids.groups.begin(), ids.groups.end());
    std::sort(groups_.begin(), groups_.end());
    groups_.resize(ids.groups.size() * 2);
    setup.change_ids = true;
    setup.uid = ids.uid;
    setup.gid = ids.gid;
    setup.groups = groups_.data();
    setup.group_count = ids.groups.size();
    setup.group_check = groups_.data() + ids.groups.size();
  }
  setup.program = plan.program.c_str();
  setup.argv = vectors_.argv();
  setup.envp = vectors_.envp();
  setup.listen_pid = vectors_.listen_pid();

  UniqueFd low_socket;
  UniqueFd low_error;
  const bool share = shares_descriptors_ && bring_below_floor(setup.socket, low_socket) &&
                     bring_below_floor(setup.standard_error, low_error);
  ControlGroup group = request.keeps_tree ? control_groups_.make() : ControlGroup();
  UniqueFd folder = group.exists() ? group.open() : UniqueFd();
  setup.adopts_orphans = request.keeps_tree && !folder;
  Outcome outcome = start(setup, share, folder.get());
  if (folder && outcome.pid < 0 && outcome.failure.step == SpawnStep::Clone &&
      !is_want_of_resources(outcome.failure.error)) {
    folder.reset();
    setup.adopts_orphans = true;
    outcome = start(setup, share, -1);
  }
  if (share && outcome.refused) {
    outcome = start(setup, false, folder.get());
    shares_descriptors_ = outcome.refused;  // if neither works it is not the sharing that is refused
  }
  if (outcome.pid < 0) return tl::unexpected(outcome.failure);
  Spawned spawned{outcome.pid, raise_fd(std::move(outcome.pidfd))};
  if (folder) spawned.group = std::move(group);
  return spawned;
}

}  // namespace xsd::process
