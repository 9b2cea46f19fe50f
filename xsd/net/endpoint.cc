// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/endpoint.h"

#include <cstddef>
#include <functional>

namespace xsd::net {

std::string_view transport_name(Transport transport, sa_family_t family) noexcept {
  if (family == AF_UNIX) {
    switch (transport) {
      case Transport::Stream:
        return "unix";
      case Transport::Datagram:
        return "unix-dgram";
      case Transport::SeqPacket:
        return "unix-seqpacket";
    }
  }
  switch (transport) {
    case Transport::Stream:
      return "tcp";
    case Transport::Datagram:
      return "udp";
    case Transport::SeqPacket:
      return "seqpacket";
  }
  return "unknown";
}

std::string Endpoint::to_string() const {
  std::string out(transport_name(transport, address.family()));
  out += "://";
  if (address.family() == AF_UNIX) return out + address.host();
  if (interface_name.empty()) return out + address.to_string();
  const bool v6 = address.family() == AF_INET6;
  return out + (v6 ? "[" : "") + address.host() + (v6 ? "]%" : "%") + interface_name + ":" +
         std::to_string(address.port());
}

bool Endpoint::overlaps(const Endpoint& other) const noexcept {
  if (transport != other.transport || address.family() != other.address.family()) return false;
  if (!address.is_ip()) return address == other.address;
  if (address.port() != other.address.port()) return false;
  if (!interface_name.empty() && !other.interface_name.empty() && interface_name != other.interface_name)
    return false;
  return address.is_any() || other.address.is_any() || address == other.address;  // the zone counts
}

std::size_t EndpointHash::operator()(const Endpoint& endpoint) const noexcept {
  // Only what operator== compares: of an IP address the bytes and the port, not its flow information.
  const auto* const raw = reinterpret_cast<const char*>(endpoint.address.raw());
  std::string_view bytes(raw, endpoint.address.raw_length());
  if (endpoint.address.family() == AF_INET) bytes = {raw + offsetof(sockaddr_in, sin_addr), sizeof(in_addr)};
  if (endpoint.address.family() == AF_INET6)
    bytes = {raw + offsetof(sockaddr_in6, sin6_addr), sizeof(in6_addr)};
  const std::hash<std::string_view> hash;
  return (hash(bytes) * 31U + endpoint.address.port()) * 31U + hash(endpoint.interface_name) * 7U +
         static_cast<std::size_t>(endpoint.transport);
}

}  // namespace xsd::net
