// SPDX-License-Identifier: Apache-2.0
//
// DaemonNames: what the daemon's own settings mean on this machine: the user of its processes, and the host
// that the log is sent to. Part of the Loader, and lives as long: who runs the processes where no user is
// named is decided once, and an address that was known stays when nobody answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/config/name_service.h"

namespace xsd::config {

class DaemonNames {
 public:
  struct Fault {
    Position where;
    std::string message;
    bool rejects = false;  ///< nothing of this configuration may be applied
  };

  /// `only_checks`: nothing will be started.
  DaemonNames(bool as_root, bool only_checks) : as_root_(as_root), only_checks_(only_checks) {}

  void add_questions(const DaemonSettings& settings, NameAnswers& out) const;
  /// Fills in what was learned.
  void resolve(DaemonSettings& settings, NameService& names, std::vector<Fault>& faults);

 private:
  struct DefaultUser {
    RoleUser user;
    bool is_nobody = false;
  };

  bool wants_default_user(const DaemonSettings& settings) const;
  void resolve_user(DaemonSettings& settings, NameService& names, std::vector<Fault>& faults) const;
  void find_default_user(DaemonSettings& settings, NameService& names);
  void resolve_log_host(DaemonSettings& settings, NameService& names, std::vector<Fault>& faults);

  bool as_root_;
  bool only_checks_;
  std::optional<DefaultUser> default_user_;
  std::string log_host_;
  net::SocketAddress log_address_;  ///< of log_host_
};

}  // namespace xsd::config
