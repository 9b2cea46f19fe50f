// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/accept_queue.h"

#include "xsd/base/unique_fd.h"

#include <cstring>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace xsd::net {
namespace {

SocketAddress make_address(sa_family_t family, const __be32* address, __be16 port) noexcept {
  if (family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = port;
    std::memcpy(&v4.sin_addr, address, sizeof v4.sin_addr);
    return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = port;
  std::memcpy(&v6.sin6_addr, address, sizeof v6.sin6_addr);
  return {reinterpret_cast<const sockaddr*>(&v6), sizeof v6};
}

bool ask(int fd, const SocketAddress& local) noexcept {
  struct {
    nlmsghdr header{};
    inet_diag_req_v2 question{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.question.sdiag_family = static_cast<__u8>(local.family());
  request.question.sdiag_protocol = IPPROTO_TCP;
  // What a client has closed again still waits to be accepted.
  request.question.idiag_states = (1U << TCP_ESTABLISHED) | (1U << TCP_CLOSE_WAIT);
  request.question.id.idiag_sport = htons(local.port());
  return send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request);
}

}  // namespace

std::optional<std::vector<SocketAddress>> queued_peers(const SocketAddress& local) {
  if (!local.is_ip()) return std::nullopt;
  const UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd || !ask(fd.get(), local)) return std::nullopt;

  std::vector<SocketAddress> peers;
  alignas(nlmsghdr) char buffer[32768];
  for (;;) {
    // The kernel answers while it is asked, so there is nothing to wait for.
    const ssize_t size = recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size <= 0) return std::nullopt;
    auto left = static_cast<unsigned>(size);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return peers;
      if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
          message->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg)))
        return std::nullopt;
      const auto* const entry = static_cast<const inet_diag_msg*>(NLMSG_DATA(message));
      if (entry->idiag_inode != 0) continue;  // somebody has it
      const SocketAddress end = make_address(entry->idiag_family, entry->id.idiag_src, entry->id.idiag_sport);
      if (local.is_any() || end.same_host(local))
        peers.push_back(make_address(entry->idiag_family, entry->id.idiag_dst, entry->id.idiag_dport));
    }
  }
}

}  // namespace xsd::net
