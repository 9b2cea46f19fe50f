// SPDX-License-Identifier: Apache-2.0
//
// StderrPipe: what the programs of one service write to their standard error, into the log line by line: by
// the logger where there is one, else by us (logger/feed.h, logger/pipe_reader.h). One pipe for all of a
// service's instances, never one for each connection. We keep both ends, so that no program is ended by
// SIGPIPE when a logger is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/logger/feed.h"
#include "xsd/process/exec_plan.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

class StderrPipe {
 public:
  /// `logger`: nullptr if there never is one. What is still there at the end is logged.
  static Result<std::unique_ptr<StderrPipe>> create(reactor::EventLoop& loop, logger::LoggerProcess* logger,
                                                    std::string service);
  /// For a program of this user (nothing: of ours). It may be opened anew: that is what /dev/stderr does.
  int write_end(const std::optional<process::Credentials>& user) noexcept;

 private:
  StderrPipe(std::unique_ptr<logger::PipeFeed> feed, UniqueFd write_end);

  uid_t owner_;  ///< of the pipe
  UniqueFd write_end_;
  std::unique_ptr<logger::PipeFeed> feed_;
};

}  // namespace xsd::service
