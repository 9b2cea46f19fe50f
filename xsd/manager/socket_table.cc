// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/socket_table.h"

#include <algorithm>
#include <cerrno>

#include "xsd/net/port_owner.h"

namespace xsd::manager {

net::BoundSocket* SocketTable::find(const net::Endpoint& endpoint) noexcept {
  const auto entry = entries_.find(endpoint);
  return entry == entries_.end() ? nullptr : entry->second.socket.get();
}

const std::string& SocketTable::user(const net::Endpoint& endpoint) const noexcept {
  static const std::string kNobody;
  const auto entry = entries_.find(endpoint);
  return entry == entries_.end() ? kNobody : entry->second.user;
}

std::vector<net::BoundSocket*> SocketTable::overlapping(const net::Endpoint& endpoint) {
  std::vector<net::BoundSocket*> found;
  for (auto& [bound, entry] : entries_) {
    if (bound.overlaps(endpoint)) found.push_back(entry.socket.get());
  }
  return found;
}

Result<net::BoundSocket*> SocketTable::bind(const net::Endpoint& endpoint, std::uint32_t backlog,
                                            const std::string& user) {
  auto socket = net::BoundSocket::open(endpoint, backlog);
  if (!socket && socket.error().number() == EADDRINUSE) {
    const std::vector<net::BoundSocket*> own = overlapping(endpoint);
    if (!own.empty()) {
      for (net::BoundSocket* const other : own)
        other->set_shared(true);
      socket = net::open_beside(endpoint, backlog);
      for (net::BoundSocket* const other : own)
        other->set_shared(false);
    }
    if (!socket && socket.error().number() == EADDRINUSE) {
      const std::string owner = net::find_port_owner(endpoint);
      if (!owner.empty()) return Error(socket.error().text() + " (held by " + owner + ")");
    }
  }
  if (!socket) return std::move(socket.error());
  Entry& entry = entries_[endpoint];
  entry = {std::make_unique<net::BoundSocket>(std::move(*socket)), user};
  by_user_[user].push_back(endpoint);
  return entry.socket.get();
}

void SocketTable::set_user(const net::Endpoint& endpoint, const std::string& user) {
  const auto entry = entries_.find(endpoint);
  if (entry == entries_.end()) return;
  std::erase(by_user_[entry->second.user], endpoint);
  by_user_[user].push_back(endpoint);
  entry->second.user = user;
}

void SocketTable::release(const std::string& user, const std::vector<net::Endpoint>& kept) {
  const auto owned = by_user_.find(user);
  if (owned == by_user_.end()) return;
  std::erase_if(owned->second, [&](const net::Endpoint& endpoint) {
    if (std::find(kept.begin(), kept.end(), endpoint) != kept.end()) return false;
    entries_.erase(endpoint);
    return true;
  });
  if (owned->second.empty()) by_user_.erase(owned);
}

std::unordered_set<std::uint16_t> SocketTable::udp_ports() const {
  std::unordered_set<std::uint16_t> ports;
  for (const auto& [endpoint, entry] : entries_) {
    if (endpoint.transport == net::Transport::Datagram && endpoint.address.is_ip())
      ports.insert(endpoint.address.port());
  }
  return ports;
}

}  // namespace xsd::manager
