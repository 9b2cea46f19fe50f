// SPDX-License-Identifier: Apache-2.0
//
// Endpoint: where to listen, with nothing left to look up: transport, address, interface. It identifies a
// listening socket over reloads: two definitions with equal endpoints share the one socket.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "xsd/net/address.h"

namespace xsd::net {

enum class Transport : std::uint8_t { Stream, Datagram, SeqPacket };

/// "tcp", "udp", "unix", "unix-dgram", "unix-seqpacket".
std::string_view transport_name(Transport transport, sa_family_t family) noexcept;

struct Endpoint {
  Transport transport = Transport::Stream;
  SocketAddress address;
  /// SO_BINDTODEVICE (socket(7)); empty for all interfaces.
  std::string interface_name;

  /// The form that a configuration file would use: tcp://127.0.0.1:7, udp://[::1]:7, unix:///run/x.sock,
  /// tcp://0.0.0.0:7%eth0.
  std::string to_string() const;
  friend bool operator==(const Endpoint& a, const Endpoint& b) noexcept = default;
  /// True if two sockets with these endpoints would ask the kernel for the same address: same transport and
  /// port, and one address covers the other. Wildcards of different families do not collide, since every IPv6
  /// socket here is V6ONLY.
  bool overlaps(const Endpoint& other) const noexcept;
};

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const noexcept;
};

}  // namespace xsd::net
