// SPDX-License-Identifier: Apache-2.0
//
// LingeringCloser: closes stream sockets so that what was sent last arrives. A TCP socket that is closed
// while something the peer has sent is unread, or still on its way, resets the connection, and the peer loses
// what it has not read yet. So the peer is told that nothing more comes, what it sends is thrown away by the
// kernel, unread by us, and the socket is closed when the peer has closed its end too, or its time is over.
//
// At most kMostLingering are kept; of more the oldest is closed early. One that cannot be watched is closed
// at once, and so is a unix socket: its peer reads what there is before it learns of the end. Owned by the
// ServiceContext; nobody waits for what is in it.
#pragma once

#include <cstddef>
#include <list>

#include "xsd/base/clock.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

inline constexpr std::size_t kMostLingering = 256;

class LingeringCloser {
 public:
  explicit LingeringCloser(reactor::EventLoop& loop) : loop_(loop) {}

  /// `limit`: how long at most.
  void close(UniqueFd socket, Duration limit);
  std::size_t size() const noexcept { return sockets_.size(); }

 private:
  struct Entry {
    UniqueFd fd;
    reactor::Timer limit;
    reactor::Watch watch{};
  };
  using Place = std::list<Entry>::iterator;

  void on_input(Place entry);

  reactor::EventLoop& loop_;
  std::list<Entry> sockets_;  ///< the oldest first
};

}  // namespace xsd::service
