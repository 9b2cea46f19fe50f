// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/source_key.h"

#include <bit>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace xsd::policy {
namespace {

constexpr std::uint8_t kBitsV4 = 32;
constexpr std::uint8_t kBitsV6 = 128;

std::uint64_t big_endian(const std::uint8_t* bytes) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i)
    value = value << 8 | bytes[i];
  return value;
}

/// The upper `bits` of 64, which may be none or all.
std::uint64_t upper_bits(unsigned bits) noexcept {
  return bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits);
}

class SipHash {
 public:
  explicit SipHash(const HashSeed& seed) noexcept
      : v0_(seed.first ^ 0x736f6d6570736575),
        v1_(seed.second ^ 0x646f72616e646f6d),
        v2_(seed.first ^ 0x6c7967656e657261),
        v3_(seed.second ^ 0x7465646279746573) {}

  void add(std::uint64_t word) noexcept {
    v3_ ^= word;
    round();
    v0_ ^= word;
  }
  std::uint64_t finish() noexcept {
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i)
      round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() noexcept {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

}  // namespace

std::optional<SourceKey> SourceKey::whole(const net::SocketAddress& peer) noexcept {
  SourceKey key;
  if (peer.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(peer.raw());
    key.high = std::uint64_t{ntohl(v4->sin_addr.s_addr)} << 32;
    key.bits = kBitsV4;
    key.v4 = true;
    return key;
  }
  if (peer.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(peer.raw());
    key.high = big_endian(v6->sin6_addr.s6_addr);
    key.low = big_endian(v6->sin6_addr.s6_addr + 8);
    key.bits = kBitsV6;
    return key;
  }
  return std::nullopt;
}

std::optional<SourceKey> SourceKey::of(const net::SocketAddress& peer, config::SourcePrefix prefix) noexcept {
  const auto key = whole(peer);
  if (!key) return std::nullopt;
  return key->cut(key->v4 ? prefix.v4 : prefix.v6);
}

SourceKey SourceKey::cut(std::uint8_t to) const noexcept {
  if (to >= bits) return *this;
  return {high & upper_bits(to < 64 ? to : 64U), low & upper_bits(to > 64 ? to - 64U : 0U), to, v4};
}

std::uint64_t SourceKey::hash(const HashSeed& seed) const noexcept {
  SipHash hash(seed);
  hash.add(high);
  hash.add(low);
  // The length of the message, as SipHash has it, and what is left of it.
  hash.add(std::uint64_t{18} << 56 | std::uint64_t{bits} << 8 | static_cast<std::uint64_t>(v4));
  return hash.finish();
}

std::string SourceKey::to_string() const {
  std::uint8_t bytes[16];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  char text[INET6_ADDRSTRLEN];
  std::string out = ::inet_ntop(v4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
  if (bits != (v4 ? kBitsV4 : kBitsV6)) out.append("/").append(std::to_string(bits));
  return out;
}

}  // namespace xsd::policy
