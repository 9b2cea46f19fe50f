// SPDX-License-Identifier: Apache-2.0
//
// Who holds a port that we could not bind: from /proc/net and /proc/PID/fd, as far as we may look there. For
// messages only; slow (it reads all of /proc) and therefore bounded.
#pragma once

#include <string>

#include "xsd/net/endpoint.h"

namespace xsd::net {

/// "inetd[812]", or empty if it cannot be seen.
std::string find_port_owner(const Endpoint& endpoint);

}  // namespace xsd::net
