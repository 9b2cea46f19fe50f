// SPDX-License-Identifier: Apache-2.0
//
// ChildWatcher: exits of our children. A child is a pidfd that the loop watches; when it becomes readable the
// child is waited for with waitid(P_PIDFD), so no exit is ever taken from somebody else and no pid is reused
// before its owner knows. waitpid(-1) is used in one place only: as PID 1 or as a subreaper, `reap_strangers`
// collects processes that nobody here started.
//
// A ChildWatch may be told to `hold`: then an exit is reported but the zombie is left in place (WNOWAIT),
// which keeps its process group id from being reused while the group is still being signalled; `release`
// reaps it. Destroying a ChildWatch of a child that still runs hands the pid over to the watcher, which reaps
// it quietly when it ends (no zombie).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include <sys/types.h>

#include "xsd/base/clock.h"
#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/reactor/memory_kills.h"

namespace xsd::reactor {

/// What a child has used, together with those of its own children that it has waited for.
struct ChildUsage {
  Duration cpu{};
  /// The most memory at a time. 0: not known, for it was not clearly more than this process itself has ever
  /// had: the kernel counts in what a process was before its exec, and that was us.
  std::uint64_t peak_kib = 0;
};

/// How a child ended.
struct ChildExit {
  pid_t pid = 0;
  bool signalled = false;  ///< ended by a signal
  int code = 0;            ///< exit status 0-255, or the signal's number; -1 if somebody else took the status
  ChildUsage usage{};      ///< nothing if somebody else took the status
  bool for_memory = false;  ///< the kernel killed it for want of memory, as far as that can be known

  /// "ended by signal 9 (KILL)" or "ended with status 1"; with "for want of memory".
  std::string text() const;
};

class ChildWatcher;

/// One child. Owns the pidfd. Move-only.
class ChildWatch {
 public:
  ChildWatch() noexcept = default;
  ChildWatch(ChildWatch&&) noexcept;
  ChildWatch& operator=(ChildWatch&&) noexcept;
  ~ChildWatch();

  pid_t pid() const noexcept;
  /// True from the watch to the exit's report (or to `release` when held).
  bool active() const noexcept { return state_ != nullptr; }
  /// Sends a signal to the process through its pidfd; false if its end was reported or it cannot be
  /// signalled.
  bool signal(int number) const noexcept;
  /// Sends a signal to every process of the child's own process group (the child must have called setsid or
  /// setpgid). Safe while the child is not reaped. False if there is none.
  bool signal_group(int number) const noexcept;
  /// Whether the child was stopped or told to go on since this was asked last (job control, SIGSTOP): what
  /// became of it in the end. A parent learns that there is something to ask by SIGCHLD.
  enum class Motion : std::uint8_t { None, Stopped, Continued };
  Motion take_motion() const noexcept;
  /// Report the exit without reaping. Takes effect for an exit that has not been reported yet.
  void hold() noexcept;
  /// Reaps a held child that has ended; for one that still runs: as if hold() had not been called.
  void release() noexcept;

  struct State;

 private:
  friend class ChildWatcher;
  explicit ChildWatch(State* state) noexcept : state_(state) {}
  State* state_ = nullptr;
};

class ChildWatcher {
 public:
  using Handler = std::function<void(const ChildExit&)>;
  static constexpr std::size_t kStrangersATurn = 250;

  explicit ChildWatcher(EventLoop& loop);
  ~ChildWatcher();
  ChildWatcher(const ChildWatcher&) = delete;
  ChildWatcher& operator=(const ChildWatcher&) = delete;

  /// Watches a child that this process started. `pidfd` is moved above the fd floor. The handler is called
  /// once, from the loop; it may destroy the ChildWatch. On failure (no descriptor or memory for the
  /// registration) the child is the caller's to end and reap.
  Result<ChildWatch> watch(pid_t pid, UniqueFd pidfd, Handler handler);

  /// Reaps ended children that are not watched (orphans that the kernel gave to us), at most `most` of them;
  /// those that are watched are left to their pidfds. Call it on SIGCHLD when this process is PID 1 or a
  /// subreaper, nowhere else. Returns how many were reaped; after `most` there may be more, and no other
  /// signal for them. Where a watched child that has ended stands in front of them, the list of children is
  /// read from /proc; without that they wait for a later call.
  std::size_t reap_strangers(std::size_t most = kStrangersATurn) noexcept;

  /// From now on it is told of those who are killed for want of memory.
  void count_memory_kills() { memory_kills_ = MemoryKills::of_own_group(); }

  std::size_t size() const noexcept { return children_.size(); }

 private:
  friend class ChildWatch;
  void on_ready(pid_t pid) noexcept;
  void release(ChildWatch::State& state) noexcept;
  void abandon(ChildWatch::State& state) noexcept;
  std::uint64_t peak_beyond_ours(long kib) noexcept;
  std::size_t reap_listed(std::size_t most) noexcept;

  EventLoop& loop_;
  std::uint64_t own_peak_kib_ = 0;  ///< as it was found last
  MemoryKills memory_kills_;
  std::unordered_map<pid_t, std::unique_ptr<ChildWatch::State>> children_;
};

}  // namespace xsd::reactor
