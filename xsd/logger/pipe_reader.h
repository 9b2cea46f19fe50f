// SPDX-License-Identifier: Apache-2.0
//
// PipeReader: the standard error of the programs of one service, into the log of this process line by line.
// Lines are escaped and cut at 1 KiB; what is read and how many lines are logged in one turn is bounded, so a
// program that floods it is slowed by the full pipe.
#pragma once

#include <memory>
#include <string>

#include "xsd/base/result.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::logger {

class PipeReader {
 public:
  /// `fd` is borrowed and non-blocking; `begun` has been read from it already.
  static Result<std::unique_ptr<PipeReader>> create(reactor::EventLoop& loop, std::string service, int fd,
                                                    std::string begun);
  /// Logs what is still there, half a line too; a flood is cut off.
  void finish();
  /// Reads no more: what was read and is not logged yet, for whoever goes on.
  std::string stop();

 private:
  PipeReader(reactor::EventLoop& loop, std::string service, int fd, std::string begun);
  void on_turn();
  /// False when there is nothing to read now.
  bool read_some();
  /// Logs what is whole, a bounded number of lines. False if more wait.
  bool log_some();

  std::string service_;
  int fd_;
  std::string text_;         ///< read and not logged yet
  bool lines_wait_ = false;  ///< in it, for the next turn; nothing is read then
  reactor::Timer next_turn_;
  reactor::Watch watch_;
};

}  // namespace xsd::logger
