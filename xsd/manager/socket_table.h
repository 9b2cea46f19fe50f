// SPDX-License-Identifier: Apache-2.0
//
// SocketTable: every listening socket of the daemon, by endpoint, with the service that uses it. A socket is
// bound once and stays, whichever definition or service it is used by, until nobody wants it any more: so a
// reload never closes a port that is wanted before and after.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/net/endpoint.h"
#include "xsd/net/socket.h"

namespace xsd::manager {

class SocketTable {
 public:
  /// Who keeps copies of the sockets, so that they outlive this process (sd_pid_notify_with_fds(3), FDSTORE).
  struct Keeper {
    /// The name that it is kept by from now on; empty: it is not; nullopt: it cannot be. Nothing: they are
    /// not to be kept, and those that are can only be forgotten.
    std::function<std::optional<std::string>(const net::BoundSocket& socket)> keep{};
    std::function<void(const std::string& name)> forget{};
    std::size_t room = 0;  ///< how many it keeps at most
  };

  SocketTable() = default;
  ~SocketTable() { clear(); }
  SocketTable(const SocketTable&) = delete;
  SocketTable& operator=(const SocketTable&) = delete;

  void set_keeper(Keeper keeper) { keeper_ = std::move(keeper); }
  /// Sockets that were bound before us: whoever wants their endpoint gets them, with what is queued there.
  /// One that an earlier one of us has left with the keeper, by this name, is ours from then on.
  void inherit_kept(net::BoundSocket socket, std::string name);
  /// One of a socket unit stays what it is: its port is held by the service manager whatever we do, so it is
  /// there for whoever wants it next, too. It is not kept, for it comes again by itself, and a second one of
  /// the same endpoint (ReusePort=) is closed.
  void inherit_of_unit(net::BoundSocket socket);
  using Endpoints = std::unordered_set<net::Endpoint, net::EndpointHash>;
  /// Closes those of an earlier one of us that nobody has wanted or will want, and has them forgotten.
  std::vector<net::Endpoint> drop_kept(const Endpoints& coming);
  /// The endpoints of socket units that no service uses.
  std::vector<net::Endpoint> unused_of_units() const;
  /// The socket of this endpoint is another one now.
  void renew(const net::Endpoint& endpoint);
  /// Somebody else serves it from now on, and may do so when we are gone: then the next of us must not have
  /// it as well. So it is not kept before `keep_rest` finds it back: clients of a server that takes one each
  /// are not to make work for the keeper.
  void lend(const net::Endpoint& endpoint);
  void take_back(const net::Endpoint& endpoint);
  /// Has those kept that are not, now that there may be room or they are back; how many still are not.
  std::size_t keep_rest();

  /// nullptr if the endpoint is not bound.
  net::BoundSocket* find(const net::Endpoint& endpoint) noexcept;
  /// The id of the service that uses it; empty if it is not bound or not used.
  const std::string& user(const net::Endpoint& endpoint) const noexcept;

  /// Whether a socket of another service may be taken over, or shared for the moment of binding, because that
  /// service is letting go of it.
  using MayTake = std::function<bool(const net::Endpoint& endpoint, const std::string& user)>;

  struct Bound {
    std::vector<net::BoundSocket*> sockets;                       ///< one for each endpoint, in their order
    std::vector<std::pair<net::Endpoint, std::string>> borrowed;  ///< with the user that must let go of it
  };
  struct BindFailure {
    Error error;
    net::Endpoint endpoint;
    std::string user;  ///< the service of ours that is in the way
  };

  /// Finds or binds a socket for each endpoint. A bound socket of another service is given where `may_take`
  /// says so (its user is not changed yet). A new one that overlaps with sockets of ours (0.0.0.0:80 and
  /// 127.0.0.1:80) is bound beside them where all of those may be taken. On failure what was bound is for
  /// release() to close.
  tl::expected<Bound, BindFailure> bind_all(const std::vector<net::Endpoint>& endpoints,
                                            std::uint32_t backlog, const std::string& user,
                                            const MayTake& may_take);
  void set_user(const net::Endpoint& endpoint, const std::string& user);
  /// Closes the sockets of `user` that are not in `kept`. The service must have let go of them.
  void release(const std::string& user, const std::vector<net::Endpoint>& kept);
  /// The same after a failure, but that those which an earlier one of us has left are there for the next try.
  void give_back(const std::string& user, const std::vector<net::Endpoint>& kept);
  /// Closes all of them, at the end. What is kept elsewhere goes on listening there, and so its file stays.
  void clear() noexcept;

  std::unordered_set<std::uint16_t> udp_ports() const;
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::unique_ptr<net::BoundSocket> socket;
    std::string user;
    std::string kept_as{};  ///< by the keeper; empty: it is not
    bool is_lent = false;
    bool came_kept = false;
    bool cannot_be_kept = false;
  };
  struct Kept {
    net::BoundSocket socket;
    std::string name;
  };
  tl::expected<net::BoundSocket*, BindFailure> bind(const net::Endpoint& endpoint, std::uint32_t backlog,
                                                    const std::string& user, const MayTake& may_take,
                                                    Bound& bound);

  /// Inherited, and perhaps kept by a name, or new.
  Result<net::BoundSocket> open(const net::Endpoint& endpoint, std::uint32_t backlog, std::string& kept_as);

  /// Another one: sockets of an earlier one of us that are in its way give way.
  Result<net::BoundSocket> open_new(const net::Endpoint& endpoint, std::uint32_t backlog);
  bool is_to_be_kept(const net::Endpoint& endpoint, const Entry& entry) const;
  void keep(const net::Endpoint& endpoint, Entry& entry);
  void forget(std::string& name);

  using Sockets = std::unordered_map<net::Endpoint, net::BoundSocket, net::EndpointHash>;
  Keeper keeper_;
  std::size_t kept_count_ = 0;  ///< by the keeper
  std::unordered_map<net::Endpoint, Kept, net::EndpointHash>
      kept_;          ///< of an earlier one of us, wanted by nobody yet
  Sockets of_units_;  ///< services have copies
  std::unordered_map<net::Endpoint, Entry, net::EndpointHash> entries_;
  /// The endpoints of each user, so that letting go of one service does not look at all of them.
  std::unordered_map<std::string, std::vector<const net::Endpoint*>> by_user_;  ///< keys of entries_
};

/// Why an endpoint cannot be bound that another service of ours has: "bind ENDPOINT: used by service 'USER'".
Error used_by(const net::Endpoint& endpoint, const std::string& user);

}  // namespace xsd::manager
