// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/socket_table.h"

#include <algorithm>
#include <cerrno>

namespace xsd::manager {

Error used_by(const net::Endpoint& endpoint, const std::string& user) {
  return Error("bind " + endpoint.to_string() + ": used by service '" + user + "'");
}

void SocketTable::inherit_kept(net::BoundSocket socket, std::string name) {
  const net::Endpoint endpoint = socket.endpoint();
  ++kept_count_;
  if (of_units_.contains(endpoint)) return forget(name);
  if (const auto twin = kept_.find(endpoint); twin != kept_.end()) {
    if (twin->second.name == name) forget(twin->second.name);  // the keeper drops both
    return forget(name);
  }
  kept_.emplace(endpoint, Kept{std::move(socket), std::move(name)});
}

void SocketTable::inherit_of_unit(net::BoundSocket socket) {
  const net::Endpoint endpoint = socket.endpoint();
  if (auto kept = kept_.extract(endpoint)) forget(kept.mapped().name);
  of_units_.emplace(endpoint, std::move(socket));
}

std::vector<net::Endpoint> SocketTable::drop_kept(const Endpoints& coming) {
  std::vector<net::Endpoint> dropped;
  for (auto entry = kept_.begin(); entry != kept_.end();) {
    auto& [endpoint, kept] = *entry;
    if (coming.contains(endpoint)) {
      ++entry;
      continue;
    }
    dropped.push_back(endpoint);
    (void)kept.socket.own_file();  // where it has one
    forget(kept.name);
    entry = kept_.erase(entry);
  }
  return dropped;
}

std::vector<net::Endpoint> SocketTable::unused_of_units() const {
  std::vector<net::Endpoint> unused;
  for (const auto& [endpoint, socket] : of_units_) {
    if (!entries_.contains(endpoint)) unused.push_back(endpoint);
  }
  return unused;
}

void SocketTable::renew(const net::Endpoint& endpoint) {
  of_units_.erase(endpoint);
  const auto found = entries_.find(endpoint);
  if (found == entries_.end()) return;
  forget(found->second.kept_as);
  keep(endpoint, found->second);
}

void SocketTable::lend(const net::Endpoint& endpoint) {
  const auto found = entries_.find(endpoint);
  if (found == entries_.end()) return;
  found->second.is_lent = true;
  forget(found->second.kept_as);
}

void SocketTable::take_back(const net::Endpoint& endpoint) {
  const auto found = entries_.find(endpoint);
  if (found == entries_.end()) return;
  found->second.is_lent = false;
}

std::size_t SocketTable::keep_rest() {
  std::size_t left = 0;
  for (auto& [endpoint, entry] : entries_) {
    keep(endpoint, entry);
    if (is_to_be_kept(endpoint, entry)) ++left;
  }
  return left;
}

bool SocketTable::is_to_be_kept(const net::Endpoint& endpoint, const Entry& entry) const {
  return keeper_.keep && entry.kept_as.empty() && !entry.is_lent && !entry.cannot_be_kept &&
         entry.socket->fd() >= 0 && !of_units_.contains(endpoint);
}

void SocketTable::keep(const net::Endpoint& endpoint, Entry& entry) {
  if (!is_to_be_kept(endpoint, entry) || kept_count_ >= keeper_.room) return;
  auto name = keeper_.keep(*entry.socket);
  entry.cannot_be_kept = !name;
  entry.kept_as = std::move(name).value_or(std::string());
  if (!entry.kept_as.empty()) ++kept_count_;
}

void SocketTable::forget(std::string& name) {
  if (name.empty()) return;
  if (keeper_.forget) keeper_.forget(name);
  name.clear();
  --kept_count_;
}

Result<net::BoundSocket> SocketTable::open(const net::Endpoint& endpoint, std::uint32_t backlog,
                                           std::string& kept_as) {
  if (const auto of_unit = of_units_.find(endpoint); of_unit != of_units_.end()) {
    auto copy = of_unit->second.duplicate();
    if (!copy) return copy;
    if (Status status = copy->set_backlog(backlog); !status) return std::move(status.error());
    return copy;
  }
  auto kept = kept_.extract(endpoint);
  if (!kept) return open_new(endpoint, backlog);
  net::BoundSocket socket = std::move(kept.mapped().socket);
  if (socket.own_file() == net::BoundSocket::File::Lost) {
    forget(kept.mapped().name);
    return open_new(endpoint, backlog);
  }
  if (Status status = socket.set_backlog(backlog); !status) {
    forget(kept.mapped().name);
    return std::move(status.error());
  }
  kept_as = std::move(kept.mapped().name);
  return socket;
}

Result<net::BoundSocket> SocketTable::open_new(const net::Endpoint& endpoint, std::uint32_t backlog) {
  auto socket = net::BoundSocket::open(endpoint, backlog);
  if (socket || socket.error().number() != EADDRINUSE) return socket;
  std::vector<net::Endpoint> in_the_way;
  for (auto& [other, kept] : kept_) {
    if (!other.overlaps(endpoint)) continue;
    kept.socket.set_shared(true);  // the keeper has it for a moment yet
    in_the_way.push_back(other);
  }
  if (in_the_way.empty()) return socket;
  socket = net::open_beside(endpoint, backlog);
  for (const net::Endpoint& other : in_the_way) {
    forget(kept_.at(other).name);
    kept_.erase(other);
  }
  return socket;
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
    if (present->second.user != user) (void)present->second.socket->set_backlog(backlog);  // it listens
    return present->second.socket.get();
  }
  std::string kept_as;
  auto socket = open(endpoint, backlog, kept_as);
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
  const auto made = entries_
                        .emplace(endpoint, Entry{std::make_unique<net::BoundSocket>(std::move(*socket)), user,
                                                 std::move(kept_as)})
                        .first;
  by_user_[user].push_back(&made->first);
  made->second.came_kept = !made->second.kept_as.empty();
  keep(endpoint, made->second);
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
    const auto entry = entries_.find(*endpoint);
    forget(entry->second.kept_as);
    entries_.erase(entry);
    return true;
  });
  if (owned->second.empty()) by_user_.erase(owned);
}

void SocketTable::give_back(const std::string& user, const std::vector<net::Endpoint>& kept) {
  if (const auto owned = by_user_.find(user); owned != by_user_.end()) {
    for (const net::Endpoint* const endpoint : owned->second) {
      Entry& entry = entries_.at(*endpoint);
      if (!entry.came_kept || entry.kept_as.empty()) continue;
      if (std::find(kept.begin(), kept.end(), *endpoint) != kept.end()) continue;
      entry.socket->leave_file();
      kept_.emplace(*endpoint, Kept{std::move(*entry.socket), std::exchange(entry.kept_as, {})});
    }
  }
  release(user, kept);
}

void SocketTable::clear() noexcept {
  for (const auto& [endpoint, entry] : entries_) {
    if (!entry.kept_as.empty()) entry.socket->leave_file();
  }
  by_user_.clear();
  entries_.clear();
  kept_.clear();
  of_units_.clear();
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
