// SPDX-License-Identifier: Apache-2.0
//
// From text to definitions, as a service file and as a main file.
#include <cstdint>
#include <string_view>

#include "tests/fuzz/snapshot_checks.h"

using namespace xsd;
using namespace xsd::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DiagnosticSink sink("fuzz.yaml", text);
  const auto root = read_yaml(text, sink);
  if (!root) return 0;
  {
    DiagnosticSink service_sink("fuzz.yaml", text);
    Snapshot snapshot;
    snapshot.services = check_services(
        decode_service_file(*root, "fuzz", Inherited{}, DecodeRules{"fuzz.yaml", {}, true}, service_sink));
    check_diagnostics(service_sink.all());
    check_dump(snapshot);
  }
  {
    DiagnosticSink main_sink("fuzz.yaml", text);
    const DecodedMain main = decode_main(*root, DecodeRules{"fuzz.yaml", "/etc/xsd", true}, main_sink);
    XSD_ASSERT(!main.faulty || main_sink.has_errors());
    Snapshot snapshot;
    snapshot.daemon = main.daemon;
    snapshot.services = check_services(main.services);
    check_diagnostics(main_sink.all());
    if (!main.faulty) check_dump(snapshot);
  }
  return 0;
}
