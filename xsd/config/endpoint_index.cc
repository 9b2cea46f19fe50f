// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/endpoint_index.h"

#include "xsd/base/text.h"
#include "xsd/config/listen_spec.h"

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

void EndpointIndex::add(const Resolution& resolution, std::size_t owner) {
  for (const net::Endpoint& endpoint : resolution.endpoints)
    add(endpoint, owner);
}

void EndpointIndex::check(const ServiceDefinition& definition, const Resolution& resolution,
                          unsigned port_offset, const std::function<std::string(std::size_t owner)>& show,
                          std::vector<MachineFault>& faults) const {
  const ListenSpec* complained = nullptr;
  for (const net::Endpoint& endpoint : resolution.endpoints) {
    const auto owner = find(endpoint);
    if (!owner) continue;
    const ListenSpec* const spec = origin_in_listen(definition, endpoint, port_offset);
    if (spec == complained && !faults.empty()) continue;
    complained = spec;
    faults.push_back({spec != nullptr ? spec->where : definition.where,
                      endpoint.to_string() + " is wanted by " + show(*owner)});
  }
}

std::optional<std::size_t> EndpointIndex::claim_mux_name(const ServiceDefinition& definition,
                                                         std::size_t owner) {
  if (definition.mux == MuxKind::None || definition.disabled) return std::nullopt;
  const auto [place, is_new] = mux_names_.try_emplace(to_lower(definition.service), owner);
  return is_new ? std::nullopt : std::optional(place->second);
}

void EndpointIndex::clear() {
  ports_.clear();
  mux_names_.clear();
}

}  // namespace xsd::config
