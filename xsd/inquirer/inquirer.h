// SPDX-License-Identifier: Apache-2.0
//
// The role `inquirer`: the process that asks others about clients (names, hosts.allow, ident), so that what
// blocks there blocks nobody. It runs without privileges. Each question is a process::Helper, a fork that is
// killed when its time is up; of each kind so many work at a time, the others wait for as long as their time
// lasts. Each is answered: if there was no time, or the helper has died, with Unknown.
//
// Not in the sandbox: modules of the name service switch do what they like, and hosts.allow may have commands
// run. It trusts its master and is not trusted by it. It ends when the master closes the channel.
#pragma once

#include "xsd/base/unique_fd.h"

namespace xsd::inquirer {

/// `main` of the role; the exit status.
int run_inquirer(UniqueFd channel);

}  // namespace xsd::inquirer
