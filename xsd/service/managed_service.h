// SPDX-License-Identifier: Apache-2.0
//
// ManagedService: a configured entry at work as its manager sees it, wherever it works: Service does it in
// this process, manager::RemoteService has a worker process do it. The manager drives its life:
//   making       it is being prepared (a plugin starts in its worker); nothing is accepted yet
//   made         `listen_on` may give it sockets
//   listening    it has sockets; `apply` swaps the definition: what comes in follows the new one, what runs
//                keeps the old one
//   draining     `drain`: no listeners any more, what runs may finish
//   ending       `terminate`: programs got TERM (KILL after stop_timeout), plugin connections are closed at
//                once or at the deadline
//   idle         nothing runs any more: `on_idle` is called once, from the loop, and the owner may destroy it
//                then
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/net/socket.h"
#include "xsd/plugin/registry.h"
#include "xsd/process/exec_plan.h"
#include "xsd/service/counters.h"

namespace xsd::service {

/// A definition with all that was made ready from it.
struct Prepared {
  std::shared_ptr<const config::ServiceDefinition> definition;
  std::shared_ptr<const config::Resolution> resolution;
  std::shared_ptr<const process::ExecPlan> plan;  ///< of a program
  const plugin::PluginEntry* plugin = nullptr;    ///< of a plugin that works in this process
  /// Of the programs that a plugin service declares; nullptr in a worker, which starts none.
  std::shared_ptr<const process::ProgramPlans> programs{};
  std::uint64_t number = 0;  ///< in a worker: what master and worker call the service
};

class ManagedService {
 public:
  virtual ~ManagedService() = default;
  ManagedService(const ManagedService&) = delete;
  ManagedService& operator=(const ManagedService&) = delete;

  const std::string& name() const noexcept { return prepared_.definition->id; }
  const config::ServiceDefinition& definition() const noexcept { return *prepared_.definition; }
  const Prepared& prepared() const noexcept { return prepared_; }

  /// Whether it is still being made; when that is over the maker of it tells the manager.
  virtual bool is_making() const noexcept { return false; }
  /// Why it could not be made; empty if it could, or is being made.
  virtual std::string failure() const { return {}; }

  /// Whether `next` can be given to `apply`: the same kind (and plugin, its settings, shards and targets of
  /// tcpmux, and `wait`).
  virtual bool can_become(const Prepared& next) const noexcept;
  virtual void apply(Prepared next) = 0;

  /// From now on listens on exactly these sockets (borrowed). A socket that was there before is not touched;
  /// for one that is dropped while the service goes on, what is queued is accepted first.
  virtual Status listen_on(const std::vector<net::BoundSocket*>& sockets) = 0;

  /// Stops listening; what runs may finish.
  virtual void drain() = 0;
  /// Stops listening and ends what runs. `close_connections`: plugin connections are closed now; else they
  /// may finish until the grace is over.
  virtual void terminate(Duration grace, bool close_connections) = 0;
  /// Ends what runs now, without grace.
  virtual void kill() = 0;
  /// Stops listening and has nothing to do with what runs any more: it outlives the daemon.
  virtual void leave() { drain(); }
  /// Called from the loop once the service has no listeners and nothing active any more. May be set at any
  /// time after `drain` or `terminate`.
  virtual void on_idle(std::function<void()> handler) = 0;

  virtual std::uint64_t active() const noexcept = 0;
  virtual Counters counters() const noexcept = 0;
  /// Of a service that reads datagrams itself.
  virtual std::optional<plugin::DatagramCounters> datagrams() const noexcept { return std::nullopt; }
  /// The counters of its plugin, by name.
  virtual std::vector<std::pair<std::string, std::uint64_t>> metrics() const { return {}; }
  /// How a program of its plugin went (service/plugin_requests.h): it could not be started (a negative
  /// errno), or it has ended. Ids that are not known any more are ignored.
  virtual void program_ended(std::uint64_t /*id*/, int /*error*/, int /*exit_status*/, int /*signal*/) {}
  /// Why it does not take connections at the moment, or empty.
  virtual std::string pause_reason() const { return {}; }

 protected:
  explicit ManagedService(Prepared prepared) : prepared_(std::move(prepared)) {}

  /// It is a plugin service and has a socket for datagrams.
  bool reads_datagrams() const noexcept;

  Prepared prepared_;
};

}  // namespace xsd::service
