// SPDX-License-Identifier: Apache-2.0
//
// What tcpmux services (RFC 1078) may give their clients to: the services that say `type: [TCPMUX]` or
// `[TCPMUXPLUS]`, by their names. It becomes part of the definition of each tcpmux service before a plan is
// made, so that a list that has changed is a definition that has: the service is replaced, its queue goes
// over, and who is being asked for a name gets to the end of it.
#pragma once

#include <map>
#include <string>

#include "xsd/config/loader.h"
#include "xsd/manager/plan.h"

namespace xsd::manager {

/// `running` by id: a service that goes on with its old definition, since the new one is faulty, goes on
/// being reached.
void add_mux_targets(config::Snapshot& snapshot, const std::map<std::string, RunningEntry>& running);

}  // namespace xsd::manager
