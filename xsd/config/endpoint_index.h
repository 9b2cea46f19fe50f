// SPDX-License-Identifier: Apache-2.0
//
// EndpointIndex: which service has claimed which endpoint, so that a second one that wants the same address
// is found without comparing each with each; and which has claimed which name of tcpmux. Borrows the
// endpoints: they must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/config/resolve.h"
#include "xsd/net/endpoint.h"

namespace xsd::config {

class EndpointIndex {
 public:
  /// The owner of an endpoint that overlaps with this one.
  std::optional<std::size_t> find(const net::Endpoint& endpoint) const;
  void add(const net::Endpoint& endpoint, std::size_t owner);
  void add(const Resolution& resolution, std::size_t owner);
  /// Adds a fault for each entry of `listen` that somebody has claimed already. `show`: who that is, in
  /// words.
  void check(const ServiceDefinition& definition, const Resolution& resolution, unsigned port_offset,
             const std::function<std::string(std::size_t owner)>& show,
             std::vector<MachineFault>& faults) const;
  /// The owner, if there is one already, of the name that clients of tcpmux ask for this service by.
  std::optional<std::size_t> claim_mux_name(const ServiceDefinition& definition, std::size_t owner);
  void clear();

 private:
  struct Claim {
    const net::Endpoint* endpoint = nullptr;
    std::size_t owner = 0;
  };
  struct Port {
    std::vector<Claim> wildcards;                               ///< any address
    std::unordered_map<std::string, std::vector<Claim>> hosts;  ///< by address
  };
  static std::uint64_t port_key(const net::Endpoint& endpoint) noexcept;

  std::unordered_map<std::uint64_t, Port> ports_;
  std::unordered_map<std::string, std::size_t> mux_names_;  ///< in lower case
};

}  // namespace xsd::config
