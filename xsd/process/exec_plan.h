// SPDX-License-Identifier: Apache-2.0
//
// ExecPlan: everything a service's program is started with that does not depend on the connection, prepared
// once when the definition is loaded, so that a connection costs one clone and a handful of system calls.
// Immutable; shared by all instances.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/config/definitions.h"

namespace xsd::process {

/// Who the program runs as; numbers only, looked up at load (getpwnam and friends never run between clone and
/// exec).
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary groups, complete, in any order; may be empty
};

struct LimitSetting {
  int resource = 0;  ///< RLIMIT_*
  rlimit value{};
};

/// What the daemon itself was started with and every program gets back unless its service says otherwise.
struct Inheritance {
  std::vector<std::string> environment;  ///< the daemon's own "NAME=value" strings, all of them
  rlimit open_files{};                   ///< RLIMIT_NOFILE as it was before the daemon raised it
  int nice = 0;
  static Inheritance capture();  ///< call it first thing in main
};

struct ExecPlan {
  std::string service;                 ///< XSD_SERVICE: the id
  std::string program;                 ///< path given to execve
  std::vector<std::string> arguments;  ///< argv, [0] included; %{NAME} is expanded (config/argument_piece.h)
  /// "NAME=value", each name once: PATH, LANG, LC_*, TZ, passenv and env. Never a name that a connection sets
  /// (REMOTE_* and the like, child_vectors.h), so what the connection says always wins; where there is none,
  /// what a plugin has said of its own follows.
  std::vector<std::string> environment;
  std::optional<Credentials> credentials;  ///< nothing: keep ours (daemon not root)
  std::vector<LimitSetting> limits;        ///< always has RLIMIT_NOFILE
  mode_t umask = 022;
  std::optional<int>
      nice;  ///< the value itself: what the daemon was started with plus the service's; nothing: keep
  std::string chroot;           ///< empty: none
  std::string directory = "/";  ///< inside the chroot
  bool no_new_privs = true;
};

/// Builds the plan. Fails if a limit is above the hard limit and cannot be raised (tried here, not in the
/// child), if an argument uses an unknown %{NAME}, if a text that becomes a C string holds a NUL, or if a
/// variable's name cannot be one.
Result<std::shared_ptr<const ExecPlan>> make_exec_plan(const config::ServiceDefinition& definition,
                                                       const config::Resolution& resolution,
                                                       const Inheritance& inheritance);

/// Plans of the programs that a plugin service declares, by their names.
using ProgramPlans = std::map<std::string, std::shared_ptr<const ExecPlan>, std::less<>>;
Result<std::shared_ptr<const ProgramPlans>> make_program_plans(const config::ServiceDefinition& definition,
                                                               const config::Resolution& resolution,
                                                               const Inheritance& inheritance);

}  // namespace xsd::process
