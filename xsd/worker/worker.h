// SPDX-License-Identifier: Apache-2.0
//
// The role `worker`: the process that plugin services live in. It receives definitions and bound sockets from
// the master, runs service::PluginService on its own loop, and writes the records of their connections. It is
// of an unprivileged user and in the sandbox before it loads a plugin's library or sees a byte of a client.
//
// It does as the master says and ends with it: when the channel is closed, and by the parent-death signal. It
// has no signals of its own (all that could be sent to it by accident are blocked), never listens on a socket
// that the master did not give it, and starts no process. When it is killed the master still has the sockets
// and the definitions, and gives them to the next one.
#pragma once

#include "xsd/base/unique_fd.h"

namespace xsd::worker {

/// Plays the role to its end; the exit status.
int run_worker(UniqueFd channel);

}  // namespace xsd::worker
