// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/address.h"

#include <charconv>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>

namespace xsd::net {
namespace {

constexpr socklen_t kUnixHeader = offsetof(sockaddr_un, sun_path);

}  // namespace

SocketAddress::SocketAddress() noexcept : unix_{}, length_(0) {
  any_.sa_family = AF_UNSPEC;
}

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length) noexcept : SocketAddress() {
  if (address == nullptr || length < sizeof(sa_family_t)) return;
  if (address->sa_family == AF_INET && length >= sizeof v4_) {
    std::memcpy(&v4_, address, sizeof v4_);
    length_ = sizeof v4_;
  } else if (address->sa_family == AF_INET6 && length >= sizeof v6_) {
    std::memcpy(&v6_, address, sizeof v6_);
    length_ = sizeof v6_;
    if (IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr)) {
      sockaddr_in plain{};
      plain.sin_family = AF_INET;
      plain.sin_port = v6_.sin6_port;
      std::memcpy(&plain.sin_addr, &v6_.sin6_addr.s6_addr[12], sizeof plain.sin_addr);
      v4_ = plain;
      length_ = sizeof v4_;
    }
  } else if (address->sa_family == AF_UNIX && length <= sizeof unix_) {
    std::memcpy(&unix_, address, length);
    length_ = length;
  }
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view literal, std::uint16_t port) {
  if (literal.empty() || literal.size() > INET6_ADDRSTRLEN + IF_NAMESIZE) return std::nullopt;
  std::string address_text(literal);
  std::string zone;
  if (const auto percent = address_text.find('%'); percent != std::string::npos) {
    zone = address_text.substr(percent + 1);
    address_text.resize(percent);
    if (zone.empty()) return std::nullopt;
  }
  SocketAddress address;
  if (zone.empty() && inet_pton(AF_INET, address_text.c_str(), &address.v4_.sin_addr) == 1) {
    address.v4_.sin_family = AF_INET;
    address.v4_.sin_port = htons(port);
    address.length_ = sizeof address.v4_;
    return address;
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, address_text.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (!zone.empty()) {
    v6.sin6_scope_id = if_nametoindex(zone.c_str());
    if (v6.sin6_scope_id == 0) return std::nullopt;
  }
  return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

SocketAddress SocketAddress::any_v4(std::uint16_t port) noexcept {
  SocketAddress address;
  address.v4_.sin_family = AF_INET;
  address.v4_.sin_port = htons(port);
  address.length_ = sizeof address.v4_;
  return address;
}

SocketAddress SocketAddress::any_v6(std::uint16_t port) noexcept {
  SocketAddress address;
  address.v6_.sin6_family = AF_INET6;
  address.v6_.sin6_port = htons(port);
  address.length_ = sizeof address.v6_;
  return address;
}

std::optional<SocketAddress> SocketAddress::unix_path(std::string_view path) {
  SocketAddress address;
  if (path.empty() || path.size() >= sizeof address.unix_.sun_path) return std::nullopt;
  address.unix_.sun_family = AF_UNIX;
  std::memcpy(address.unix_.sun_path, path.data(), path.size());
  const auto size = static_cast<socklen_t>(path.size());
  if (path.front() == '@') {
    address.unix_.sun_path[0] = '\0';
    address.length_ = kUnixHeader + size;
  } else {
    address.length_ = kUnixHeader + size + 1;
  }
  return address;
}

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(v4_.sin_port);
  if (family() == AF_INET6) return ntohs(v6_.sin6_port);
  return 0;
}

void SocketAddress::set_port(std::uint16_t port) noexcept {
  if (family() == AF_INET) v4_.sin_port = htons(port);
  if (family() == AF_INET6) v6_.sin6_port = htons(port);
}

bool SocketAddress::is_any() const noexcept {
  if (family() == AF_INET) return v4_.sin_addr.s_addr == htonl(INADDR_ANY);
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6_.sin6_addr);
}

bool SocketAddress::is_loopback() const noexcept {
  if (family() == AF_INET) return (ntohl(v4_.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6_.sin6_addr);
}

bool SocketAddress::is_multicast() const noexcept {
  if (family() == AF_INET) {
    const std::uint32_t address = ntohl(v4_.sin_addr.s_addr);
    return IN_MULTICAST(address) || address == INADDR_BROADCAST;
  }
  return family() == AF_INET6 && IN6_IS_ADDR_MULTICAST(&v6_.sin6_addr);
}

bool SocketAddress::same_host(const SocketAddress& other) const noexcept {
  if (family() != other.family()) return false;
  if (family() == AF_INET) return v4_.sin_addr.s_addr == other.v4_.sin_addr.s_addr;
  if (family() == AF_INET6)
    return std::memcmp(&v6_.sin6_addr, &other.v6_.sin6_addr, sizeof v6_.sin6_addr) == 0;
  return *this == other;
}

std::string SocketAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) return inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof text);
  if (family() == AF_INET6) {
    std::string out = inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof text);
    if (v6_.sin6_scope_id != 0) {
      char name[IF_NAMESIZE];
      out += '%';
      out += if_indextoname(v6_.sin6_scope_id, name) != nullptr ? std::string(name)
                                                                : std::to_string(v6_.sin6_scope_id);
    }
    return out;
  }
  if (family() != AF_UNIX || length_ <= kUnixHeader) return {};
  const std::size_t size = length_ - kUnixHeader;
  if (unix_.sun_path[0] == '\0') return "@" + std::string(unix_.sun_path + 1, size - 1);
  return std::string(unix_.sun_path, strnlen(unix_.sun_path, size));
}

std::string SocketAddress::to_string() const {
  if (family() == AF_UNIX) return "unix:" + host();
  if (!is_ip()) return "unknown";
  const bool v6 = family() == AF_INET6;
  return (v6 ? "[" + host() + "]" : host()) + ":" + std::to_string(port());
}

bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
  if (a.family() != b.family()) return false;
  if (a.family() == AF_INET)
    return a.v4_.sin_port == b.v4_.sin_port && a.v4_.sin_addr.s_addr == b.v4_.sin_addr.s_addr;
  if (a.family() == AF_INET6) {
    return a.v6_.sin6_port == b.v6_.sin6_port && a.v6_.sin6_scope_id == b.v6_.sin6_scope_id &&
           std::memcmp(&a.v6_.sin6_addr, &b.v6_.sin6_addr, sizeof a.v6_.sin6_addr) == 0;
  }
  return a.length_ == b.length_ && std::memcmp(&a.unix_, &b.unix_, a.length_) == 0;
}

std::size_t format_address(const SocketAddress& address, char* out) noexcept {
  char* end = out;
  const auto* raw = reinterpret_cast<const unsigned char*>(address.raw());
  if (address.family() == AF_INET) {
    // inet_ntop goes through snprintf; a record for each connection deserves better.
    constexpr std::size_t kAddressOffset = offsetof(sockaddr_in, sin_addr);
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) *end++ = '.';
      end = std::to_chars(end, end + 3, static_cast<unsigned>(raw[kAddressOffset + i])).ptr;
    }
  } else if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(raw);
    *end++ = '[';
    inet_ntop(AF_INET6, &v6->sin6_addr, end, INET6_ADDRSTRLEN);
    end += std::strlen(end);
    *end++ = ']';
  } else {
    return 0;
  }
  *end++ = ':';
  end = std::to_chars(end, end + 5, static_cast<unsigned>(address.port())).ptr;
  return static_cast<std::size_t>(end - out);
}

}  // namespace xsd::net
