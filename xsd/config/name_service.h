// SPDX-License-Identifier: Apache-2.0
//
// NameService: what names mean on this machine now: users, groups, ports, hosts, interfaces. Asked while a
// configuration is resolved, never while clients are served. Virtual, so that tests own the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "xsd/net/address.h"

namespace xsd::config {

struct UserEntry {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

class NameService {
 public:
  virtual ~NameService() = default;
  /// Forget what was found out: a new load begins.
  virtual void refresh() = 0;
  virtual std::optional<UserEntry> user(const std::string& name) = 0;
  virtual std::optional<UserEntry> user(uid_t uid) = 0;
  virtual std::optional<gid_t> group(const std::string& name) = 0;
  /// The supplementary groups that initgroups would set, the primary one included.
  virtual std::vector<gid_t> groups_of(const UserEntry& user) = 0;
  /// By the services database; `protocol` is "tcp" or "udp".
  virtual std::optional<std::uint16_t> port(const std::string& name, const std::string& protocol) = 0;
  /// The addresses of a host, without ports, each once; empty if it is not found.
  virtual std::vector<net::SocketAddress> addresses(const std::string& host) = 0;
  virtual bool has_interface(const std::string& name) = 0;
  /// False where the kernel has no IPv6 at all.
  virtual bool has_ipv6() = 0;
  virtual uid_t own_uid() = 0;
  virtual gid_t own_gid() = 0;
};

/// The C library's databases, each name asked once between two refreshes. A host name may cost a question to
/// a resolver: such a question waits at most a second or so for each server, and when one second was spent on
/// them in all, further names count as not found until the next refresh.
std::unique_ptr<NameService> make_system_name_service();

}  // namespace xsd::config
