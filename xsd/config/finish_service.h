// SPDX-License-Identifier: Apache-2.0
//
// The second half of decoding a service: what concerns several of its keys together. It decides what runs,
// turns the xinetd spelling of addresses into `listen`, fills in the defaults that depend on the kind, and
// refuses keys that make no sense there.
#pragma once

#include <cstddef>

#include "xsd/config/decode.h"

namespace xsd::config {

/// `map` is the service as written, `errors_before` the sink's count before it was looked at.
void finish_service(Draft& draft, const YamlNode& map, const Inherited& inherited, const DecodeRules& rules,
                    DiagnosticSink& sink, std::size_t errors_before);

}  // namespace xsd::config
