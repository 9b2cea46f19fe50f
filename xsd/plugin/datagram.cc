// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/datagram.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::plugin {
namespace {

constexpr int kDatagramsPerTurn = 64;

/// An error of an earlier answer or of this one datagram, which says nothing about the socket.
bool concerns_one_datagram(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EPROTO:
    case EOPNOTSUPP:
    case EMSGSIZE:
    case EACCES:
    case EPERM:
    case ETIMEDOUT:
    case EPIPE:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_reflecting_port(std::uint16_t port) noexcept {
  return std::binary_search(kReflectingPorts.begin(), kReflectingPorts.end(), port);
}

std::int64_t Datagram::receive() noexcept {
  std::array<char, kScratchSize>& buffer = scratch();
  replied_ = false;
  text_.reset();
  // As long as what IP sockets get, and for a unix socket no longer than the credentials, which come first:
  // no room for descriptors that a sender would like to give us (unix(7)).
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(in_pktinfo))];
  iovec piece{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_name = &from_;
  message.msg_namelen = sizeof from_;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = bound_.is_ip() ? sizeof control : CMSG_SPACE(sizeof(ucred));
  // MSG_TRUNC: the length that the datagram had.
  const ssize_t got = recvmsg(fd_, &message, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
  if (got < 0) return -errno;
  from_length_ = message.msg_namelen;
  read_control(message);
  sender_ = net::SocketAddress(&from_.any, from_length_);
  return got;
}

void Datagram::read_control(msghdr& message) noexcept {
  destination_.family = AF_UNSPEC;
  process_ = {};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      std::memcpy(&destination_.v4, CMSG_DATA(header), sizeof destination_.v4);
      destination_.family = AF_INET;
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(&destination_.v6, CMSG_DATA(header), sizeof destination_.v6);
      destination_.family = AF_INET6;
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
      std::memcpy(&process_, CMSG_DATA(header), sizeof process_);
    }
  }
}

bool Datagram::may_be_shown() const noexcept {
  if (sender_.is_ip()) {
    if (sender_.port() == 0 || is_reflecting_port(sender_.port())) return false;
    if (sender_.is_multicast()) return false;
  }
  if (process_.pid != 0 && process_.pid == getpid()) return false;
  return !instance_.options.refuse_sender || !instance_.options.refuse_sender(sender_);
}

bool Datagram::to_group() const noexcept {
  // For a datagram sent to this host alone the kernel would answer from the address it was sent to; for a
  // broadcast it would not.
  if (destination_.family == AF_INET)
    return destination_.v4.ipi_addr.s_addr != destination_.v4.ipi_spec_dst.s_addr;
  if (destination_.family == AF_INET6) return IN6_IS_ADDR_MULTICAST(&destination_.v6.ipi6_addr);
  return bound_.is_multicast();
}

net::SocketAddress Datagram::local() const noexcept {
  if (destination_.family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(bound_.port());
    address.sin_addr = destination_.v4.ipi_addr;
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  if (destination_.family == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(bound_.port());
    address.sin6_addr = destination_.v6.ipi6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) address.sin6_scope_id = destination_.v6.ipi6_ifindex;
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  return bound_;
}

const xsd_peer_info* Datagram::info() noexcept {
  if (!text_) text_.emplace(instance_, 0, sender_, local());
  return &text_->info;
}

int Datagram::reply(const char* data, std::size_t length) noexcept {
  if (replied_) return -EALREADY;
  replied_ = true;
  UniqueFd file;
  const int refusal = from_length_ <= sizeof(sa_family_t) || to_group() ? EACCES : pin_file(file);
  if (refusal != 0) {
    if (refusal == EACCES) ++counters_.refused;
    return -refusal;
  }
  ssize_t sent = send(data, length);
  // What an earlier answer met; this one was not sent.
  if (sent < 0 && concerns_one_datagram(errno)) sent = send(data, length);
  if (sent < 0) {
    const bool no_room = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
    return no_room ? 0 : -errno;
  }
  ++counters_.answered;
  counters_.bytes_out += static_cast<std::uint64_t>(sent);
  return 0;
}

/// If the sender's name is a file: opens it, if it is one to answer to, and lets the reply go there whatever
/// becomes of the name meanwhile. 0 or a positive errno.
int Datagram::pin_file(UniqueFd& file) noexcept {
  if (sender_.family() != AF_UNIX || from_.path.sun_path[0] == '\0') return 0;
  const std::string path = sender_.host();
  // What is not a full path was meant from the sender's folder, and is unknown here.
  if (path.front() != '/' || process_.pid == 0) return EACCES;
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  file.reset(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!file) return errno == ENOENT ? ENOENT : EACCES;
  struct stat info {};
  if (fstat(file.get(), &info) != 0 || !S_ISSOCK(info.st_mode) || info.st_uid != process_.uid) return EACCES;
  const int length =
      std::snprintf(from_.path.sun_path, sizeof from_.path.sun_path, "/proc/self/fd/%d", file.get());
  from_length_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + static_cast<std::size_t>(length) + 1);
  return 0;
}

/// Puts the address that the reply is to leave from into the message's control buffer; bytes used.
std::size_t Datagram::write_source(msghdr& message) const noexcept {
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (destination_.family == AF_INET) {
    in_pktinfo source{};  // no interface: the route decides
    source.ipi_spec_dst = destination_.v4.ipi_spec_dst;
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof source);
    std::memcpy(CMSG_DATA(header), &source, sizeof source);
    return CMSG_SPACE(sizeof source);
  }
  in6_pktinfo source{};
  source.ipi6_addr = destination_.v6.ipi6_addr;
  // Link-local addresses mean something on their own link only.
  if (IN6_IS_ADDR_LINKLOCAL(&source.ipi6_addr)) source.ipi6_ifindex = destination_.v6.ipi6_ifindex;
  header->cmsg_level = IPPROTO_IPV6;
  header->cmsg_type = IPV6_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof source);
  std::memcpy(CMSG_DATA(header), &source, sizeof source);
  return CMSG_SPACE(sizeof source);
}

ssize_t Datagram::send(const char* data, std::size_t length) noexcept {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (!wildcard_ || destination_.family == AF_UNSPEC)
    return sendto(fd_, data, length, kFlags, &from_.any, from_length_);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))]{};
  iovec piece{const_cast<char*>(data), length};  // sendmsg does not write to it
  msghdr message{};
  message.msg_name = &from_;
  message.msg_namelen = from_length_;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  message.msg_controllen = write_source(message);
  return sendmsg(fd_, &message, kFlags);
}

int DatagramReader::read(int fd, const net::SocketAddress& bound, bool wildcard) noexcept {
  const xsd_plugin& calls = instance_.calls;
  Datagram datagram(instance_, counters_, fd, bound, wildcard);
  bool got_any = false;
  int last_error = 0;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    const std::int64_t got = datagram.receive();
    if (got == -EAGAIN || got == -EWOULDBLOCK) return 0;
    if (got < 0) {
      const int error = static_cast<int>(-got);
      if (!concerns_one_datagram(error)) return error;
      last_error = error;
      continue;
    }
    got_any = true;
    const auto length = static_cast<std::size_t>(got);
    ++counters_.received;
    counters_.bytes_in += length;
    // A unix datagram can be longer than the buffer. A part of one is not what the peer said.
    if (length > kScratchSize || !datagram.may_be_shown()) {
      ++counters_.refused;
      continue;
    }
    if (calls.on_datagram != nullptr) calls.on_datagram(instance_.state, &datagram, scratch().data(), length);
  }
  // A whole turn of nothing but errors: it is the socket after all.
  return got_any ? 0 : last_error;
}

}  // namespace xsd::plugin
