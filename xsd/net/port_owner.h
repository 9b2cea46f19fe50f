// SPDX-License-Identifier: Apache-2.0
//
// PortOwnerSearch: who holds the ports that we could not bind, for messages. The sockets are known from
// sock_diag(7) and /proc/net/unix, the processes from /proc/PID/fd, as far as we may look there. Where we may
// not (as a hardened service), the cgroup of a socket still tells the unit: systemd names it so. All that can
// be many files, so they are read a few at a time, once for all endpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/base/directory.h"
#include "xsd/net/endpoint.h"

namespace xsd::net {

class PortOwnerSearch {
 public:
  /// Asks which sockets they are.
  explicit PortOwnerSearch(const std::vector<Endpoint>& endpoints);

  /// Goes on for about `budget`. True when all is known that can be.
  bool step(const Clock& clock, Duration budget);

  /// "inetd[812]", or "inetd.service", or empty if it cannot be seen.
  std::string owner(const Endpoint& endpoint) const;

 private:
  using Wanted = std::unordered_map<std::uint64_t, std::vector<Endpoint>>;

  bool look_at_processes(const Clock& clock, MonotonicTime end);
  bool look_at_groups(const Clock& clock, MonotonicTime end);
  bool next_process();
  void begin_groups();
  void look_at(const char* descriptor);
  void found(Wanted& wanted, Wanted::const_iterator what, const std::string& name);

  std::unordered_map<Endpoint, std::string, EndpointHash> owners_;
  Wanted wanted_;         ///< by the inode of the socket
  Wanted wanted_groups_;  ///< by the cgroup of the socket
  std::filesystem::recursive_directory_iterator groups_;
  int walks_left_ = 3;
  DirectoryStream processes_;
  DirectoryStream descriptors_;  ///< of the process `pid_`
  std::string pid_;
  int seen_ = 0;
};

}  // namespace xsd::net
