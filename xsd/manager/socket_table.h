// SPDX-License-Identifier: Apache-2.0
//
// SocketTable: every listening socket of the daemon, by endpoint, with the service that uses it. A socket is
// bound once and stays, whichever definition or service it is used by, until nobody wants it any more: so a
// reload never closes a port that is wanted before and after.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/net/endpoint.h"
#include "xsd/net/socket.h"

namespace xsd::manager {

class SocketTable {
 public:
  /// nullptr if the endpoint is not bound.
  net::BoundSocket* find(const net::Endpoint& endpoint) noexcept;
  /// The id of the service that uses it; empty if it is not bound or not used.
  const std::string& user(const net::Endpoint& endpoint) const noexcept;

  /// Binds an endpoint that is not in the table. Sockets of ours that overlap with it (0.0.0.0:80 and
  /// 127.0.0.1:80) and are on their way out are made to share the port for the moment of binding. The error
  /// names who holds the port where that can be seen.
  Result<net::BoundSocket*> bind(const net::Endpoint& endpoint, std::uint32_t backlog,
                                 const std::string& user);
  void set_user(const net::Endpoint& endpoint, const std::string& user);
  /// Closes the sockets of `user` that are not in `kept`. The service must have let go of them.
  void release(const std::string& user, const std::vector<net::Endpoint>& kept);

  std::unordered_set<std::uint16_t> udp_ports() const;
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::unique_ptr<net::BoundSocket> socket;
    std::string user;
  };
  std::vector<net::BoundSocket*> overlapping(const net::Endpoint& endpoint);

  std::unordered_map<net::Endpoint, Entry, net::EndpointHash> entries_;
  /// The endpoints of each user, so that letting go of one service does not look at all of them.
  std::unordered_map<std::string, std::vector<net::Endpoint>> by_user_;
};

}  // namespace xsd::manager
