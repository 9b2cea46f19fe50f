// SPDX-License-Identifier: Apache-2.0
//
// Who waits in the accept queue of a TCP socket, asked of the kernel without accepting anybody.
#pragma once

#include <optional>
#include <vector>

#include "xsd/net/address.h"

namespace xsd::net {

/// The peers of the connections to `local` (a listening socket's address; a wildcard covers all of its
/// family) that are established but not accepted yet. nullopt if the kernel does not tell (no sock_diag(7),
/// another family). Walks the kernel's table of connections: for rare questions.
std::optional<std::vector<SocketAddress>> queued_peers(const SocketAddress& local);

}  // namespace xsd::net
