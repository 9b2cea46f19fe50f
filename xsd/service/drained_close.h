// SPDX-License-Identifier: Apache-2.0
//
// DrainedClose: connections that are over on our side but not on the client's. A socket that is closed while
// something is in it that nobody has read resets the connection, and the client may lose what it was sent
// (RFC 1122 section 4.2.2.13). So our side of it is shut, which the client sees as the end, and what still
// comes is discarded until the client's end or until the time is over.
//
// No byte of a client gets into our memory: of a TCP socket the kernel is told to drop them (MSG_TRUNC,
// tcp(7)). Other sockets cannot do that; they are kept until the client's end, unread. (With select, which
// cannot see that alone, until the time is over.)
//
// Owned by the ServiceContext: a socket stays however the service that it was given by ends. There are at
// most `kMost`, and no more than a quarter of the descriptors that we may have; the oldest is closed for a
// new one.
#pragma once

#include <cstddef>
#include <list>

#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

class DrainedClose {
 public:
  static constexpr std::size_t kMost = 1024;

  explicit DrainedClose(reactor::EventLoop& loop) noexcept : loop_(loop) {}

  /// Takes the socket over. One that cannot be waited for is closed at once.
  void add(UniqueFd socket, Duration time);
  std::size_t size() const noexcept { return closing_.size(); }

 private:
  struct Closing {
    UniqueFd socket;
    bool is_tcp;
    reactor::Timer timer;
    reactor::Watch watch;
  };
  using Place = std::list<Closing>::iterator;

  void on_ready(Place place, reactor::Events ready);

  reactor::EventLoop& loop_;
  std::list<Closing> closing_;  ///< the oldest first
};

}  // namespace xsd::service
