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

Result<net::BoundSocket*> SocketTable::bind(const net::Endpoint& endpoint, std::uint32_t backlog, const std::string& user) {
  auto socket = net::BoundSocket::open(endpoint, backlog);
  if (!socket && socket.error().number() == EADDRINUSE) {
    const std::vector<net::BoundSocket*> own = overlapping(endpoint);
    if (!own.empty()) {
      for (net::BoundSocket* const other : own) other->set_shared(true);
      socket = net::open_beside(endpoint, backlog);
      for (net::BoundSocket* const other : own) other->set_shared(false);
    }
    if (!socket && socket.error().number() == EADDRINUSE) {
      const std::string owner = net::find_port_owner(endpoint);
      if (!owner.empty()) return Error(socket.error().text() + " (held by " + owner + ")");
    }
  }
  if (!socket) return std::move(socket.error());
  Entry& entry = entries_[endpoint];
  entry = {std::make_unique<net::BoundSocket>(std::move(*socket)), user};
  return entry.socket.get();
}

void SocketTable::set_user(const net::Endpoint& endpoint, const std::string& user) {
  if (const auto entry = entries_.find(endpoint); entry != entries_.end()) entry->second.user = user;
}

void SocketTable::release(const std::string& user, const std::vector<net::Endpoint>& kept) {
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.user == user && std::find(kept.begin(), kept.end(), entry.first) == kept.end();
  });
}

std::unordered_set<std::uint16_t> SocketTable::udp_ports() const {
  std::unordered_set<std::uint16_t> ports;
  for (const auto& [endpoint, entry] : entries_) {
    if (endpoint.transport == net::Transport::Datagram && endpoint.address.is_ip()) ports.insert(endpoint.address.port());
  }
  return ports;
}

}  // namespace xsd::manager
