// SPDX-License-Identifier: Apache-2.0
//
// StderrPipe: what the programs of one service write to their standard error, into the log line by line. One
// pipe for all of a service's instances, never one for each connection. Lines are escaped and cut at 1 KiB;
// what is read and how many lines are logged in one turn is bounded, so a program that floods it is slowed by
// the full pipe. At the end of the service a flood is cut off.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/process/exec_plan.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

class StderrPipe {
 public:
  static Result<std::unique_ptr<StderrPipe>> create(reactor::EventLoop& loop, std::string service);
  /// Logs what is still there.
  ~StderrPipe();
  /// For a program of this user (nothing: of ours). It may be opened anew: that is what /dev/stderr does.
  int write_end(const std::optional<process::Credentials>& user) noexcept;

 private:
  StderrPipe(reactor::EventLoop& loop, std::string service, UniqueFd read_end, UniqueFd write_end);
  void on_turn();
  /// False when there is nothing to read now.
  bool read_some();
  /// Logs what is whole, a bounded number of lines. False if more wait.
  bool log_some();

  std::string service_;
  std::string text_;         ///< read and not logged yet
  bool lines_wait_ = false;  ///< in it, for the next turn; nothing is read then
  uid_t owner_;              ///< of the pipe
  UniqueFd write_end_;
  UniqueFd read_end_;
  reactor::Timer next_turn_;
  reactor::Watch watch_;
};

}  // namespace xsd::service
