// SPDX-License-Identifier: Apache-2.0
//
// What a worker says to its master, and the other way round: the first byte of the input chooses the
// direction or the memory of definitions. Whatever decodes is the same when it is encoded and decoded again.
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/definition_wire.h"
#include "xsd/worker/protocol.h"

namespace {

using namespace xsd::worker;

template <class Commands>
std::string encode(const Commands& commands) {
  std::string message;
  for (const auto& command : commands)
    append(message, command);
  return message;
}

void try_definition(std::string_view bytes) {
  const auto wired = xsd::config::decode_definition(bytes);
  if (!wired) return;
  const std::string once = xsd::config::encode_definition(*wired->definition, *wired->resolution);
  const auto again = xsd::config::decode_definition(once);
  XSD_ASSERT(again);
  XSD_ASSERT(xsd::config::encode_definition(*again->definition, *again->resolution) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      if (const auto commands = decode_to_worker(bytes)) {
        const std::string once = encode(*commands);
        const auto again = decode_to_worker(once);
        XSD_ASSERT(again && again->size() == commands->size() && encode(*again) == once);
      }
      break;
    case 1:
      if (const auto events = decode_from_worker(bytes)) {
        const std::string once = encode(*events);
        const auto again = decode_from_worker(once);
        XSD_ASSERT(again && again->size() == events->size() && encode(*again) == once);
      }
      break;
    case 2:
      if (const auto entries = decode_definitions(bytes)) {
        for (const DefinitionEntry& entry : *entries)
          try_definition(entry.definition);
      }
      break;
    default:
      try_definition(bytes);
  }
  return 0;
}
