// SPDX-License-Identifier: Apache-2.0
//
// The roles that this program plays as a child of itself (process/role.h): which one, and the end of what all
// have in common.
#pragma once

namespace xsd::daemon {

/// True if the command line is that of a role.
bool is_role(int argc, const char* const* argv) noexcept;

/// Plays it to its end; the exit status. `main` has done nothing yet.
int run_role(int argc, const char* const* argv);

}  // namespace xsd::daemon
