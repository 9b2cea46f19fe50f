// SPDX-License-Identifier: Apache-2.0
//
// WorkerHost: one worker process, or the place of one: it starts the process when there is something to host,
// talks to it, notices when it dies or hangs, and gives the next one what the last one had. Owned by Workers;
// the services in it are RemoteServices, which register here and are borrowed.
//
// States:
//   empty     no services: no process
//   running   a process is there. What it is told waits in the channel until it has made itself safe.
//   resting   the process has died before it was 500 ms old, or could not be started: the next one is started
//             after 100 ms, doubling to 30 s. One that was older is replaced at once.
// A process that is stuck ends itself (worker/watchdog.h); one that somebody has stopped is killed after six
// seconds, one that has closed its channel and does not end after three, and one that does not say that a
// service is gone ten seconds after it should be. What it says is not trusted: numbers of services that it
// does not have, and messages that make no sense, are its end.
//
// Numbers: a service has one for as long as it is here, over the deaths of processes. Its cell in the page is
// free again when the worker has said that the service is gone, or has died.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/base/shared_memory.h"
#include "xsd/config/plugins.h"
#include "xsd/inquirer/inquirer_process.h"
#include "xsd/logger/feed.h"
#include "xsd/policy/address_file.h"
#include "xsd/policy/token_bucket.h"
#include "xsd/process/channel.h"
#include "xsd/process/role.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/service/context.h"
#include "xsd/service/managed_service.h"
#include "xsd/worker/page.h"
#include "xsd/worker/protocol.h"

namespace xsd::manager {

class RemoteService;

/// What all workers of this daemon have in common; borrowed by the hosts.
struct WorkerSetup {
  service::ServiceContext& context;
  std::optional<process::Credentials> credentials;
  std::vector<std::uint16_t> udp_ports;
  std::uint64_t last_number = 0;   ///< of a service
  std::uint64_t last_process = 0;  ///< serial, for the ids of connections
  std::function<void()> on_empty;  ///< a host has nothing to do any more
};

/// What a worker is for.
struct WorkerPurpose {
  std::shared_ptr<const config::PluginImage> image;  ///< the library of a plugin; nullptr: the built-in ones
  std::uint32_t needs = 0;                           ///< XSD_NEEDS_* of what it hosts

  static WorkerPurpose of(const service::Prepared& prepared);
  /// For the log and the process list.
  std::string title() const;
  friend bool operator==(const WorkerPurpose& a, const WorkerPurpose& b) noexcept {
    return a.needs == b.needs && config::is_same_image(a.image.get(), b.image.get());
  }
};

class WorkerHost {
 public:
  /// `title`: of one that is not shared.
  WorkerHost(WorkerSetup& setup, WorkerPurpose purpose, std::string title = {});
  ~WorkerHost();
  WorkerHost(const WorkerHost&) = delete;
  WorkerHost& operator=(const WorkerHost&) = delete;

  const WorkerPurpose& purpose() const noexcept { return purpose_; }
  bool is_shared() const noexcept { return is_shared_; }
  /// Nothing of any service is left in the process, nobody borrows this, and there is no rest that the next
  /// process would have to keep.
  bool is_empty() const noexcept { return members_.empty() && borrowers_ == 0 && !resting_.armed(); }
  bool is_running() const noexcept { return channel_ != nullptr; }
  /// It runs, and what it is told does not wait. Services are told when that changes, but for the beginning
  /// of the wait.
  bool is_ready() const noexcept;
  pid_t pid() const noexcept { return child_.pid(); }

  // For RemoteService.
  worker::ServiceNumber join(RemoteService& service);
  /// The service object goes; what the worker has of it is killed.
  void leave(worker::ServiceNumber number);
  void define(worker::ServiceNumber number, const std::string& definition);
  /// What the lists of a service with datagrams need besides its definition: their files, and that the worker
  /// may ask for names.
  void support(const config::ClientRules& lists);
  /// The descriptors are borrowed until `flush`.
  void say(const worker::ToWorker& command, std::vector<int> fds = {});
  /// Why there is no process at the moment; empty if there is one, or one is wanted by nobody.
  std::string why_absent() const;
  service::Counters counters(worker::ServiceNumber number) const noexcept;
  /// What its plugin counts.
  std::vector<std::pair<std::string, std::uint64_t>> metrics(worker::ServiceNumber number) const;

  /// It is not in order: ends the process.
  void distrust(const std::string& why);

  // For Workers.
  /// Some child was stopped or goes on.
  void look_for_stop();
  /// `done` is called when all that was said has been done, or there is nobody to do it.
  void fence(std::function<void()> done);
  void set_udp_ports();
  void tell_ban(const policy::Ban& ban, const policy::BanChange& change);
  /// This file of addresses may be another one.
  void lend_file(const std::string& path);
  void set_log();
  /// Sends what was said in this turn.
  void flush();
  void kill() noexcept;
  /// The process may end when it has done what it was told, and no other is started.
  void end();

 private:
  struct Member {
    RemoteService* service = nullptr;  ///< nullptr: it has left, the worker's part has not ended yet
    std::uint32_t cell = 0;
  };

  void start();
  Status try_start();
  Status greet();
  Duration next_rest() const noexcept;
  void flush_later();
  void forget_unsaid() noexcept;
  void tell_change();
  void on_message(std::string_view message, std::vector<UniqueFd> fds);
  void hear(const worker::Up& event, std::span<UniqueFd> fds);
  void hear(const worker::Answer& event, std::span<UniqueFd> fds);
  void hear(const worker::Ended& event, std::span<UniqueFd> fds);
  void hear(const worker::Fenced& event, std::span<UniqueFd> fds);
  void hear(const worker::HandOver& event, std::span<UniqueFd> fds);
  void hear(const worker::StartProgram& event, std::span<UniqueFd> fds);
  void hear(const worker::DropProgram& event, std::span<UniqueFd> fds);
  void hear(const worker::DealTaken& event, std::span<UniqueFd> fds);
  void hear(const worker::DealEnded& event, std::span<UniqueFd> fds);
  void hear(const worker::AskNames& event, std::span<UniqueFd> fds);
  void lend(const std::string& path);
  void flush_files();
  RemoteService* find(worker::ServiceNumber number);
  void end_fences();
  void on_exit(const reactor::ChildExit& exit);
  void bury(const std::string& how);
  void blame(worker::ServiceNumber number, const std::string& how);
  const worker::WorkerPage& page() const noexcept {
    return *static_cast<const worker::WorkerPage*>(page_.data());
  }

  WorkerSetup& setup_;
  const WorkerPurpose purpose_;
  const bool is_shared_;
  const std::string title_;  ///< for the log
  std::unordered_map<worker::ServiceNumber, Member> members_;
  std::size_t borrowers_ = 0;
  std::vector<std::uint32_t> free_cells_;
  std::uint32_t next_cell_ = 0;

  SharedPage page_;
  std::unique_ptr<logger::LineFeed> log_;  ///< what the worker logs; nullptr if we log by ourselves
  std::unique_ptr<process::Channel> channel_;
  std::vector<std::shared_ptr<const policy::AddressFile>> lent_;  ///< but not sent yet
  bool may_ask_names_ = false;
  policy::TokenBucket names_pace_;    ///< as SenderNames in the worker keeps it by itself
  std::list<inquirer::Asked> asked_;  ///< what the worker wants to know
  std::string definitions_;
  std::string outgoing_;
  std::vector<int> outgoing_fds_;
  MonotonicTime started_{};
  bool ending_ = false;
  std::uint64_t fence_serial_ = 0;
  std::vector<std::function<void()>> fenced_;
  int early_deaths_ = 0;
  Duration rest_{};
  std::string why_killed_;
  std::string last_fault_;  ///< of a start that failed; told once
  reactor::Timer resting_;
  reactor::Timer flusher_;
  reactor::Timer stopped_;  ///< while the process is
  reactor::Timer parting_;  ///< we do not hear of it any more, and it has not ended
  reactor::ChildWatch child_;
};

}  // namespace xsd::manager
