// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/socket.h"

#include <cerrno>
#include <climits>
#include <memory>

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/net/unix_diag.h"

namespace xsd::net {
namespace {

int socket_type(Transport transport) noexcept {
  switch (transport) {
    case Transport::Stream:
      return SOCK_STREAM;
    case Transport::Datagram:
      return SOCK_DGRAM;
    case Transport::SeqPacket:
      return SOCK_SEQPACKET;
  }
  return SOCK_STREAM;
}

Status set_option(int fd, int level, int option, int value, const char* name) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) return Error::from_errno(errno, name);
  return {};
}

Result<int> get_option(int fd, int level, int option, const char* name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(fd, level, option, &value, &length) != 0) return Error::from_errno(errno, name);
  return value;
}

bool has_file(const Endpoint& endpoint) {
  return endpoint.address.family() == AF_UNIX && !endpoint.address.host().starts_with('@');
}

// True if nobody listens at the socket file any more.
bool is_abandoned(const Endpoint& endpoint) {
  struct stat info {};
  if (lstat(endpoint.address.host().c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const UniqueFd probe(socket(AF_UNIX, socket_type(endpoint.transport) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  return connect(probe.get(), endpoint.address.raw(), endpoint.address.raw_length()) != 0 &&
         errno == ECONNREFUSED;
}

// bind(2). The file of a unix socket is born with mode 0666. Nobody may set it later: chmod(2) follows links,
// and whoever owns the folder can put one there in between.
int bind_socket(int fd, const Endpoint& endpoint) noexcept {
  if (!has_file(endpoint)) return bind(fd, endpoint.address.raw(), endpoint.address.raw_length());
  const mode_t before = umask(0111);
  const int result = bind(fd, endpoint.address.raw(), endpoint.address.raw_length());
  (void)umask(before);  // cannot fail, and leaves errno alone
  return result;
}

}  // namespace

Result<BoundSocket> BoundSocket::open_socket(const Endpoint& endpoint, bool shared) {
  UniqueFd fd(
      socket(endpoint.address.family(), socket_type(endpoint.transport) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Error::from_errno(errno, "socket " + endpoint.to_string());
  fd = raise_fd(std::move(fd));
  BoundSocket made(endpoint, std::move(fd));
  Status status;
  if (endpoint.address.is_ip() && endpoint.transport == Transport::Stream) {
    status = set_option(made.fd(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  }
  if (status && endpoint.address.family() == AF_INET6) {
    status = set_option(made.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  }
  if (!status) return std::move(status.error()).within(endpoint.to_string());
  if (!endpoint.interface_name.empty() &&
      setsockopt(made.fd(), SOL_SOCKET, SO_BINDTODEVICE, endpoint.interface_name.data(),
                 static_cast<socklen_t>(endpoint.interface_name.size())) != 0) {
    return Error::from_errno(errno, "bind to interface " + endpoint.interface_name);
  }
  if (shared) made.set_shared(true);
  return made;
}

Status BoundSocket::bind_and_listen(std::uint32_t backlog) {
  const std::string place = endpoint_.to_string();
  int result = bind_socket(fd_.get(), endpoint_);
  const std::string path = has_file(endpoint_) ? endpoint_.address.host() : std::string();
  if (result != 0 && errno == EADDRINUSE && !path.empty() && is_abandoned(endpoint_)) {
    (void)unlink(path.c_str());  // if that fails, bind says so
    result = bind_socket(fd_.get(), endpoint_);
  }
  if (result != 0) return Error::from_errno(errno, "bind " + place);
  if (!path.empty() && !take_file()) return Error::from_errno(errno, "bind " + place);
  return set_backlog(backlog);
}

Result<BoundSocket> BoundSocket::inherit(UniqueFd fd) {
  auto type = get_option(fd.get(), SOL_SOCKET, SO_TYPE, "SO_TYPE");
  if (!type) return std::move(type.error());
  Endpoint endpoint;
  switch (*type) {
    case SOCK_STREAM:
      endpoint.transport = Transport::Stream;
      break;
    case SOCK_DGRAM:
      endpoint.transport = Transport::Datagram;
      break;
    case SOCK_SEQPACKET:
      endpoint.transport = Transport::SeqPacket;
      break;
    default:
      return Error("sockets of type " + std::to_string(*type) + " are not served");
  }
  auto protocol = get_option(fd.get(), SOL_SOCKET, SO_PROTOCOL, "SO_PROTOCOL");
  if (!protocol) return std::move(protocol.error());
  endpoint.address = local_address(fd.get());
  if (endpoint.address.is_ip()) {
    const bool is_usual = (*type == SOCK_STREAM && *protocol == IPPROTO_TCP) ||
                          (*type == SOCK_DGRAM && *protocol == IPPROTO_UDP);
    if (!is_usual)
      return Error(endpoint.address.to_string() + ": protocol " + std::to_string(*protocol) +
                   " is not served (tcp and udp are)");
  }
  const bool is_bound =
      endpoint.address.is_ip() ? endpoint.address.port() != 0 : !endpoint.address.host().empty();
  if (!is_bound) return Error("it is not bound");
  const std::string place = endpoint.to_string();
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0)
    return Error(place + " is connected");
  if (endpoint.address.family() == AF_INET6 && endpoint.address.is_any()) {
    auto is_v6_only = get_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
    if (!is_v6_only) return std::move(is_v6_only.error());
    if (*is_v6_only == 0)
      return Error(place + " takes IPv4 as well (BindIPv6Only=ipv6-only makes it IPv6 alone)");
  }
  char interface_name[IFNAMSIZ] = {};
  length = sizeof interface_name;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface_name, &length) == 0)
    endpoint.interface_name = interface_name;
  return adopt(endpoint, std::move(fd));
}

Result<BoundSocket> BoundSocket::duplicate() const {
  auto copy = duplicate_fd(fd_.get());
  if (!copy) return std::move(copy.error());
  return adopt(endpoint_, std::move(*copy));
}

Result<BoundSocket> BoundSocket::open(const Endpoint& endpoint, std::uint32_t backlog) {
  auto made = open_socket(endpoint, false);
  if (!made) return made;
  if (Status status = made->bind_and_listen(backlog); !status) return std::move(status.error());
  return made;
}

Result<BoundSocket> open_beside(const Endpoint& endpoint, std::uint32_t backlog) {
  auto made = BoundSocket::open_socket(endpoint, true);
  if (!made) return made;
  Status status = made->bind_and_listen(backlog);
  made->set_shared(false);
  if (!status) return std::move(status.error());
  return made;
}

BoundSocket::~BoundSocket() {
  if (fd_) remove_file();
}

BoundSocket::File BoundSocket::own_file() {
  if (!has_file(endpoint_)) return File::None;
  struct stat info {};
  if (lstat(endpoint_.address.host().c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return File::Lost;
  const auto bound = bound_file(fd_.get());
  if (!bound) return File::Unknown;
  if (bound->inode != static_cast<std::uint32_t>(info.st_ino)) return File::Lost;
  if (bound->device != info.st_dev) return File::Unknown;
  file_device_ = info.st_dev;
  file_inode_ = info.st_ino;
  return File::Own;
}

bool BoundSocket::take_file() noexcept {
  struct stat info {};
  if (lstat(endpoint_.address.host().c_str(), &info) != 0) return false;
  file_device_ = info.st_dev;
  file_inode_ = info.st_ino;
  return true;
}

void BoundSocket::remove_file() noexcept {
  if (file_inode_ == 0) return;
  const std::string path = endpoint_.address.host();
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && info.st_dev == file_device_ && info.st_ino == file_inode_) {
    (void)unlink(path.c_str());  // a leftover is replaced at the next start
  }
}

Status BoundSocket::set_backlog(std::uint32_t backlog) {
  if (endpoint_.transport == Transport::Datagram) return {};
  // listen(2) on a listening socket only changes the length of its queue.
  if (listen(fd_.get(), static_cast<int>(std::min<std::uint32_t>(backlog, INT_MAX))) != 0)
    return Error::from_errno(errno, "listen " + endpoint_.to_string());
  return {};
}

void BoundSocket::set_shared(bool on) noexcept {
  const int value = on ? 1 : 0;
  // Where this is refused the bind that it was meant for fails and is reported.
  (void)setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

Status BoundSocket::reopen(std::uint32_t backlog) {
  const bool ip = endpoint_.address.is_ip();
  if (ip) {
    set_shared(true);
  } else {
    if (fd_) remove_file();
    fd_.reset();
  }
  auto fresh = ip ? open_beside(endpoint_, backlog) : open(endpoint_, backlog);
  if (ip) set_shared(false);
  if (!fresh) return std::move(fresh.error());
  *this = std::move(*fresh);
  return {};
}

Accepted accept_connection(int listener, bool non_blocking) noexcept {
  Accepted accepted;
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  accepted.fd.reset(accept4(listener, address, &length, SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0)));
  if (!accepted.fd) {
    accepted.error = errno;
  } else {
    accepted.remote = SocketAddress(address, std::min<socklen_t>(length, sizeof storage));
  }
  return accepted;
}

AcceptOutcome classify_accept_error(int error) noexcept {
  switch (error) {
    case EAGAIN:
      return AcceptOutcome::Empty;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:  // a firewall rule forbade this one connection
    case ENETDOWN:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ETIMEDOUT:
      return AcceptOutcome::Next;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSR:
      return AcceptOutcome::Exhausted;
    default:
      return AcceptOutcome::Broken;
  }
}

SocketAddress local_address(int fd) noexcept {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (getsockname(fd, address, &length) != 0) return {};
  return SocketAddress(address, std::min<socklen_t>(length, sizeof storage));
}

std::vector<SocketAddress> interface_addresses() {
  std::vector<SocketAddress> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_INET) addresses.emplace_back(entry->ifa_addr, sizeof(sockaddr_in));
    if (entry->ifa_addr->sa_family == AF_INET6) addresses.emplace_back(entry->ifa_addr, sizeof(sockaddr_in6));
  }
  return addresses;
}

}  // namespace xsd::net
