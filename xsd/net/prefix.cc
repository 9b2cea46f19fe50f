// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/prefix.h"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>

namespace xsd::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

Prefix::Prefix(const Bytes& address, unsigned bits) noexcept
    : bytes_(address), bits_(static_cast<std::uint8_t>(bits)) {
  const unsigned whole = bits / 8;
  if (whole == bytes_.size()) return;
  bytes_[whole] = static_cast<std::uint8_t>(bytes_[whole] & (0xFF00U >> (bits % 8)));
  std::fill(bytes_.begin() + whole + 1, bytes_.end(), std::uint8_t{0});
}

Prefix Prefix::v4(const in_addr& address, unsigned length) noexcept {
  Bytes bytes;
  std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
  std::memcpy(&bytes[kMapped.size()], &address, sizeof address);
  return {bytes, kMappedBits + std::min(length, kV4Bits)};
}

Prefix Prefix::v6(const in6_addr& address, unsigned length) noexcept {
  Bytes bytes;
  std::memcpy(bytes.data(), &address, sizeof address);
  return {bytes, std::min(length, kV6Bits)};
}

std::optional<Prefix> Prefix::of(const SocketAddress& address) noexcept {
  if (address.family() == AF_INET)
    return v4(reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr, kV4Bits);
  if (address.family() == AF_INET6)
    return v6(reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr, kV6Bits);
  return std::nullopt;
}

bool Prefix::is_v4() const noexcept {
  return bits_ >= kMappedBits && std::equal(kMapped.begin(), kMapped.end(), bytes_.begin());
}

bool Prefix::contains(const Prefix& other) const noexcept {
  // ::/0 and its like hold the v4-mapped addresses as bits, not as networks.
  if (bits_ > other.bits_ || is_v4() != other.is_v4()) return false;
  return Prefix(other.bytes_, bits_).bytes_ == bytes_;
}

bool operator<(const Prefix& a, const Prefix& b) noexcept {
  const int order = std::memcmp(a.bytes_.data(), b.bytes_.data(), a.bytes_.size());
  return order != 0 ? order < 0 : a.bits_ < b.bits_;
}

std::string Prefix::to_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_v4())
    inet_ntop(AF_INET, &bytes_[kMapped.size()], text, sizeof text);
  else
    inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  return std::string(text) + "/" + std::to_string(length());
}

}  // namespace xsd::net
