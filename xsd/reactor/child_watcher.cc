// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/child_watcher.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>
}

namespace xsd::reactor {
namespace {

// Linux 6.9, <linux/pidfd.h>.
constexpr unsigned kSignalProcessGroup = 1U << 2;

// __WALL: whatever signal, or none, the child was started to send at its end.
constexpr int kEnded = WEXITED | WNOHANG | __WALL;

enum class Ending { Running, Ended, Unknown };

// The system call tells what that one child has used, which the function of the library does not.
Ending wait_for(int pidfd, int flags, siginfo_t& info, rusage& used) noexcept {
  info = {};
  used = {};
  if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, kEnded | flags, &used) != 0) {
    // ECHILD: the status is lost (SIGCHLD ignored, or somebody else waited); the child is gone all the same.
    return errno == ECHILD ? Ending::Unknown : Ending::Running;
  }
  return info.si_pid != 0 ? Ending::Ended : Ending::Running;
}

Duration to_duration(const timeval& time) noexcept {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// Grows, if at all.
std::uint64_t find_own_peak_kib() noexcept {
  rusage own{};
  return getrusage(RUSAGE_SELF, &own) == 0 ? static_cast<std::uint64_t>(own.ru_maxrss) : 0;
}

ChildExit to_exit(pid_t pid, Ending ending, const siginfo_t& info) noexcept {
  ChildExit exit;
  exit.pid = pid;
  if (ending == Ending::Unknown) {
    exit.code = -1;
    return exit;
  }
  exit.signalled = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
  exit.code = info.si_status;
  return exit;
}

bool reap(pid_t pid) noexcept {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, kEnded) == 0 && info.si_pid != 0;
}

// All children of this thread, ended ones included; empty where /proc does not say.
std::vector<pid_t> list_children() {
  std::vector<pid_t> children;
  const UniqueFd file(open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
  if (!file) return children;
  std::array<char, 4096> buffer;
  pid_t number = 0;
  for (;;) {
    const ssize_t length = read(file.get(), buffer.data(), buffer.size());
    if (length <= 0) return children;
    for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i) {
      if (buffer[i] >= '0' && buffer[i] <= '9') {
        number = number * 10 + (buffer[i] - '0');
      } else {  // a blank follows each number, the last one too
        if (number > 0) children.push_back(number);
        number = 0;
      }
    }
  }
}

}  // namespace

std::string ChildExit::text() const {
  if (!signalled) return "ended with status " + std::to_string(code);
  const char* const name = sigabbrev_np(code);
  return "ended by signal " + std::to_string(code) +
         (name == nullptr ? std::string() : " (" + std::string(name) + ")") +
         (for_memory ? " for want of memory" : "");
}

struct ChildWatch::State {
  ChildWatcher* watcher;
  ChildWatch* handle;  // null once the ChildWatch was destroyed
  pid_t pid;
  bool hold = false;
  bool ended = false;       // reported and held: a zombie
  bool was_killed = false;  // by us
  ChildWatcher::Handler handler;
  UniqueFd pidfd;
  Watch watch;
};

ChildWatch::ChildWatch(ChildWatch&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {
  if (state_ != nullptr) state_->handle = this;
}

ChildWatch& ChildWatch::operator=(ChildWatch&& other) noexcept {
  if (this == &other) return *this;
  // Ours goes last: what its handler owned may hold this very ChildWatch.
  const ChildWatch old(std::move(*this));
  state_ = std::exchange(other.state_, nullptr);
  if (state_ != nullptr) state_->handle = this;
  return *this;
}

ChildWatch::~ChildWatch() {
  if (state_ != nullptr) state_->watcher->abandon(*state_);
}

pid_t ChildWatch::pid() const noexcept {
  return state_ != nullptr ? state_->pid : 0;
}

bool ChildWatch::signal(int number) const noexcept {
  if (state_ == nullptr || state_->ended) return false;
  if (number == SIGKILL) state_->was_killed = true;
  return pidfd_send_signal(state_->pidfd.get(), number, nullptr, 0) == 0;
}

bool ChildWatch::signal_group(int number) const noexcept {
  if (state_ == nullptr) return false;
  if (number == SIGKILL) state_->was_killed = true;
  if (pidfd_send_signal(state_->pidfd.get(), number, nullptr, kSignalProcessGroup) == 0) return true;
  // An older kernel does not know the flag. The number is safe to use, for it stays taken until the child is
  // reaped.
  if (errno != EINVAL && errno != ENOSYS) return false;
  return state_->pid > 1 && kill(-state_->pid, number) == 0;
}

ChildWatch::Motion ChildWatch::take_motion() const noexcept {
  Motion last = Motion::None;
  if (state_ == nullptr) return last;
  siginfo_t info{};
  // Only the last change is kept for us, and WNOHANG says by a pid of 0 that there is none.
  if (waitid(P_PID, static_cast<id_t>(pid()), &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 &&
      info.si_pid != 0)
    last = info.si_code == CLD_CONTINUED ? Motion::Continued : Motion::Stopped;
  return last;
}

void ChildWatch::hold() noexcept {
  if (state_ != nullptr) state_->hold = true;
}

void ChildWatch::release() noexcept {
  if (state_ != nullptr) state_->watcher->release(*state_);
}

ChildWatcher::ChildWatcher(EventLoop& loop) : loop_(loop) {}

ChildWatcher::~ChildWatcher() {
  for (auto& [pid, state] : children_) {
    if (state->handle != nullptr) state->handle->state_ = nullptr;
    state->handle = nullptr;
  }
}

Result<ChildWatch> ChildWatcher::watch(pid_t pid, UniqueFd pidfd, Handler handler) {
  if (children_.contains(pid)) return Error::from_errno(EEXIST, "watch of child");
  auto state = std::make_unique<ChildWatch::State>();
  state->watcher = this;
  state->handle = nullptr;
  state->pid = pid;
  state->handler = std::move(handler);
  state->pidfd = raise_fd(std::move(pidfd));
  auto watch = loop_.watch(state->pidfd.get(), kReadable, [this, pid](Events) { on_ready(pid); });
  if (!watch) return std::move(watch.error()).within("pidfd");
  state->watch = std::move(*watch);
  ChildWatch handle(state.get());
  state->handle = &handle;
  children_[pid] = std::move(state);
  return handle;
}

void ChildWatcher::on_ready(pid_t pid) noexcept {
  const auto found = children_.find(pid);
  if (found == children_.end()) return;
  ChildWatch::State& state = *found->second;
  siginfo_t info;
  rusage used;
  const Ending ending = wait_for(state.pidfd.get(), state.hold ? WNOWAIT : 0, info, used);
  if (ending == Ending::Running) return;
  ChildExit exit = to_exit(pid, ending, info);
  exit.usage = {to_duration(used.ru_utime) + to_duration(used.ru_stime), peak_beyond_ours(used.ru_maxrss)};
  exit.for_memory = exit.signalled && exit.code == SIGKILL && !state.was_killed && memory_kills_.take();
  // The handler may destroy the ChildWatch and even this watcher: nothing of either is touched after it.
  const Handler handler = std::move(state.handler);
  std::unique_ptr<ChildWatch::State> ended;
  if (state.hold && ending == Ending::Ended) {
    state.ended = true;
    state.watch.reset();  // a zombie's pidfd stays readable
  } else {
    if (state.handle != nullptr) state.handle->state_ = nullptr;
    ended = std::move(found->second);
    children_.erase(found);
  }
  if (handler) handler(exit);
}

std::uint64_t ChildWatcher::peak_beyond_ours(long kib) noexcept {
  const auto peak = static_cast<std::uint64_t>(kib);
  // The kernel counts pages for each processor and adds them up roughly, so one and the same peak may be told
  // differently.
  const auto is_beyond = [&] { return peak > own_peak_kib_ + own_peak_kib_ / 4; };
  if (is_beyond()) own_peak_kib_ = find_own_peak_kib();
  return is_beyond() ? peak : 0;
}

void ChildWatcher::release(ChildWatch::State& state) noexcept {
  state.hold = false;
  if (!state.ended) return;
  siginfo_t info;
  rusage used;
  // It has ended and is ours, so this reaps it; and if somebody else did, that is as good.
  (void)wait_for(state.pidfd.get(), 0, info, used);
  if (state.handle != nullptr) state.handle->state_ = nullptr;
  children_.erase(state.pid);
}

void ChildWatcher::abandon(ChildWatch::State& state) noexcept {
  state.handle = nullptr;
  const Handler unused = std::move(state.handler);
  state.handler = nullptr;
  release(state);
}

std::size_t ChildWatcher::reap_strangers(std::size_t most) noexcept {
  std::size_t reaped = 0;
  while (reaped < most) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, kEnded | WNOWAIT) != 0 || info.si_pid == 0) break;
    // The kernel always names the first that has ended; behind a watched one (held perhaps for long) it
    // cannot look.
    if (children_.contains(info.si_pid)) return reaped + reap_listed(most - reaped);
    if (!reap(info.si_pid)) break;
    ++reaped;
  }
  return reaped;
}

std::size_t ChildWatcher::reap_listed(std::size_t most) noexcept {
  std::size_t reaped = 0;
  for (const pid_t pid : list_children()) {
    if (reaped == most) break;
    if (!children_.contains(pid) && reap(pid)) ++reaped;
  }
  return reaped;
}

}  // namespace xsd::reactor
