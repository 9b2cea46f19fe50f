// SPDX-License-Identifier: Apache-2.0
//
// SourceKey: one source, that is an address cut to so many bits, as a value that can be compared and hashed.
// IPv4 and IPv6 are kept apart; an IPv4 address in IPv6 clothes has become one of IPv4 before
// (net::SocketAddress). The zone of a link-local address does not count. A unix client has no address, so it
// is no source: everybody who can reach the socket would be the same one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "xsd/config/source_prefix.h"
#include "xsd/net/address.h"

namespace xsd::policy {

/// What the daemon draws once, so that nobody outside can choose sources that share a place in a table.
struct HashSeed {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

struct SourceKey {
  std::uint64_t high = 0;  ///< an IPv4 address is in its upper half
  std::uint64_t low = 0;
  std::uint8_t bits = 0;
  bool v4 = false;

  /// Nothing for a peer that is no source.
  static std::optional<SourceKey> whole(const net::SocketAddress& peer) noexcept;
  static std::optional<SourceKey> of(const net::SocketAddress& peer, config::SourcePrefix prefix) noexcept;

  /// The bits in front, at most as many as there are.
  SourceKey cut(std::uint8_t to) const noexcept;
  /// SipHash-1-3.
  std::uint64_t hash(const HashSeed& seed) const noexcept;
  /// "192.0.2.7", "2001:db8::/64": the length is left out where it is all of it.
  std::string to_string() const;

  friend bool operator==(const SourceKey&, const SourceKey&) = default;
};

}  // namespace xsd::policy
