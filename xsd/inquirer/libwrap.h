// SPDX-License-Identifier: Apache-2.0
//
// hosts.allow and hosts.deny, asked through libwrap (hosts_access(5)), which looks names up, may run commands
// (`spawn`) and may become one (`twist`). For a process of its own, with a time limit from outside.
#pragma once

#include "xsd/inquirer/question.h"

namespace xsd::inquirer {

/// `socket`: the connection, for `twist` and `banners`; -1: there is none. With `twist` it does not come
/// back.
Answer ask_libwrap(const Question& question, int socket);

}  // namespace xsd::inquirer
