// SPDX-License-Identifier: Apache-2.0
//
// ServiceLogs: the outlets of the log (base/log_outlet.h) that the services of a configuration want
// (`log_type`), one for each place whatever the number of services. It opens them, has the logger know of
// them, opens them anew for whoever rotates files, and closes those that nobody uses any more.
//
// One that cannot be opened keeps nobody from being served: its records go to the daemon's log, a warning
// says so once, and it is tried again every minute and at each reload.
//
// Owned by the daemon, with the loop and the logger borrowed; goes before either.
#pragma once

#include <map>
#include <set>
#include <string>

#include "xsd/base/log.h"
#include "xsd/config/loader.h"
#include "xsd/logger/logger_process.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::daemon {

class ServiceLogs {
 public:
  explicit ServiceLogs(reactor::EventLoop& loop);
  /// nullptr, as it is at first: this process writes itself.
  void use_logger(logger::LoggerProcess* logger) noexcept { logger_ = logger; }

  /// Before its services are applied. `used`: the places of those that are at work, which are left open until
  /// the next time, for what was started with them. The daemon's own log is open already.
  void take(const config::Snapshot& snapshot, const std::set<std::string>& used);
  /// Somebody may have moved the files away.
  void reopen();

 private:
  struct Outlet {
    log::OutletSettings settings;
    std::string fault;  ///< of the last try; empty: none
  };
  using Outlets = std::map<std::string, Outlet>;

  void open(const std::string& name, Outlet& outlet);
  void retry();

  logger::LoggerProcess* logger_ = nullptr;
  Outlets outlets_;
  reactor::Timer retry_;
};

}  // namespace xsd::daemon
