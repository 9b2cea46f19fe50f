// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/endpoint_index.h"

namespace xsd::config {

std::uint64_t EndpointIndex::port_key(const net::Endpoint& endpoint) noexcept {
  return (static_cast<std::uint64_t>(endpoint.transport) << 32U) |
         (static_cast<std::uint64_t>(endpoint.address.family()) << 16U) | endpoint.address.port();
}

std::optional<std::size_t> EndpointIndex::find(const net::Endpoint& endpoint) const {
  const auto port = ports_.find(port_key(endpoint));
  if (port == ports_.end()) return std::nullopt;
  const auto search = [&](const std::vector<Claim>& claims) -> std::optional<std::size_t> {
    for (const Claim& claim : claims) {
      if (claim.endpoint->overlaps(endpoint)) return claim.owner;
    }
    return std::nullopt;
  };
  if (const auto owner = search(port->second.wildcards)) return owner;
  if (endpoint.address.is_any()) {
    for (const auto& [host, claims] : port->second.hosts) {
      if (const auto owner = search(claims)) return owner;
    }
    return std::nullopt;
  }
  const auto host = port->second.hosts.find(endpoint.address.host());
  return host == port->second.hosts.end() ? std::nullopt : search(host->second);
}

void EndpointIndex::add(const net::Endpoint& endpoint, std::size_t owner) {
  Port& port = ports_[port_key(endpoint)];
  if (endpoint.address.is_any()) {
    port.wildcards.push_back({&endpoint, owner});
  } else {
    port.hosts[endpoint.address.host()].push_back({&endpoint, owner});
  }
}

void EndpointIndex::clear() {
  ports_.clear();
}

}  // namespace xsd::config
