// SPDX-License-Identifier: Apache-2.0
//
// Whose form a configuration has: our own, or one that is read as it stands.
#pragma once

#include <cstdint>

namespace xsd::config {

enum class SourceFormat : std::uint8_t { Yaml, Xinetd, Inetd };

}  // namespace xsd::config
