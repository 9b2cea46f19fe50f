// SPDX-License-Identifier: Apache-2.0
//
// OwnNetwork: a network namespace of the test's own, with a loopback interface and nothing else, for tests
// that need well-known ports, forged packets or the sight of all of them. Everything that the test starts or
// opens while it lives is in there; afterwards the test is back where it was. Needs root.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xsd::test {

class OwnNetwork {
 public:
  OwnNetwork();
  ~OwnNetwork();
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

  /// One more IPv4 address of the loopback interface. What fails is told by why_not.
  void add_address(const char* address);
  /// Empty if it is there: `if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();`
  const std::string& why_not() const noexcept { return why_not_; }

 private:
  void fail(const std::string& step);

  int before_ = -1;
  std::string why_not_;
};

/// A TCP socket as /proc/net/tcp and tcp6 of our namespace show it.
struct TcpSocket {
  std::uint16_t local_port;
  std::uint16_t remote_port;
  bool listening;
  std::string name;  ///< as in open_fds: `socket:[INODE]`
};
std::vector<TcpSocket> tcp_sockets();

}  // namespace xsd::test
