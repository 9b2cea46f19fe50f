// SPDX-License-Identifier: Apache-2.0
//
// Datagram clients for the tests: a bound and watched socket of the service, and peers that send to it.
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include <ifaddrs.h>

#include "plugin_test.h"

namespace xsd::plugin {

class DatagramPluginTest : public PluginTest {
 protected:
  ~DatagramPluginTest() override { watch_.reset(); }

  void bind_service(const char* host) {
    watch_.reset();
    socket = bind_to(host);
    bound = address_of(socket.get(), false);
    ASSERT_TRUE(prepare_datagram_socket(socket.get(), bound));
    auto watch = loop->watch(socket.get(), reactor::kReadable, [this](reactor::Events) {
      EXPECT_EQ(service->read_datagrams(socket.get(), bound, bound.is_any()), 0);
    });
    ASSERT_TRUE(watch);
    watch_ = std::move(*watch);
  }
  static UniqueFd bind_to(const char* host) {
    const net::SocketAddress address = *net::SocketAddress::parse(host, 0);
    UniqueFd made(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(made.get(), address.raw(), address.raw_length()), 0)
        << host << ": " << std::strerror(errno);
    return made;
  }
  UniqueFd peer(const char* host) { return bind_to(host); }

  void send_to(const UniqueFd& from, const char* host, std::string_view text) {
    const net::SocketAddress address = *net::SocketAddress::parse(host, bound.port());
    EXPECT_EQ(
        ::sendto(from.get(), text.data(), text.size(), MSG_DONTWAIT, address.raw(), address.raw_length()),
        static_cast<ssize_t>(text.size()))
        << host << ": " << std::strerror(errno);
  }
  /// From 127.0.0.1 and a port that need not be ours. False without the privilege.
  bool send_forged(std::uint16_t port, std::string_view text) {
    const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!raw) return false;
    const auto length = static_cast<std::uint16_t>(8 + text.size());
    const std::array<std::uint16_t, 4> header{htons(port), htons(bound.port()), htons(length), 0};
    std::string packet(reinterpret_cast<const char*>(header.data()), sizeof header);
    packet += text;
    const net::SocketAddress to = *net::SocketAddress::parse("127.0.0.1", 0);
    return ::sendto(raw.get(), packet.data(), packet.size(), 0, to.raw(), to.raw_length()) ==
           static_cast<ssize_t>(packet.size());
  }
  std::string receive_datagram(const UniqueFd& at) {
    std::string text(65536, '\0');
    EXPECT_TRUE(turn_until([&] {
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      auto* const any = reinterpret_cast<sockaddr*>(&from);
      const ssize_t got = recvfrom(at.get(), text.data(), text.size(), MSG_DONTWAIT, any, &length);
      if (got < 0) return false;
      text.resize(static_cast<std::size_t>(got));
      last_sender = net::SocketAddress(any, length);
      return true;
    }));
    return text;
  }
  bool has_datagram(const UniqueFd& at) {
    settle();
    char byte = 0;
    return recv(at.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
  }
  bool received(std::uint64_t count) {
    return turn_until([&] { return service->datagrams().received >= count; });
  }
  static std::optional<std::string> link_local_address() {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return std::nullopt;
    std::optional<std::string> found;
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6) continue;
      const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) found = net::SocketAddress(one->ifa_addr, sizeof *v6).host();
    }
    freeifaddrs(list);
    return found;
  }

  UniqueFd socket;
  net::SocketAddress bound;
  net::SocketAddress last_sender;

 private:
  reactor::Watch watch_;
};

}  // namespace xsd::plugin
