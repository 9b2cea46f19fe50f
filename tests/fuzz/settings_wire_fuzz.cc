// SPDX-License-Identifier: Apache-2.0
//
// Bytes as the settings of a plugin: what was taken from them can be sent again, in the same bytes.
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/settings_wire.h"

using namespace xsd::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  xsd::WireReader reader(bytes);
  const SettingsNode node = get_settings(reader);
  if (reader.failed()) {
    XSD_ASSERT(node.kind == SettingsNode::Kind::Null && node.where == Position{});
    return 0;
  }
  std::string again;
  put_settings(again, node);
  XSD_ASSERT(again == bytes.substr(0, size - reader.left()));
  return 0;
}
