// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/ports.h"

#include <cstdio>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace xsd::test {
namespace {

constexpr unsigned kFirst = 12000;
constexpr unsigned kCount = 18000;
constexpr unsigned kMaxTries = 4000;

/// -1 if another test has it. A child that execs does not keep it.
int claim(std::uint16_t port) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length =
      std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "xsd-test-port-%u", unsigned{port});
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<std::size_t>(length));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  close(fd);
  return -1;
}

bool can_bind(int family, int type, std::uint16_t port) {
  const int fd = socket(family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return family == AF_INET6;  // no IPv6 here
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections in TIME_WAIT do not matter
  bool bound = false;
  if (family == AF_INET6) {
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  if (bound && type == SOCK_STREAM) bound = listen(fd, 1) == 0;
  close(fd);
  return bound;
}

bool is_free(std::uint16_t port) {
  return can_bind(AF_INET, SOCK_STREAM, port) && can_bind(AF_INET, SOCK_DGRAM, port) &&
         can_bind(AF_INET6, SOCK_STREAM, port) && can_bind(AF_INET6, SOCK_DGRAM, port);
}

/// The claim on a port that is taken stays until the process ends.
bool take(std::uint16_t port) {
  const int fd = claim(port);
  if (fd < 0) return false;
  if (is_free(port)) return true;
  close(fd);
  return false;
}

std::uint16_t next_candidate() {
  static unsigned offset = static_cast<unsigned>(getpid()) * 61U;
  return static_cast<std::uint16_t>(kFirst + offset++ % kCount);
}

}  // namespace

std::uint16_t free_port() {
  for (unsigned tries = 0; tries < kMaxTries; ++tries) {
    const std::uint16_t port = next_candidate();
    if (take(port)) return port;
  }
  throw std::runtime_error("no free port");
}

std::vector<std::uint16_t> free_ports(std::size_t count) {
  std::vector<std::uint16_t> ports;
  for (unsigned tries = 0; ports.size() < count; ++tries) {
    if (tries >= kMaxTries) throw std::runtime_error("no free ports");
    const std::uint16_t port = next_candidate();
    if (!ports.empty() && port != ports.back() + 1) ports.clear();
    if (take(port)) {
      ports.push_back(port);
    } else {
      ports.clear();
    }
  }
  return ports;
}

HeldPort::HeldPort(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int on = 1;
  (void)setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd_, 16) != 0) {
    ADD_FAILURE() << "cannot hold port " << port;
  }
}

void HeldPort::release() {
  if (fd_ >= 0) (void)close(std::exchange(fd_, -1));
}

}  // namespace xsd::test
