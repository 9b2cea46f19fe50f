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

}  // namespace xsd::test
