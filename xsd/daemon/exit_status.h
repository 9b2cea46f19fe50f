// SPDX-License-Identifier: Apache-2.0
//
// Exit statuses of xsd (interface.md section 1).
#pragma once

namespace xsd::daemon {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;  ///< failed at run time
inline constexpr int kExitUsage = 2;
inline constexpr int kExitConfig = 78;  ///< EX_CONFIG of sysexits.h

}  // namespace xsd::daemon
