// SPDX-License-Identifier: Apache-2.0
//
// EndpointIndex: which service has claimed which endpoint, so that a second one that wants the same address
// is found without comparing each with each. Borrows the endpoints: they must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/net/endpoint.h"

namespace xsd::config {

class EndpointIndex {
 public:
  /// The owner of an endpoint that overlaps with this one.
  std::optional<std::size_t> find(const net::Endpoint& endpoint) const;
  void add(const net::Endpoint& endpoint, std::size_t owner);
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
};

}  // namespace xsd::config
