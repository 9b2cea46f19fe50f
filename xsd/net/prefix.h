// SPDX-License-Identifier: Apache-2.0
//
// Prefix: an IPv4 or IPv6 network, or one address, as a value of 17 bytes: the host bits are zero, so equal
// networks are equal values. IPv4 is kept as the v4-mapped IPv6 network that stands for it, 96 bits longer;
// a v4-mapped prefix of 96 bits or more therefore is the IPv4 one, however it was made. The families stay
// apart: ::/0 is every IPv6 address and no IPv4 address. Zones of link-local addresses are not looked at.
// Nothing here fails or allocates but to_string.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <netinet/in.h>

#include "xsd/net/address.h"

namespace xsd::net {

class Prefix {
 public:
  static constexpr unsigned kV4Bits = 32;
  static constexpr unsigned kV6Bits = 128;
  using Bytes = std::array<std::uint8_t, 16>;

  /// ::/0
  Prefix() noexcept = default;
  /// Host bits of `address` are dropped; a length beyond the address is the address itself.
  static Prefix v4(const in_addr& address, unsigned length) noexcept;
  static Prefix v6(const in6_addr& address, unsigned length) noexcept;
  /// The address alone, without its port; nullopt if it is none of IP.
  static std::optional<Prefix> of(const SocketAddress& address) noexcept;

  bool is_v4() const noexcept;
  /// As it is written: 0 to 32 or 0 to 128.
  unsigned length() const noexcept { return is_v4() ? bits_ - kMappedBits : bits_; }
  bool is_address() const noexcept { return bits_ == kV6Bits; }
  /// `other` is this network or a part of it.
  bool contains(const Prefix& other) const noexcept;

  /// Always with its length: "10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32".
  std::string to_string() const;

  /// The address as IPv6 has it (IPv4: v4-mapped), host bits zero, and how many bits of that count.
  const Bytes& bytes() const noexcept { return bytes_; }
  unsigned bits() const noexcept { return bits_; }

  /// By address, then by length: a network stands in front of its parts, and those directly behind it.
  friend bool operator<(const Prefix& a, const Prefix& b) noexcept;
  friend bool operator==(const Prefix&, const Prefix&) = default;

 private:
  static constexpr unsigned kMappedBits = kV6Bits - kV4Bits;

  Prefix(const Bytes& address, unsigned bits) noexcept;

  Bytes bytes_{};
  std::uint8_t bits_ = 0;
};

}  // namespace xsd::net
