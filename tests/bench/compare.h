// SPDX-License-Identifier: Apache-2.0
//
// Processor time per operation, xsd against the references (for `http`: nginx), in interleaved rounds.
#pragma once

#include <array>

#include "options.h"
#include "report.h"

namespace bench {

/// The names that `compare` can be narrowed to.
inline constexpr std::array kOperations = {"echo", "daytime", "udp", "stream", "spawn", "idle", "http"};

void compare(const Options& options, Report& report);

}  // namespace bench
