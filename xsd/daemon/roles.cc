// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/roles.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "xsd/base/unique_fd.h"
#include "xsd/daemon/exit_status.h"
#include "xsd/inquirer/inquirer.h"
#include "xsd/logger/logger.h"
#include "xsd/process/role.h"
#include "xsd/worker/probe.h"
#include "xsd/worker/worker.h"

namespace xsd::daemon {
namespace {

struct Role {
  std::string_view name;
  /// Takes over our end of the channel.
  int (*run)(UniqueFd channel);
};

// xsd --role NAME TITLE
constexpr int kArguments = 4;
constexpr std::array kRoles = {Role{"inquirer", inquirer::run_inquirer}, Role{"logger", logger::run_logger},
                               Role{"probe", worker::run_probe}, Role{"worker", worker::run_worker}};

int fail(const char* text) {
  (void)std::fprintf(stderr, "xsd: %s\n", text);
  return kExitUsage;
}

}  // namespace

bool is_role(int argc, const char* const* argv) noexcept {
  return argc > 1 && std::string_view(argv[1]) == process::kRoleOption;
}

int run_role(int argc, const char* const* argv) {
  if (argc != kArguments) return fail("a role is started by the daemon only");
  const auto role = std::find_if(kRoles.begin(), kRoles.end(),
                                 [&](const Role& known) { return known.name == std::string_view(argv[2]); });
  if (role == kRoles.end()) return fail("there is no such role");
  auto channel = process::enter_role(argv[3]);
  if (!channel) return fail(channel.error().text().c_str());
  return role->run(std::move(*channel));
}

}  // namespace xsd::daemon
