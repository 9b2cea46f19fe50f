// SPDX-License-Identifier: Apache-2.0
//
// What a `wait` service asks of a socket that it shares with its servers: what waits in the queue, whether a
// server has served it, and whether the socket is still usable. Nothing is accepted or read here but by
// `drop_head` and `drain_errors`. The descriptors are borrowed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

#include "xsd/base/clock.h"
#include "xsd/net/address.h"
#include "xsd/net/socket.h"

namespace xsd::service {

/// The head of a datagram queue.
struct QueueHead {
  net::SocketAddress sender;
  ssize_t size;
  WallTime seen;  ///< when it came, or was first looked at: tells equal datagrams apart
  friend bool operator==(const QueueHead&, const QueueHead&) = default;
};

/// nullopt if there is no datagram; an error of an earlier send may have been there in its place.
std::optional<QueueHead> queue_head(int fd);
void drop_head(int fd) noexcept;

/// Empties the queue of errors that a server has asked for (IP_RECVERR) and left behind: a socket with one in
/// it is ready for ever. True if there were any.
bool drain_errors(int fd) noexcept;

/// True if a poller would report the socket.
bool is_ready(int fd) noexcept;

/// How many clients wait to be accepted; one for any number where the kernel does not tell (unix sockets).
unsigned queued_clients(int fd) noexcept;

/// Who waits to be accepted.
class ClientQueue {
 public:
  /// nullopt if the kernel does not tell.
  static std::optional<ClientQueue> of(int listener);
  /// True if somebody who waited then, in `before`, has been accepted since.
  bool has_moved_since(const ClientQueue& before) const;

 private:
  std::vector<net::SocketAddress> peers_;  ///< of an IP socket
  std::vector<std::uint32_t> inodes_;      ///< of a unix socket; 0: one that has given up
};

/// True if the socket cannot be used any more: somebody called shutdown(2) on it, or it is closed.
bool is_shut_down(int fd) noexcept;

/// Undoes a connect(2) on a datagram socket, which would get nothing from anybody else. False if that is not
/// possible.
bool undo_connect(const net::BoundSocket& socket) noexcept;

}  // namespace xsd::service
