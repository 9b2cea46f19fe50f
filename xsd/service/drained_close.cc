// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/drained_close.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace xsd::service {
namespace {

// In one turn; more stays in the kernel, which then slows the client down.
constexpr std::size_t kMostInATurn = std::size_t{256} * 1024;

bool is_tcp_socket(int fd) noexcept {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

std::size_t most_sockets() noexcept {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return DrainedClose::kMost;
  return std::clamp<std::size_t>(descriptors.rlim_cur / 4, 1, DrainedClose::kMost);
}

}  // namespace

void DrainedClose::add(UniqueFd socket, Duration time) {
  if (shutdown(socket.get(), SHUT_WR) != 0) return;  // the client is gone already
  if (closing_.size() >= most_sockets()) closing_.pop_front();
  const bool is_tcp = is_tcp_socket(socket.get());
  const Place place = closing_.insert(
      closing_.end(), Closing{std::move(socket), is_tcp, reactor::Timer(loop_, [] {}), reactor::Watch()});
  place->timer = reactor::Timer(loop_, [this, place] { closing_.erase(place); });
  // Nothing is asked for but what is always told: an end in both directions.
  const reactor::Events interest = is_tcp ? reactor::kReadable : reactor::kPriority;
  auto watch = loop_.watch(place->socket.get(), interest,
                           [this, place](reactor::Events ready) { on_ready(place, ready); });
  if (!watch) {
    closing_.erase(place);
    return;
  }
  place->watch = std::move(*watch);
  place->timer.arm(time);
}

void DrainedClose::on_ready(Place place, reactor::Events ready) {
  if (place->is_tcp) {
    const ssize_t length = recv(place->socket.get(), nullptr, kMostInATurn, MSG_TRUNC | MSG_DONTWAIT);
    if (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR))) return;
  } else if ((ready & reactor::kHangup) == 0) {
    return;
  }
  closing_.erase(place);
}

}  // namespace xsd::service
