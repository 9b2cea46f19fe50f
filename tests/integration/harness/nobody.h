// SPDX-License-Identifier: Apache-2.0
//
// The daemon as an ordinary user, in tests that root runs.
#pragma once

#include <string>

namespace xsd::test {

inline constexpr unsigned kNobody = 65534;

/// For StartOptions::in_child.
void become_nobody();
/// Empty if we are root and the daemon's binary can be run by everybody.
std::string why_not_as_nobody();

}  // namespace xsd::test
