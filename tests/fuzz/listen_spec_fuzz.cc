// SPDX-License-Identifier: Apache-2.0
//
// One entry of `listen`: what is accepted can be written and reads back to the same; what is not has a
// message on one line.
#include <cstdint>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/listen_spec.h"

using namespace xsd::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = parse_listen(text);
  if (!spec) {
    XSD_ASSERT(!spec.error().text().empty());
    XSD_ASSERT(spec.error().text().find('\n') == std::string::npos);
    return 0;
  }
  const auto again = parse_listen(to_string(*spec));
  XSD_ASSERT(again.has_value());
  XSD_ASSERT(*again == *spec);
  return 0;
}
