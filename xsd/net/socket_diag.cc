// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/socket_diag.h"

#include "xsd/base/unique_fd.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace xsd::net {
namespace {

constexpr unsigned state(int number) noexcept {
  return 1U << static_cast<unsigned>(number);
}

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

struct Question {
  sa_family_t family;
  std::uint8_t protocol;
  std::uint32_t states;
  std::uint16_t port;  ///< of the local end
};

using Attributes = std::span<const char>;  ///< rtattr after rtattr, rtnetlink(7)

std::uint64_t cgroup_of(Attributes more) noexcept {
  constexpr unsigned short kCgroupId = 21;  // INET_DIAG_CGROUP_ID, since Linux 5.8
  auto left = static_cast<unsigned>(more.size());
  for (const auto* attribute = reinterpret_cast<const rtattr*>(more.data()); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    std::uint64_t id = 0;
    if (attribute->rta_type != kCgroupId || RTA_PAYLOAD(attribute) != sizeof id) continue;
    std::memcpy(&id, RTA_DATA(attribute), sizeof id);
    return id;
  }
  return 0;
}

/// Calls `take` with each socket and what else is told of it; false if the kernel does not answer, or not
/// whole.
template <class Take>
bool list_sockets(const Question& question, Take take) {
  struct {
    nlmsghdr header{};
    inet_diag_req_v2 body{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = static_cast<__u8>(question.family);
  request.body.sdiag_protocol = question.protocol;
  request.body.idiag_states = question.states;
  request.body.id.idiag_sport = htons(question.port);
  const UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd || send(fd.get(), &request, sizeof request, 0) != static_cast<ssize_t>(sizeof request))
    return false;
  alignas(nlmsghdr) char buffer[32768];
  for (;;) {
    // The kernel makes each part of its answer while it is asked for it: there is nothing to wait for.
    const ssize_t size = recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size <= 0) return false;
    auto left = static_cast<unsigned>(size);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return true;
      if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
          message->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg)))
        return false;
      const std::size_t known = NLMSG_SPACE(sizeof(inet_diag_msg));
      const std::size_t told = std::max<std::size_t>(message->nlmsg_len, known) - known;
      take(*static_cast<const inet_diag_msg*>(NLMSG_DATA(message)),
           Attributes(reinterpret_cast<const char*>(message) + known, told));
    }
  }
}

}  // namespace

std::optional<std::vector<SocketAddress>> queued_peers(const SocketAddress& local) {
  if (!local.is_ip()) return std::nullopt;
  std::vector<SocketAddress> peers;
  const auto take = [&](const inet_diag_msg& entry, Attributes) {
    if (entry.idiag_inode != 0) return;  // somebody has it
    const SocketAddress end = make_address(entry.idiag_family, entry.id.idiag_src, entry.id.idiag_sport);
    if (local.is_any() || end.same_host(local))
      peers.push_back(make_address(entry.idiag_family, entry.id.idiag_dst, entry.id.idiag_dport));
  };
  // What a client has closed again still waits to be accepted.
  const std::uint32_t states = state(TCP_ESTABLISHED) | state(TCP_CLOSE_WAIT);
  if (!list_sockets({local.family(), IPPROTO_TCP, states, local.port()}, take)) return std::nullopt;
  return peers;
}

std::vector<PortSocket> sockets_at_port(Transport transport, std::uint16_t port) {
  const bool stream = transport == Transport::Stream;
  const std::uint8_t protocol = stream ? IPPROTO_TCP : IPPROTO_UDP;
  const std::uint32_t states = stream ? state(TCP_LISTEN) : state(TCP_CLOSE) | state(TCP_ESTABLISHED);
  std::vector<PortSocket> sockets;
  static constexpr sa_family_t kFamilies[] = {AF_INET, AF_INET6};
  for (const sa_family_t family : kFamilies) {
    (void)list_sockets({family, protocol, states, port}, [&](const inet_diag_msg& entry, Attributes more) {
      sockets.push_back({entry.idiag_inode, cgroup_of(more)});
    });  // what one family tells is better than nothing
  }
  return sockets;
}

}  // namespace xsd::net
