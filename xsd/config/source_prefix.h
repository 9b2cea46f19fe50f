// SPDX-License-Identifier: Apache-2.0
//
// SourcePrefix: `source_prefix`, how many bits of an address make one source for per_source, source_rate and
// bans. A value.
#pragma once

#include <cstdint>

namespace xsd::config {

struct SourcePrefix {
  std::uint8_t v4 = 32;  ///< 0 to 32
  std::uint8_t v6 = 64;  ///< 0 to 128; a site has at least a /64, and all of its addresses at will
  friend bool operator==(const SourcePrefix&, const SourcePrefix&) = default;
};

}  // namespace xsd::config
