// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/address_wire.h"

#include <cstddef>

#include <net/if.h>

namespace xsd::net {
namespace {

bool has_length_of_its_family(sa_family_t family, std::size_t length) noexcept {
  switch (family) {
    case AF_INET:
      return length == sizeof(sockaddr_in);
    case AF_INET6:
      return length == sizeof(sockaddr_in6);
    case AF_UNIX:
      return length >= offsetof(sockaddr_un, sun_path) && length <= sizeof(sockaddr_un);
    default:
      return false;
  }
}

}  // namespace

void put_address(std::string& out, const SocketAddress& address) {
  put_text(out, {reinterpret_cast<const char*>(address.raw()), address.raw_length()});
}

SocketAddress get_address(WireReader& reader) {
  sockaddr_storage raw{};
  const std::string_view bytes = reader.text(sizeof raw);
  if (bytes.empty()) return {};
  if (bytes.size() < sizeof raw.ss_family) {
    reader.fail();
    return {};
  }
  std::memcpy(&raw, bytes.data(), bytes.size());
  if (!has_length_of_its_family(raw.ss_family, bytes.size())) {
    reader.fail();
    return {};
  }
  return {reinterpret_cast<const sockaddr*>(&raw), static_cast<socklen_t>(bytes.size())};
}

void put_endpoint(std::string& out, const Endpoint& endpoint) {
  put_number(out, endpoint.transport);
  put_address(out, endpoint.address);
  put_text(out, endpoint.interface_name);
}

Endpoint get_endpoint(WireReader& reader) {
  Endpoint endpoint;
  endpoint.transport = reader.choice(Transport::SeqPacket);
  endpoint.address = get_address(reader);
  endpoint.interface_name = reader.text(IFNAMSIZ);
  return endpoint;
}

}  // namespace xsd::net
