// SPDX-License-Identifier: Apache-2.0
//
// Transition: one plan on its way to be applied: who will use which endpoint in the end, and what is needed
// before the first change is made. For each service that starts or changes:
//   prepare   its parts are made ready (exec plan, plugin) and its new sockets are bound
//   settle    a service that cannot be prepared stays as it is, so what another one hoped to get from it is
//             not to be had, and that one stays as it is, too; and so on
//   owners    who holds the ports that could not be bound is looked for, for the message
//   making    services that are made in a worker have answered; one that could not be made is like one that
//             could not be prepared
// All of it is cut into steps. Only then does the manager commit, service by service, and nothing that is
// known to fail has cost anybody a listener.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/config/loader.h"
#include "xsd/manager/plan.h"
#include "xsd/manager/socket_table.h"
#include "xsd/net/port_owner.h"
#include "xsd/service/context.h"
#include "xsd/service/service.h"

namespace xsd::manager {

/// Why a service cannot run as it is meant to.
struct Obstacle {
  std::string error;
  bool is_bind = false;               ///< it has to do with sockets
  std::optional<net::Endpoint> busy;  ///< somebody else holds this one
  std::string owner;                  ///< who, if that was looked for and can be seen
  std::string blocker;  ///< a service of ours is in the way: when it moves is the time to try again

  std::string text() const { return owner.empty() ? error : error + " (held by " + owner + ")"; }
};

/// Makes the service of a definition, in this process or in a worker; it may still be being made when it is
/// returned.
using MakeService =
    std::function<Result<std::unique_ptr<service::ManagedService>>(service::Prepared prepared)>;

/// A service's parts and sockets, ready to be committed.
struct Ready {
  service::Prepared prepared;
  /// Unless what runs can become this.
  std::unique_ptr<service::ManagedService> fresh;
  std::vector<net::BoundSocket*> sockets;
};

class Transition {
 public:
  /// Borrows all but the snapshot. `running` (by id) must stay as it is until step() has said that it is
  /// done.
  Transition(service::ServiceContext& context, SocketTable& sockets, MakeService make,
             const std::map<std::string, RunningEntry>& running, config::Snapshot snapshot);

  const config::Snapshot& snapshot() const noexcept { return snapshot_; }
  const std::vector<Action>& plan() const noexcept { return plan_; }

  /// Goes on for about `budget`. True when everything is ready or known to fail.
  bool step(Duration budget);
  /// It can only go on when a service has been made.
  bool is_waiting() const noexcept { return is_waiting_; }

  /// What came of an action that starts or changes a service; given once.
  tl::expected<Ready, Obstacle> take(std::size_t action);

  /// The service that will use it; nullptr if nobody will.
  const std::string* future_user(const net::Endpoint& endpoint) const noexcept;
  /// `user` will let go of it.
  bool is_leaving(const net::Endpoint& endpoint, const std::string& user) const noexcept;
  /// The service keeps these after all.
  void keeps(const std::string& id, const std::vector<net::Endpoint>& endpoints);

 private:
  enum class Stage : std::uint8_t { Prepare, Settle, Owners, Making, Done };
  struct Outcome {
    std::optional<Ready> ready;
    std::vector<std::pair<net::Endpoint, std::string>> borrowed;
    Obstacle obstacle;
  };

  void work();
  void prepare(std::size_t action);
  void settle();
  void name_owners();
  void await_making();
  void fail(std::size_t action, Obstacle obstacle);
  const std::vector<net::Endpoint>& held_by(const std::string& id) const;

  service::ServiceContext& context_;
  SocketTable& sockets_;
  MakeService make_;
  std::map<std::string, const service::ManagedService*> current_;  ///< of those that change
  std::map<std::string, std::vector<net::Endpoint>> held_;         ///< what those that change have now, by id
  config::Snapshot snapshot_;
  std::vector<Action> plan_;
  std::vector<Outcome> outcomes_;  ///< one for each action
  std::unordered_map<net::Endpoint, std::string, net::EndpointHash> future_users_;
  Stage stage_ = Stage::Prepare;
  std::size_t next_ = 0;
  std::unique_ptr<net::PortOwnerSearch> owners_;
  MonotonicTime owners_deadline_{};
  bool is_waiting_ = false;
};

/// One service as it runs now.
struct Current {
  const std::string& id;
  const std::vector<net::Endpoint>& held;
  const service::ManagedService* service = nullptr;  ///< nullptr: none
};

/// Makes the parts of one service and finds or binds its sockets. On failure what was bound for it is closed
/// again.
tl::expected<Ready, Obstacle> make_ready(service::ServiceContext& context, SocketTable& sockets,
                                         const MakeService& make, const Current& current,
                                         std::shared_ptr<const config::ServiceDefinition> definition,
                                         std::shared_ptr<const config::Resolution> resolution,
                                         const SocketTable::MayTake& may_take,
                                         std::vector<std::pair<net::Endpoint, std::string>>& borrowed);

}  // namespace xsd::manager
