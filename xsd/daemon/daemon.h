// SPDX-License-Identifier: Apache-2.0
//
// Daemon: the running master: it puts the parts together, turns signals into actions, and knows when to end.
// `main` has prepared the process (descriptors, signal mask, limits) and read the command line.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "xsd/config/loader.h"
#include "xsd/daemon/detach.h"
#include "xsd/daemon/inherited_sockets.h"
#include "xsd/daemon/notifier.h"
#include "xsd/daemon/options.h"
#include "xsd/daemon/pid_file.h"
#include "xsd/daemon/service_logs.h"
#include "xsd/inquirer/inquirer_process.h"
#include "xsd/logger/logger_process.h"
#include "xsd/manager/folder_watcher.h"
#include "xsd/manager/service_manager.h"
#include "xsd/process/exec_plan.h"
#include "xsd/process/role.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/reactor/signal_source.h"
#include "xsd/service/address_files.h"
#include "xsd/service/context.h"
#include "xsd/service/sender_names.h"

namespace xsd::daemon {

/// What the loader needs to know of this process. What is borrowed outlives the loader.
config::LoadOptions make_load_options(const Options& options, const process::Inheritance& inheritance,
                                      manager::PluginCache& plugins);

/// Every diagnostic of a snapshot, for people or as one JSON object a line.
void print_diagnostics(const config::Snapshot& snapshot, bool json, std::FILE* stream);

class Daemon {
 public:
  /// `inheritance` and `sockets` are what the process was started with.
  Daemon(Options options, process::Inheritance inheritance, InheritedSockets sockets, Detacher detacher);
  ~Daemon();

  /// Serves until told to stop; the exit status.
  int run();

 private:
  Status open_log(const config::LogSettings& settings);
  void reopen_log(const config::LogSettings& settings);
  /// Before there are services, who use the logger; it is started when they are there.
  void prepare_roles();
  void hand_over_sockets();
  /// After the start, and after each reload.
  void drop_unused_sockets();
  /// After the start.
  void tell_unused_sockets();
  void adjust_roles(const config::DaemonSettings& next);
  bool has_roles() const;
  Status make_pid_file(const config::DaemonSettings& settings);
  Status make_loop();
  void reap_orphans();
  void tell_ready();
  void tell_what_is_not_kept();
  void tell_what_has_no_effect(const config::DaemonSettings& settings) const;
  /// `no_new_privs: false` is in vain where the daemon itself was started without new privileges.
  void tell_who_gains_nothing(const config::Snapshot& snapshot);
  inquirer::Asked ask_sender_names(const net::SocketAddress& peer);
  void on_settings(const config::Snapshot& snapshot);
  void on_signal(int number);
  void watch_folders(const config::Snapshot& snapshot);
  void stop_gracefully();
  void dump_state();

  Options options_;
  process::Inheritance inheritance_;
  InheritedSockets inherited_sockets_;
  Detacher detacher_;
  SystemClock clock_;
  manager::PluginCache plugins_;
  config::Loader loader_;
  config::DaemonSettings settings_;
  std::unique_ptr<PidFile> pid_file_;
  std::string no_pid_file_;  ///< why there is none, where that is no fault; told when the log is open
  std::unique_ptr<reactor::EventLoop> loop_;
  Notifier notifier_;
  std::optional<reactor::Timer> log_retry_;
  std::unique_ptr<reactor::SignalSource> signals_;
  std::unique_ptr<service::ServiceContext> context_;
  bool inherits_orphans_ = false;                  ///< as PID 1 or a subreaper
  UniqueFd null_;                                  ///< the standard error of roles, if we detach
  std::unique_ptr<logger::LoggerProcess> logger_;  ///< goes after all who log
  std::unique_ptr<ServiceLogs> service_logs_;
  std::unique_ptr<inquirer::InquirerProcess> inquirer_;
  std::unique_ptr<service::SenderNames> sender_names_;
  std::unique_ptr<service::AddressFiles> address_files_;
  std::unique_ptr<manager::FolderWatcher> folder_watcher_;
  std::unique_ptr<manager::ServiceManager> manager_;
  std::string gain_nothing_;          ///< who was told of
  std::size_t room_for_sockets_ = 0;  ///< at the service manager's
  std::size_t not_kept_ = 0;          ///< how many sockets, as told
  bool stopping_ = false;
};

}  // namespace xsd::daemon
