// SPDX-License-Identifier: Apache-2.0
//
// Small things about the calls on sockets.
#pragma once

#include <cerrno>

#include <fcntl.h>

namespace xsd::plugin {

/// The errno says nothing about the socket; the poller will tell when to try again.
inline bool is_transient(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/// Of the open file: whoever else has it, has it so too.
inline void set_blocking(int fd, bool on) noexcept {
  const int flags = fcntl(fd, F_GETFL);
  // Fails for a bad descriptor only.
  (void)fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

}  // namespace xsd::plugin
