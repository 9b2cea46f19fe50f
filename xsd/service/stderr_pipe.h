// SPDX-License-Identifier: Apache-2.0
//
// StderrPipe: what the programs of one service write to their standard error, into the log line by line. One
// pipe for all of a service's instances, never one for each connection. Lines are escaped and cut at 1 KiB;
// what is read in one turn is bounded, so a program that floods it is slowed by the full pipe.
#pragma once

#include <memory>
#include <string>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

class StderrPipe {
 public:
  static Result<std::unique_ptr<StderrPipe>> create(reactor::EventLoop& loop, std::string service);
  /// Logs what is still there.
  ~StderrPipe();
  /// For the program; blocking mode.
  int write_end() const noexcept { return write_end_.get(); }

 private:
  StderrPipe(std::string service, UniqueFd read_end, UniqueFd write_end);
  /// False when there is nothing more to read now.
  bool read_some();
  void log_line(std::string_view line);

  std::string service_;
  std::string partial_;
  UniqueFd write_end_;
  UniqueFd read_end_;
  reactor::Watch watch_;
};

}  // namespace xsd::service
