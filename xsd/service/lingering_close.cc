// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/lingering_close.h"

#include <cerrno>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::service {
namespace {

// For one look at a socket, so that a peer that sends without end costs no more than others.
constexpr std::size_t kBatch = std::size_t{1} << 20;

enum class Input { Some, None, End };

/// Throws away what has come (tcp(7), MSG_TRUNC): no byte of it comes to this process. Not by recv(3), since
/// sanitizers know of no buffer that is not there.
Input discard(int fd) noexcept {
  const long size = syscall(SYS_recvfrom, fd, nullptr, kBatch, MSG_TRUNC | MSG_DONTWAIT, nullptr, nullptr);
  if (size > 0) return Input::Some;
  return size < 0 && (errno == EAGAIN || errno == EINTR) ? Input::None : Input::End;
}

bool is_unix(int fd) noexcept {
  int domain = AF_UNSPEC;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

}  // namespace

void LingeringCloser::close(UniqueFd socket, Duration limit) {
  if (!socket || shutdown(socket.get(), SHUT_WR) != 0 || is_unix(socket.get())) return;
  socket = raise_fd(std::move(socket));
  const int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return;
  const int fd = socket.get();
  const Place entry = sockets_.insert(sockets_.end(), {std::move(socket), reactor::Timer(loop_, {})});
  auto watch = loop_.watch(fd, reactor::kReadable, [this, entry](reactor::Events) { on_input(entry); });
  if (!watch) {
    sockets_.erase(entry);
    return;
  }
  entry->watch = std::move(*watch);
  entry->limit = reactor::Timer(loop_, [this, entry] { sockets_.erase(entry); });
  entry->limit.arm(limit);
  if (sockets_.size() > kMostLingering) sockets_.pop_front();
}

void LingeringCloser::on_input(Place entry) {
  if (discard(entry->fd.get()) == Input::End) sockets_.erase(entry);
}

}  // namespace xsd::service
