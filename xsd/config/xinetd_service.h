// SPDX-License-Identifier: Apache-2.0
//
// What xinetd makes of a service that its words alone do not say: keys that have no effect beside others,
// what has another meaning here, and what has no equivalent. For the report about files of xinetd's, and so
// that what is written is accepted here.
#pragma once

#include <string_view>

#include "xsd/config/diagnostic.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// Whether a program is started for each client, or something else serves them: an internal service, a
/// redirection, a SENSOR.
bool starts_program(const YamlNode& service);
/// Whether a service that starts no program can have the key.
bool is_for_all_services(std::string_view key);

/// Of a service as it is written, before it inherits. False: it has no equivalent, and an error says why.
bool adapt_xinetd_service(YamlNode& service, DiagnosticSink& sink);
/// Of `defaults`, the same.
void adapt_xinetd_defaults(YamlNode& defaults, DiagnosticSink& sink);
/// When it has inherited.
void finish_xinetd_service(YamlNode& service, DiagnosticSink& sink);

}  // namespace xsd::config
