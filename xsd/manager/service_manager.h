// SPDX-License-Identifier: Apache-2.0
//
// ServiceManager: all services of the daemon and their way from one configuration to the next. It owns the
// listening sockets and the services; it decides nothing about connections.
//
// A reload runs in small steps between turns of the loop: load (one file a step) -> wait until others have
// asked what names mean and what plugins say -> diagnostics to the log -> plan: prepare all that changes and
// bind what is new (transition.h) -> commit, service by service, and let go of what is old -> one summary
// line. Each service is a transaction of its own: one that cannot be prepared or bound keeps what it has and
// is tried again after 1 s, doubling to 60 s. Reloads asked for while one runs become one more, which starts
// when it is done.
//
// Services whose time to be tried again has come have their questions asked together. A reload is the better
// try: it drops what waits for answers, and what it leaves failed is tried after it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "xsd/config/loader.h"
#include "xsd/manager/diagnostic_log.h"
#include "xsd/manager/inquiry.h"
#include "xsd/manager/plan.h"
#include "xsd/manager/request_handler.h"
#include "xsd/manager/socket_table.h"
#include "xsd/manager/transition.h"
#include "xsd/manager/workers.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/service/context.h"
#include "xsd/service/service.h"

namespace xsd::manager {

enum class ServiceState : std::uint8_t { Listening, Waiting, Paused, Draining, Disabled, Failed };

/// interface.md section 7: "listening", "waiting", "paused", "draining", "disabled", "failed".
std::string_view state_name(ServiceState state) noexcept;

struct ServiceStatus {
  std::string id;
  ServiceState state;
  std::vector<net::Endpoint> listen;
  std::uint64_t active;
  service::Counters counters;
  std::string error;
  std::optional<plugin::DatagramCounters> datagrams{};           ///< of a service that reads datagrams itself
  std::vector<std::pair<std::string, std::uint64_t>> metrics{};  ///< that its plugin counts
};

struct Summary {
  std::size_t started = 0;
  std::size_t stopped = 0;
  std::size_t changed = 0;
  std::size_t kept = 0;
  std::size_t failed = 0;
  std::size_t disabled = 0;
};

class ServiceManager {
 public:
  /// How long one step of a reload or of retries keeps the loop.
  static constexpr Duration kStepBudget = std::chrono::milliseconds(4);

  struct Hooks {
    /// A snapshot was accepted: daemon settings may have changed. Before its services are applied.
    std::function<void(const config::Snapshot&)> on_settings;
    std::function<void()> on_reload_begin;
    std::function<void()> on_reload_end;
  };

  /// Borrowed, but for the hooks.
  ServiceManager(service::ServiceContext& context, config::Loader& loader, PluginCache& plugins, Hooks hooks);

  /// Plugin services work in worker processes, and those that are started from now on have this identity
  /// (nothing: ours). First called before `start`, or never.
  void use_workers(std::optional<process::Credentials> credentials);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// Applies the first snapshot, all at once.
  Summary start(config::Snapshot snapshot);

  /// Asks for a reload; any number of requests while one is under way make one more.
  void request_reload();
  /// A file of addresses has been read, or could not be.
  void on_addresses_read(const std::string& path);
  /// A child was stopped, goes on, or has ended.
  void on_child_signal();
  /// The log was opened with other settings.
  void on_log_change();
  bool reloading() const noexcept { return phase_ != Phase::Quiet; }
  /// What sockets there are already, and who is to keep them, is said before `start`.
  SocketTable& sockets() noexcept { return sockets_; }

  /// Stops listening, TERM to children at once; `done` is called when nothing runs any more, at the latest
  /// when the longest stop_timeout is over and what was left has been killed. Children of services with
  /// `on_stop: leave` are left alone. How long it may take until `end_workers` is done, too.
  Duration stop(std::function<void()> done);
  /// KILL, now.
  void stop_now();
  /// After a stop: waits until workers have done and told all, for three seconds at most; for half a second
  /// if it has to be now.
  void end_workers();

  std::vector<ServiceStatus> status() const;
  /// Where the records of the services at work go (ServiceLog::place), those on their way out included.
  std::set<std::string> log_places() const;
  /// Where services listen that wait to be tried again, as soon as they can.
  std::unordered_set<net::Endpoint, net::EndpointHash> coming_endpoints() const;
  /// Services that listen.
  std::size_t serving() const noexcept;
  /// True if there are services that were ready to listen and not one of them got its sockets.
  bool nothing_could_be_bound() const noexcept;
  /// How many configurations were applied.
  std::uint64_t generation() const noexcept { return generation_; }

 private:
  struct Entry {
    std::string id;
    std::string file;
    std::unique_ptr<service::ManagedService> service;  ///< nullptr unless serving
    std::optional<Ready> coming;           ///< what a retry has made ready, while its service is being made
    std::vector<net::Endpoint> endpoints;  ///< of the running definition
    std::string error;                     ///< of the last try; set: failed
    std::string cause;                     ///< the same without what was only found out once
    std::string blocker;                   ///< the service whose socket it waits for
    std::string fault;                     ///< of the text: what runs is older
    std::uint64_t named_in = 0;            ///< the generation that has named it last
    std::uint64_t faulty_since = 0;        ///< the generation that the fault came with
    bool bind_failed = false;              ///< it failed only when it was to be bound
    bool disabled = false;
    /// What is wanted but could not be had yet, and when it is tried again.
    std::shared_ptr<const config::ServiceDefinition> wanted;
    std::vector<net::Endpoint> coming_endpoints{};  ///< as far as known
    std::unique_ptr<reactor::Timer> retry;
    Duration retry_delay{};
  };
  enum class Phase : std::uint8_t { Quiet, Loading, Asking, Telling, Preparing, Applying, Settling };

  void begin_reload();
  void step();
  void step_later();
  void load_some();
  void end_reload();
  void begin_plan(config::Snapshot snapshot);
  void go_on();
  bool apply_some();
  void finish_plan();
  void settle();

  void run(std::size_t action);
  /// For the summary; a reload also says of which service it did what.
  void count(std::size_t& counter, std::string_view what, const std::string& id);
  void fail(Entry& entry, std::shared_ptr<const config::ServiceDefinition> wanted, Obstacle obstacle);
  void schedule_retry(Entry& entry);
  // A retry: its timer -> due_ -> (nothing is asked) -> asked_ -> (answers) -> retry.
  /// The entry of a service that waits to be tried again; nullptr if it no longer does.
  Entry* find_to_retry(const std::string& id);
  void go_on_retrying();
  void ask_for_retries();
  void retry_some();
  void retry(Entry& entry);
  void end_retry(Entry& entry, tl::expected<Ready, Obstacle> outcome);
  void drop_coming(Entry& entry);
  void put_off_retries();
  tl::expected<Ready, Obstacle> get_ready(Entry& entry,
                                          std::shared_ptr<const config::ServiceDefinition> definition,
                                          std::shared_ptr<const config::Resolution> resolution);
  Result<std::unique_ptr<service::ManagedService>> make_service(service::Prepared prepared);
  bool is_waiting() const noexcept;
  /// A service that was being made no longer is.
  void on_made(const std::string& id);
  /// A service that was at work is not, and will not be again by itself.
  void on_failed(service::ManagedService& service, const std::string& why);
  void take_ports_over();
  Status commit(Entry& entry, Ready ready);
  void let_go(const Entry& entry, const std::vector<net::Endpoint>& kept);
  void retire(Entry& entry);
  void retire_service(std::unique_ptr<service::ManagedService> service, bool drain);
  void forget_when_idle(service::ManagedService& leaving);
  void check_stopped();
  Entry& entry_of(const std::string& id);

  service::ServiceContext& context_;
  config::Loader& loader_;
  Hooks hooks_;
  SocketTable sockets_;
  RequestHandler requests_;           ///< of plugins
  std::unique_ptr<Workers> workers_;  ///< nullptr: plugin services work here
  std::map<std::string, Entry> entries_;
  std::vector<std::unique_ptr<service::ManagedService>> retired_;

  Phase phase_ = Phase::Quiet;
  /// From the beginning of a start or reload until it has been told of, which is after its last phase.
  bool is_at_work_ = false;
  bool reload_wanted_ = false;
  bool starting_ = false;  ///< `start` itself goes on, not the stepper
  bool stopping_ = false;
  bool hurries_ = false;       ///< `stop_now` was called
  bool ends_workers_ = false;  ///< `end_workers` goes on
  std::function<void()> on_stopped_;
  std::map<std::string, RunningEntry> running_;  ///< what the transition starts from, until it is prepared
  std::unique_ptr<Transition> transition_;       ///< of the plan under way
  DiagnosticLog diagnostic_log_;
  std::size_t next_action_ = 0;
  Summary summary_;
  std::uint64_t generation_ = 0;
  reactor::Timer stop_deadline_;
  reactor::Timer stepper_;

  Inquiry inquiry_;
  std::vector<std::string> due_;   ///< services to be tried again once nothing else is being asked
  std::deque<std::string> asked_;  ///< those that are being asked about, then those left to be tried
  config::Answers retry_answers_;  ///< what was learned for them
  reactor::Timer retrier_;
};

}  // namespace xsd::manager
