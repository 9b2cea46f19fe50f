// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/wait_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "xsd/net/socket_diag.h"
#include "xsd/net/unix_diag.h"

namespace xsd::service {
namespace {

constexpr int kMostErrors = 256;

WallTime to_wall_time(const timespec& time) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(time.tv_sec) +
                                                                 std::chrono::nanoseconds(time.tv_nsec)));
}

int domain_of(int fd) noexcept {
  int domain = AF_UNSPEC;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 ? domain : AF_UNSPEC;
}

bool set_timestamps(int fd, bool on) noexcept {
  const int value = on ? 1 : 0;
  return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &value, sizeof value) == 0;
}

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::optional<QueueHead> queue_head(int fd) {
  sockaddr_storage storage;
  // Room for the time (socket(7)) and nothing else: descriptors that a unix datagram carries stay in it.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  msghdr message{};
  message.msg_name = &storage;
  message.msg_namelen = sizeof storage;
  // A datagram that came without a time gets one from the first look at it, and keeps that. The option is
  // taken away again: no server asked for it.
  const bool timed = set_timestamps(fd, true);
  if (timed) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
  }
  const ssize_t size = recvmsg(fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (timed) (void)set_timestamps(fd, false);
  if (size < 0) return std::nullopt;
  QueueHead head{
      net::SocketAddress(reinterpret_cast<const sockaddr*>(&storage), message.msg_namelen), size, {}};
  const cmsghdr* const first = timed ? CMSG_FIRSTHDR(&message) : nullptr;
  if (first != nullptr && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_TIMESTAMPNS &&
      first->cmsg_len == CMSG_LEN(sizeof(timespec))) {
    timespec time;
    std::memcpy(&time, CMSG_DATA(first), sizeof time);
    head.seen = to_wall_time(time);
  }
  return head;
}

void drop_head(int fd) noexcept {
  // A receive with no room for it throws a datagram away unread.
  (void)recv(fd, nullptr, 0, MSG_DONTWAIT | MSG_TRUNC);
}

bool drain_errors(int fd) noexcept {
  // A unix socket has no such queue, and would hand out a datagram instead.
  if (const int domain = domain_of(fd); domain != AF_INET && domain != AF_INET6) return false;
  int taken = 0;
  while (taken < kMostErrors && recv(fd, nullptr, 0, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
    ++taken;
  return taken > 0;
}

bool is_ready(int fd) noexcept {
  pollfd state{fd, POLLIN, 0};
  return poll(&state, 1, 0) > 0;
}

unsigned queued_clients(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) return info.tcpi_unacked;
  return is_ready(fd) ? 1 : 0;
}

std::optional<ClientQueue> ClientQueue::of(int listener) {
  ClientQueue queue;
  if (domain_of(listener) == AF_UNIX) {
    auto inodes = net::queued_unix_clients(listener);
    if (!inodes) return std::nullopt;
    queue.inodes_ = std::move(*inodes);
  } else {
    auto peers = net::queued_peers(net::local_address(listener));
    if (!peers) return std::nullopt;
    queue.peers_ = std::move(*peers);
  }
  return queue;
}

bool ClientQueue::has_moved_since(const ClientQueue& before) const {
  const bool peer_left = std::any_of(before.peers_.begin(), before.peers_.end(),
                                     [&](const auto& peer) { return !contains(peers_, peer); });
  if (peer_left) return true;
  // One that gives up stays in the queue, but without its name.
  const auto gone = std::count_if(before.inodes_.begin(), before.inodes_.end(), [&](std::uint32_t inode) {
    return inode != 0 && !contains(inodes_, inode);
  });
  return gone > std::count(inodes_.begin(), inodes_.end(), 0U) -
                    std::count(before.inodes_.begin(), before.inodes_.end(), 0U);
}

bool is_shut_down(int fd) noexcept {
  if (fd < 0) return true;
  // A TCP socket that does not listen any more hangs up, too.
  pollfd state{fd, POLLRDHUP, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLRDHUP)) != 0;
}

bool undo_connect(const net::BoundSocket& socket) noexcept {
  if (socket.endpoint().transport != net::Transport::Datagram) return true;
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  if (getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&peer), &length) != 0) return true;
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;  // connect(2)
  if (connect(socket.fd(), &nobody, sizeof nobody) != 0) return false;
  // The kernel takes the interface away with the peer.
  const std::string& interface = socket.endpoint().interface_name;
  return interface.empty() || setsockopt(socket.fd(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(),
                                         static_cast<socklen_t>(interface.size())) == 0;
}

}  // namespace xsd::service
