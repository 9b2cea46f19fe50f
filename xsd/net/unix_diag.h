// SPDX-License-Identifier: Apache-2.0
//
// What the kernel knows of a unix socket (sock_diag(7)): who waits in its accept queue, asked without
// accepting anybody, and which file it was bound to.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace xsd::net {

/// The inodes of the client sockets in the queue of `listener`; 0 for a client that is gone already. nullopt
/// if the kernel does not tell: no unix_diag, not a listening unix socket, or more clients (some 900) than
/// its answer has room for.
std::optional<std::vector<std::uint32_t>> queued_unix_clients(int listener);

struct BoundFile {
  dev_t device = 0;  ///< of the file system; where that numbers its parts (btrfs), stat(2) says another one
  std::uint32_t inode = 0;  ///< the lower half
};
/// The file that a unix socket was bound to, whatever is at its path now. nullopt if the kernel does not
/// tell, or if there was none.
std::optional<BoundFile> bound_file(int socket);

}  // namespace xsd::net
