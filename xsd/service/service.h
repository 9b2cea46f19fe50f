// SPDX-License-Identifier: Apache-2.0
//
// Service: one configured entry at work: its listeners, its admission, its connections or instances. Two
// kinds: ProgramService starts programs, PluginService hands connections to a plugin. The same code runs in
// the master and, later, in a worker; it knows nothing of files, plans or other services.
//
// Life, driven by the manager:
//   made         nothing is accepted yet
//   listening    `listen_on` gave it sockets; `apply` swaps the definition: what comes in follows
//                the new one, what runs keeps the old one
//   draining     `drain`: no listeners any more, what runs may finish
//   ending       `terminate`: programs got TERM (KILL after stop_timeout), plugin connections are
//                closed at once or at the deadline
//   idle         nothing runs any more: `on_idle` is called once, from the loop, and the owner may
//                destroy it then
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/plugin/hosted_service.h"
#include "xsd/plugin/registry.h"
#include "xsd/policy/verdict.h"
#include "xsd/process/exec_plan.h"
#include "xsd/service/context.h"
#include "xsd/service/listener.h"

namespace xsd::service {

/// A definition with all that was made ready from it.
struct Prepared {
  std::shared_ptr<const config::ServiceDefinition> definition;
  std::shared_ptr<const config::Resolution> resolution;
  std::shared_ptr<const process::ExecPlan> plan;  ///< of a program
  const plugin::PluginEntry* plugin = nullptr;    ///< of a plugin service
};

/// Makes the parts that depend on this process: the exec plan or the plugin. The error says what is wrong
/// with the definition here.
Result<Prepared> prepare(std::shared_ptr<const config::ServiceDefinition> definition,
                         std::shared_ptr<const config::Resolution> resolution,
                         const process::Inheritance& inheritance);

struct Counters {
  std::uint64_t started = 0;  ///< connections and instances
  policy::RefusalCounters refused{};
};

class Service : public ListenerOwner {
 public:
  /// Makes the service of the definition's kind; nothing is accepted yet.
  static Result<std::unique_ptr<Service>> create(ServiceContext& context, Prepared prepared);
  virtual ~Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const std::string& name() const noexcept final { return prepared_.definition->id; }
  const config::ServiceDefinition& definition() const noexcept { return *prepared_.definition; }
  const Prepared& prepared() const noexcept { return prepared_; }
  const Counters& counters() const noexcept { return counters_; }
  /// Why it does not take connections at the moment, or empty.
  const std::string& pause_reason() const noexcept { return pause_reason_; }

  /// Whether `next` can be given to `apply`: the same kind (and plugin, and `wait`).
  bool can_become(const config::ServiceDefinition& next) const noexcept;
  virtual void apply(Prepared next);

  /// From now on listens on exactly these sockets (borrowed). A socket that was there before is not touched;
  /// for one that is dropped while the service goes on, what is queued is accepted first.
  Status listen_on(const std::vector<net::BoundSocket*>& sockets);
  bool listens_on(const net::BoundSocket& socket) const noexcept;
  bool has_listeners() const noexcept { return !listeners_.empty(); }

  /// Stops listening; what runs may finish.
  void drain();
  /// Stops listening and ends what runs. `close_connections`: plugin connections are closed now; else they
  /// may finish until the grace is over.
  virtual void terminate(Duration grace, bool close_connections) = 0;
  /// Ends what runs now, without grace.
  virtual void kill() = 0;
  /// Stops listening and has nothing to do with what runs any more: it outlives the daemon.
  virtual void leave() { drain(); }
  virtual std::uint64_t active() const noexcept = 0;
  /// Of a service that reads datagrams itself; nullptr if it does not.
  virtual const plugin::DatagramCounters* datagrams() const noexcept { return nullptr; }

  /// Called from the loop once the service has no listeners and nothing active any more. May be set at any
  /// time after `drain` or `terminate`.
  void on_idle(std::function<void()> handler);

 protected:
  Service(ServiceContext& context, Prepared prepared);

  virtual Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept = 0;
  virtual Status prepare_socket(net::BoundSocket& socket);
  /// A listener is new.
  virtual void adopt_listener(Listener& /*listener*/) {}
  /// A listener is about to go; its socket may be closed right after.
  virtual void release_listener(Listener& /*listener*/) {}

  /// The limit that is reached, if there is one. A line tells of it, once for as long as it lasts, with what
  /// follows for clients.
  std::optional<policy::Reason> find_limit(bool starts_process, std::string_view consequence);
  /// A line for each time that this reason applies; what applies again and again is one time.
  void warn_once(policy::Reason reason, std::string_view text);
  /// True if the connection may come in; otherwise it is refused already.
  bool admit(std::uint64_t id, const net::SocketAddress* remote, const net::SocketAddress* local,
             bool starts_process);
  void refuse(policy::Reason reason, std::uint64_t id, const net::SocketAddress* remote,
              const net::SocketAddress* local);
  /// With select a connection needs a descriptor that select can hold. False if there is none: it is refused
  /// already.
  bool find_room(UniqueFd& socket, std::uint64_t id, const net::SocketAddress* remote,
                 const net::SocketAddress* local);
  /// True unless the next descriptor that is made while `fd` is open is one that select cannot hold.
  bool can_watch_another(int fd) const noexcept;
  void check_idle();

  ServiceContext& context_;
  Prepared prepared_;
  Counters counters_;
  std::string pause_reason_;
  std::vector<std::unique_ptr<Listener>> listeners_;

 private:
  unsigned told_ = 0;  ///< a bit for each reason that a line has told of
  MonotonicTime last_told_{};
  std::function<void()> on_idle_;
  reactor::Timer idle_timer_;
};

}  // namespace xsd::service
