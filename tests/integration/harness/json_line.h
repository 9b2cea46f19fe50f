// SPDX-License-Identifier: Apache-2.0
//
// JsonLine: one flat JSON object, as the daemon writes them. Strict: what RFC 8259 forbids is not understood.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace xsd::test {

/// Keys and values: texts without their quotes and escapes, numbers and words as they stand. Nothing if it is
/// not one flat object.
std::optional<std::map<std::string, std::string>> parse_json_line(std::string_view line);

}  // namespace xsd::test
