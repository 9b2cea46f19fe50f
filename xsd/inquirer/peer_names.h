// SPDX-License-Identifier: Apache-2.0
//
// The names of an address, asked of the C library's databases. A reverse name alone is whatever the owner of
// the address has written there: it counts only if it leads back to the address. Blocks for as long as name
// servers take; for a process that may be killed.
#pragma once

#include "xsd/inquirer/question.h"

namespace xsd::inquirer {

Answer find_names(const net::SocketAddress& peer);

}  // namespace xsd::inquirer
