// SPDX-License-Identifier: Apache-2.0
//
// SocketAddress: one end of a socket, IPv4, IPv6 or unix, as a value. A v4-mapped IPv6 address is turned into
// the IPv4 address that it stands for wherever one comes in from the kernel, so that nobody is ever shown
// ::ffff:192.0.2.7.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace xsd::net {

class SocketAddress {
 public:
  /// Unspecified: family AF_UNSPEC.
  SocketAddress() noexcept;
  /// From what accept, recvfrom or getsockname filled in; v4-mapped becomes IPv4. A family that is not known
  /// here stays unspecified.
  SocketAddress(const sockaddr* address, socklen_t length) noexcept;

  /// A literal address without brackets: "192.0.2.7", "2001:db8::1", "fe80::1%eth0" (the zone must name an
  /// interface that exists).
  static std::optional<SocketAddress> parse(std::string_view literal, std::uint16_t port);
  static SocketAddress any_v4(std::uint16_t port) noexcept;
  static SocketAddress any_v6(std::uint16_t port) noexcept;
  /// `path` as in unix(7); a leading '@' means the abstract name space. nullopt if it does not fit (107
  /// bytes).
  static std::optional<SocketAddress> unix_path(std::string_view path);

  sa_family_t family() const noexcept { return any_.sa_family; }
  bool is_ip() const noexcept { return family() == AF_INET || family() == AF_INET6; }
  std::uint16_t port() const noexcept;  ///< host order, 0 if not IP
  void set_port(std::uint16_t port) noexcept;
  bool is_any() const noexcept;
  bool is_loopback() const noexcept;
  bool is_multicast() const noexcept;  ///< an IPv4 limited broadcast address counts
  /// The same address of a socket, whatever the ports.
  bool same_host(const SocketAddress& other) const noexcept;

  /// "192.0.2.7:40122", "[2001:db8::1]:7", "unix:/run/x", "unix:@name", "unix:" for an unnamed peer.
  std::string to_string() const;
  /// The address alone: "192.0.2.7", "2001:db8::1", "fe80::1%eth0"; a unix socket's path ("@name" if
  /// abstract).
  std::string host() const;

  const sockaddr* raw() const noexcept { return &any_; }
  socklen_t raw_length() const noexcept { return length_; }

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept;

 private:
  union {
    sockaddr any_;
    sockaddr_in v4_;
    sockaddr_in6 v6_;
    sockaddr_un unix_;
  };
  socklen_t length_;
};

/// Bytes of `out` used, no terminating NUL, no allocation: for records. `out` must hold 64 bytes.
std::size_t format_address(const SocketAddress& address, char* out) noexcept;

}  // namespace xsd::net
