// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/socket_table.h"

#include <algorithm>
#include <cerrno>

namespace xsd::manager {

Error used_by(const net::Endpoint& endpoint, const std::string& user) {
  return Error("bind " + endpoint.to_string() + ": used by service '" + user + "'");
}

void SocketTable::inherit(net::BoundSocket socket) {
  const net::Endpoint endpoint = socket.endpoint();
  inherited_.emplace(endpoint, std::move(socket));  // a second one has the same queue, and is closed
}

std::vector<net::Endpoint> SocketTable::drop_inherited() {
  std::vector<net::Endpoint> dropped;
  for (const auto& [endpoint, socket] : inherited_)
    dropped.push_back(endpoint);
  inherited_.clear();
  return dropped;
}

void SocketTable::renew(const net::Endpoint& endpoint) {
  if (!keeper_.keep) return;
  keeper_.forget(endpoint);
  if (const auto* const socket = find(endpoint); socket != nullptr && socket->fd() >= 0)
    keeper_.keep(*socket);
}

Result<net::BoundSocket> SocketTable::open(const net::Endpoint& endpoint, std::uint32_t backlog) {
  if (auto inherited = inherited_.extract(endpoint)) {
    net::BoundSocket socket = std::move(inherited.mapped());
    socket.set_backlog(backlog);
    return socket;
  }
  auto socket = net::BoundSocket::open(endpoint, backlog);
  if (socket || socket.error().number() != EADDRINUSE) return socket;
  // One that was left to us for another definition of the service is in nobody's way.
  const auto in_the_way =
      std::erase_if(inherited_, [&](const auto& inherited) { return inherited.first.overlaps(endpoint); });
  return in_the_way > 0 ? net::BoundSocket::open(endpoint, backlog) : std::move(socket);
}

net::BoundSocket* SocketTable::find(const net::Endpoint& endpoint) noexcept {
  const auto entry = entries_.find(endpoint);
  return entry == entries_.end() ? nullptr : entry->second.socket.get();
}

const std::string& SocketTable::user(const net::Endpoint& endpoint) const noexcept {
  static const std::string kNobody;
  const auto entry = entries_.find(endpoint);
  return entry == entries_.end() ? kNobody : entry->second.user;
}

tl::expected<SocketTable::Bound, SocketTable::BindFailure> SocketTable::bind_all(
    const std::vector<net::Endpoint>& endpoints, std::uint32_t backlog, const std::string& user,
    const MayTake& may_take) {
  Bound bound;
  for (const net::Endpoint& endpoint : endpoints) {
    auto socket = bind(endpoint, backlog, user, may_take, bound);
    if (!socket) return tl::unexpected(std::move(socket.error()));
    bound.sockets.push_back(*socket);
  }
  return bound;
}

tl::expected<net::BoundSocket*, SocketTable::BindFailure> SocketTable::bind(const net::Endpoint& endpoint,
                                                                            std::uint32_t backlog,
                                                                            const std::string& user,
                                                                            const MayTake& may_take,
                                                                            Bound& bound) {
  const auto is_in_the_way = [&](const net::Endpoint& other, const std::string& other_user) {
    if (other_user == user || other_user.empty()) return false;
    if (!may_take(other, other_user)) return true;
    bound.borrowed.emplace_back(other, other_user);
    return false;
  };
  const auto refuse = [&](const std::string& other_user) {
    return tl::unexpected(BindFailure{used_by(endpoint, other_user), endpoint, other_user});
  };

  if (const auto present = entries_.find(endpoint); present != entries_.end()) {
    if (is_in_the_way(endpoint, present->second.user)) return refuse(present->second.user);
    if (present->second.user != user) present->second.socket->set_backlog(backlog);
    return present->second.socket.get();
  }
  auto socket = open(endpoint, backlog);
  if (!socket && socket.error().number() == EADDRINUSE) {
    std::vector<net::BoundSocket*> overlapping;
    for (auto& [other, entry] : entries_) {
      if (!other.overlaps(endpoint)) continue;
      if (is_in_the_way(other, entry.user)) return refuse(entry.user);
      overlapping.push_back(entry.socket.get());
    }
    if (!overlapping.empty()) {
      for (net::BoundSocket* const other : overlapping)
        other->set_shared(true);
      socket = net::open_beside(endpoint, backlog);
      for (net::BoundSocket* const other : overlapping)
        other->set_shared(false);
    }
  }
  if (!socket) return tl::unexpected(BindFailure{std::move(socket.error()), endpoint, {}});
  const auto made =
      entries_.emplace(endpoint, Entry{std::make_unique<net::BoundSocket>(std::move(*socket)), user}).first;
  by_user_[user].push_back(&made->first);
  if (keeper_.keep) keeper_.keep(*made->second.socket);
  return made->second.socket.get();
}

void SocketTable::set_user(const net::Endpoint& endpoint, const std::string& user) {
  const auto entry = entries_.find(endpoint);
  if (entry == entries_.end()) return;
  std::erase(by_user_[entry->second.user], &entry->first);
  by_user_[user].push_back(&entry->first);
  entry->second.user = user;
}

void SocketTable::release(const std::string& user, const std::vector<net::Endpoint>& kept) {
  const auto owned = by_user_.find(user);
  if (owned == by_user_.end()) return;
  std::erase_if(owned->second, [&](const net::Endpoint* endpoint) {
    if (std::find(kept.begin(), kept.end(), *endpoint) != kept.end()) return false;
    if (keeper_.forget) keeper_.forget(*endpoint);
    entries_.erase(entries_.find(*endpoint));
    return true;
  });
  if (owned->second.empty()) by_user_.erase(owned);
}

void SocketTable::clear() noexcept {
  if (keeper_.keep) {
    for (const auto& [endpoint, entry] : entries_)
      entry.socket->leave_file();
  }
  by_user_.clear();
  entries_.clear();
  inherited_.clear();
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
