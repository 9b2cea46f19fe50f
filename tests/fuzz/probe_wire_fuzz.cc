// SPDX-License-Identifier: Apache-2.0
//
// What a probe sends, and what it is asked: what was taken from it can be sent again and is the same.
#include <cstdint>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/worker/probe_wire.h"

using namespace xsd::worker;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto message = decode_probe_message(bytes)) XSD_ASSERT(encode(*message) == bytes);
  if (const auto request = decode_request(bytes)) XSD_ASSERT(encode(*request) == bytes);
  return 0;
}
