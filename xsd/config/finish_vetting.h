// SPDX-License-Identifier: Apache-2.0
//
// The part of finish_service.h about those who are asked about clients: hosts.allow, and the client's
// machine.
#pragma once

#include "xsd/config/diagnostic.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config {

/// Whether there are clients that they can be asked about, and by which name.
void decide_vetting(Draft& draft, DiagnosticSink& sink);

}  // namespace xsd::config
