// SPDX-License-Identifier: Apache-2.0
//
// SignalSource: signals as data. The signals are blocked for the process and read from one signalfd that the
// loop watches; no code of ours ever runs in a signal handler. Several of one signal that arrive before they
// are read are one.
//
// A signalfd in epoll belongs to the process that registered it: create the source after the last fork of the
// start-up. The signals stay blocked when the source goes, since one that is pending would then do its
// default, which is mostly to end the process.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::reactor {

class SignalSource {
 public:
  using Handler = std::function<void(int signal_number, pid_t sender)>;

  /// Blocks `signals` and watches for them. The loop is borrowed. The handler runs once for each signal read;
  /// it may destroy the source.
  static Result<std::unique_ptr<SignalSource>> create(EventLoop& loop, std::initializer_list<int> signals,
                                                      Handler handler);
  ~SignalSource();
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;

 private:
  SignalSource(UniqueFd fd, Handler handler) : fd_(std::move(fd)), handler_(std::move(handler)) {}
  void on_readable() noexcept;

  UniqueFd fd_;
  Handler handler_;
  bool* destroyed_ = nullptr;  ///< where a running `on_readable` wants to be told
  Watch watch_;
};

}  // namespace xsd::reactor
