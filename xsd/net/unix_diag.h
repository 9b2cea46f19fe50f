// SPDX-License-Identifier: Apache-2.0
//
// Who waits in the accept queue of a unix socket, asked of the kernel (sock_diag(7)) without accepting
// anybody.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace xsd::net {

/// The inodes of the client sockets in the queue of `listener`; 0 for a client that is gone already. nullopt
/// if the kernel does not tell: no unix_diag, not a listening unix socket, or more clients (some 900) than
/// its answer has room for.
std::optional<std::vector<std::uint32_t>> queued_unix_clients(int listener);

}  // namespace xsd::net
