// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/endpoint.h"

#include <functional>

namespace xsd::net {

std::string_view transport_name(Transport transport, sa_family_t family) noexcept {
  if (family == AF_UNIX) {
    switch (transport) {
      case Transport::Stream: return "unix";
      case Transport::Datagram: return "unix-dgram";
      case Transport::SeqPacket: return "unix-seqpacket";
    }
  }
  switch (transport) {
    case Transport::Stream: return "tcp";
    case Transport::Datagram: return "udp";
    case Transport::SeqPacket: return "seqpacket";
  }
  return "unknown";
}

std::string Endpoint::to_string() const {
  std::string out(transport_name(transport, address.family()));
  out += "://";
  if (address.family() == AF_UNIX) return out + address.host();
  if (interface_name.empty()) return out + address.to_string();
  const bool v6 = address.family() == AF_INET6;
  return out + (v6 ? "[" : "") + address.host() + (v6 ? "]%" : "%") + interface_name + ":" + std::to_string(address.port());
}

bool Endpoint::overlaps(const Endpoint& other) const noexcept {
  if (transport != other.transport || address.family() != other.address.family()) return false;
  if (!address.is_ip()) return address == other.address;
  if (address.port() != other.address.port()) return false;
  if (!interface_name.empty() && !other.interface_name.empty() && interface_name != other.interface_name) return false;
  return address.is_any() || other.address.is_any() || address.same_host(other.address);
}

std::size_t EndpointHash::operator()(const Endpoint& endpoint) const noexcept {
  const std::string_view bytes(reinterpret_cast<const char*>(endpoint.address.raw()), endpoint.address.raw_length());
  std::size_t hash = std::hash<std::string_view>{}(endpoint.interface_name) * 31U + static_cast<std::size_t>(endpoint.transport);
  // Only what operator== compares: family, port and address of an IP socket, not its flow information.
  if (endpoint.address.is_ip()) return hash * 31U + std::hash<std::string>{}(endpoint.address.to_string());
  return hash * 31U + std::hash<std::string_view>{}(bytes);
}

}  // namespace xsd::net
