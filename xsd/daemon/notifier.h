// SPDX-License-Identifier: Apache-2.0
//
// Notifier: tells a service manager how far we are (sd_notify(3), the NOTIFY_SOCKET protocol): one datagram
// each, no library. Says nothing where nobody asked. Where the manager keeps descriptors for us (FDSTORE; it
// says so itself from systemd 254 on, before that the unit's Environment= does) it gets the listening
// sockets: the next of us has them from it (inherited_sockets.h), with the clients that wait there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/clock.h"
#include "xsd/net/endpoint.h"
#include "xsd/net/socket.h"

namespace xsd::daemon {

/// What the manager calls the socket of this endpoint: printable, without a colon. Empty if it is too long
/// for a name (255 characters).
std::string store_name(const net::Endpoint& endpoint);
/// Whether it is one of ours.
bool is_store_name(std::string_view name) noexcept;

class Notifier {
 public:
  /// Reads NOTIFY_SOCKET and FDSTORE.
  Notifier();
  void ready(std::string_view status);
  void reloading(MonotonicTime now);
  void stopping();

  bool keeps_sockets() const noexcept { return !path_.empty() && store_size_ > 0; }
  /// The manager has a copy of it from now on.
  void keep(const net::BoundSocket& socket);
  /// The manager closes its copy, or the port would stay open.
  void forget(std::string_view store_name);

 private:
  /// `fd`: goes with it. False, and errno says why, if it was not taken within a second.
  bool send(std::string_view message, int fd = -1);

  std::string path_;
  std::uint64_t store_size_ = 0;
};

}  // namespace xsd::daemon
