// SPDX-License-Identifier: Apache-2.0
//
// What the kernel knows about sockets of this network namespace, by sock_diag(7). A question walks one of the
// kernel's tables and is answered at once; where the kernel does not answer, nobody can tell.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "xsd/net/address.h"
#include "xsd/net/endpoint.h"

namespace xsd::net {

/// The peers of the connections to `local` (a listening socket's address; a wildcard covers all of its
/// family) that are established but not accepted yet. nullopt if the kernel does not tell.
std::optional<std::vector<SocketAddress>> queued_peers(const SocketAddress& local);

struct PortSocket {
  std::uint64_t inode = 0;
  std::uint64_t cgroup = 0;  ///< id (the inode) of the cgroup2 folder of who made it; 0: not told
};

/// The sockets that listen on (tcp) or are bound to (udp) that port, whatever their address. Empty if there
/// are none or the kernel does not tell.
std::vector<PortSocket> sockets_at_port(Transport transport, std::uint16_t port);

}  // namespace xsd::net
