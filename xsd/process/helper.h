// SPDX-License-Identifier: Apache-2.0
//
// Helper: a short-lived child of ours that does what may block, so that the loop does not: it is a fork of
// this process that runs one function and hands its result back through a pipe, within a time limit.
//
// The child has nothing of ours but memory: every descriptor except the pipe, one that its task names, and 0,
// 1, 2 is closed, so that it keeps no listening socket alive; signals are as at the start of a program; it
// dies with us. What it leaves in its memory is lost. fork(2) copies page tables, so that starting one costs
// some tenths of a millisecond and more the larger we are: it is for rare work, not for connections of the
// master's. (The inquirer, which is small, has one for each question.)
//
// States: started -> bytes arrive, in any number of pieces -> one end: the child has ended and all that it
// had written was handed over, or the time was up, or the owner did not like the bytes (it is killed then,
// and reaped quietly). Destroying a Helper that works kills the child; nothing is called any more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::process {

class Helper {
 public:
  enum class Wants : std::uint8_t { More, NoMore, Sense };
  struct Task {
    const char* name = "xsd: helper";  ///< of the process, at most 15 bytes
    /// Runs in the child; `out` is the pipe. It ends the child by returning.
    std::function<void(int out)> work;
    /// Runs here for what arrives; it leaves the Helper alone.
    std::function<Wants(std::string_view bytes)> on_bytes;
    /// Runs here once, last, from the loop; it may destroy the Helper. `why` says what went wrong; empty if
    /// the owner has all, or the child ended with status 0.
    std::function<void(const std::string& why)> on_end;
    Duration limit{};
    int keep = -1;  ///< a descriptor that it has besides, close-on-exec or not as it is; borrowed for `start`
  };

  /// Both are borrowed. The error (EAGAIN, ENOMEM, EPERM of a sandbox, EMFILE) leaves nothing behind.
  static Result<std::unique_ptr<Helper>> start(reactor::EventLoop& loop, reactor::ChildWatcher& children,
                                               Task task);
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  pid_t pid() const noexcept { return child_.pid(); }

 private:
  Helper(reactor::EventLoop& loop, Task task);

  [[noreturn]] void run(int out, pid_t parent) noexcept;
  /// What the owner wants after one piece; nothing if there is none now.
  std::optional<Wants> read_some();
  /// The same, over and over; true if that was the end.
  bool read_pieces(int most);
  void on_exit(const reactor::ChildExit& exit);
  void end(const std::string& why);

  Task task_;
  UniqueFd pipe_;
  reactor::Watch watch_;
  reactor::ChildWatch child_;
  reactor::Timer deadline_;
};

/// Kills and reaps a child of ours that has just been started and that nobody can watch.
void end_unwatched(pid_t pid) noexcept;

/// Writes all of it to a blocking descriptor; false if that fails. For the work of a Helper.
bool write_all(int fd, std::string_view bytes) noexcept;

}  // namespace xsd::process
