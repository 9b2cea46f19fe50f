// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/own_network.h"

#include <cerrno>
#include <cstring>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness/temp_folder.h"

namespace xsd::test {
namespace {

constexpr int kHex = 16;

bool bring_up_loopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  bool up = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return up;
}

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1), nullptr, kHex));
}

}  // namespace

OwnNetwork::OwnNetwork() {
  if (geteuid() != 0) {
    why_not_ = "needs root";
    return;
  }
  before_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (before_ < 0) {
    fail("open /proc/self/ns/net");
    return;
  }
  if (unshare(CLONE_NEWNET) != 0) {
    fail("unshare");
    return;
  }
  if (!bring_up_loopback()) {
    fail("bring up lo");
    return;
  }
}

void OwnNetwork::add_address(const char* address) {
  if (!why_not_.empty()) return;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo:1");  // a label: the first address stays
  auto* const wanted = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  wanted->sin_family = AF_INET;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (inet_pton(AF_INET, address, &wanted->sin_addr) != 1 || ioctl(fd, SIOCSIFADDR, &request) != 0)
    fail("add an address");
  close(fd);
}

OwnNetwork::~OwnNetwork() {
  if (before_ < 0) return;
  (void)setns(before_, CLONE_NEWNET);
  close(before_);
}

void OwnNetwork::fail(const std::string& step) {
  why_not_ = "no network namespace: " + step + ": " + std::strerror(errno);
}

std::vector<TcpSocket> tcp_sockets() {
  std::vector<TcpSocket> sockets;
  for (const char* const file : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    for (const std::string& line : split_lines(read_file(file))) {
      // sl local remote state tx:rx tr:when retransmits uid timeout inode ...
      std::istringstream words(line);
      std::string slot, local, remote, state, skipped, inode;
      words >> slot >> local >> remote >> state;
      for (int i = 0; i < 5; ++i)
        words >> skipped;
      words >> inode;
      if (local.find(':') == std::string::npos) continue;  // the heading
      sockets.push_back({port_of(local), port_of(remote), state == "0A", "socket:[" + inode + "]"});
    }
  }
  return sockets;
}

}  // namespace xsd::test
