// SPDX-License-Identifier: Apache-2.0
//
// A tree as YAML that reads back to the same one: maps and lists of maps in lines of their own, all other
// lists and the maps inside of a map's values on one line.
#pragma once

#include <string>

#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// Ends with a newline. Scalars need no quotes of their own where YAML does not ask for them.
std::string write_yaml(const YamlNode& root);

}  // namespace xsd::config
