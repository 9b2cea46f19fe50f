// SPDX-License-Identifier: Apache-2.0
//
// What a service inherits, written into the service itself, so that it means the same wherever its file lies:
// lists that it edits (`only_from+`) become whole, and what it does not say is added. Both are maps of the
// tree of a foreign file; what is added stands where the service does.
#pragma once

#include <functional>
#include <string_view>

#include "xsd/config/diagnostic.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// `wants`: whether the service can have this key. Something that cannot be removed is a note.
void fold_defaults(YamlNode& service, const YamlNode& defaults,
                   const std::function<bool(std::string_view)>& wants, DiagnosticSink& sink);

}  // namespace xsd::config
