// SPDX-License-Identifier: Apache-2.0
//
// A role: this same program, executed anew from /proc/self/exe, as a child with a task of its own (`worker`,
// `logger`, `probe`): what must not share the master's memory or rights. It gets one end of a channel as its
// standard input and output, the master's standard error (a daemon that detaches: nothing), an unprivileged
// user, a session of its own, and of the environment what the language, the time zone and the loader need.
//
// The child: `main` sees kRoleOption first, and calls `enter_role`, which takes the channel away from the
// standard descriptors (a library that prints must not write into it), asks to die with the master, and names
// the process.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>
#include <unistd.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/process/exec_plan.h"
#include "xsd/process/spawner.h"

namespace xsd::process {

inline constexpr const char* kRoleOption = "--role";

struct RoleRequest {
  std::string role;                        ///< "worker"
  std::string title;                       ///< of the process: "xsd: worker echo"
  std::optional<Credentials> credentials;  ///< nothing: keep ours (the daemon is not root)
  /// It runs nothing but this program, so the environment of the daemon is its business, too.
  bool whole_environment = false;
};

struct RoleProcess {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd channel;  ///< our end
};

/// What the roles of this process are started with; captured once.
class RoleStarter {
 public:
  RoleStarter(Spawner& spawner, const Inheritance& inheritance);
  /// What roles get for it; ours unless this is said. Borrowed.
  void set_standard_error(int fd) noexcept { standard_error_ = fd; }
  Result<RoleProcess> start(const RoleRequest& request);

 private:
  Spawner& spawner_;
  int standard_error_ = STDERR_FILENO;
  std::vector<std::string> whole_environment_;
  std::vector<std::string> environment_;
};

/// Who the roles of a daemon with these settings run as; nothing if it is not root, and they run as it does.
/// The error says that root has nobody to be.
Result<std::optional<Credentials>> role_credentials(const config::DaemonSettings& settings);

/// In the child, before anything else: our end of the channel. The error says that this is no role that a
/// daemon has started.
Result<UniqueFd> enter_role(const char* title);

/// In a role that serves the others until they have ended: what ends them, often the whole session, is not
/// for it.
void block_ending_signals() noexcept;

}  // namespace xsd::process
