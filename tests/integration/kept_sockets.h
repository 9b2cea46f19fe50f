// SPDX-License-Identifier: Apache-2.0
//
// What tests of sockets that come from a service manager share.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd(const Fd&) = delete;
  int get() const noexcept { return fd_; }
  void reset() { Fd gone(std::move(*this)); }

 private:
  int fd_;
};

/// Bound to a port of 127.0.0.1, and listening.
inline Fd bound(int type, std::uint16_t port, bool reuse = false) {
  Fd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const int on = reuse ? 1 : 0;
  EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(listen(fd.get(), 16), 0);
  }
  return fd;
}

/// The same at a path.
inline Fd bound_unix(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(fd.get(), 16), 0);
  return fd;
}

class KeptSocketsTest : public testing::Test {
 protected:
  static DaemonOptions with_store(Store store = {}) {
    DaemonOptions options;
    options.start.environment = {"FDSTORE=64"};
    options.store = std::move(store);
    return options;
  }
  /// Those of a socket unit.
  static DaemonOptions with_sockets(const std::vector<int>& sockets, const std::string& name = "xsd.socket") {
    DaemonOptions options;
    for (const int fd : sockets)
      options.start.listen.emplace_back(name, fd);
    return options;
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

}  // namespace xsd::test
