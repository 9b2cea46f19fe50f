// SPDX-License-Identifier: Apache-2.0
//
// Ports for tests that run side by side. A port is free for tcp and udp on all addresses, below the range
// that clients' own ports come from, and claimed through an abstract unix socket, so that no other test
// process gets it until this one ends.
#pragma once

#include <cstdint>
#include <vector>

namespace xsd::test {

std::uint16_t free_port();
/// `count` ports, one after the other, for ranges.
std::vector<std::uint16_t> free_ports(std::size_t count);

/// Somebody else who listens on a port of 127.0.0.1; fails the test if that cannot be.
class HeldPort {
 public:
  explicit HeldPort(std::uint16_t port);
  ~HeldPort() { release(); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;
  void release();

 private:
  int fd_;
};

}  // namespace xsd::test
