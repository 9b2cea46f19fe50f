// SPDX-License-Identifier: Apache-2.0
//
// hosts.allow and hosts.deny, asked through libwrap (hosts_access(5)), which looks names up, may run commands
// (`spawn`) and may become one (`twist`). For a process of its own, with a time limit from outside.
//
// The library is loaded when it is first needed, by the process that asks: it brings ten others with it,
// which have no business in a daemon that is root. Where it is missing nobody is let in.
#pragma once

#include "xsd/inquirer/question.h"

namespace xsd::inquirer {

/// In the process whose children ask, so that they need not. What is wrong is told in the log, once.
void load_libwrap();

/// `socket`: the connection, for `twist` and `banners`; -1: there is none. With `twist` it does not come
/// back.
Answer ask_libwrap(const Question& question, int socket);

}  // namespace xsd::inquirer
