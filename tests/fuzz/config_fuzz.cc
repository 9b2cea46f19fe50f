// SPDX-License-Identifier: Apache-2.0
//
// From text to definitions, as a service file and as a main file: a service has a definition or an error,
// every diagnostic is a clean line, and what
// --dump-config writes reads back to the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/decode.h"
#include "xsd/config/loader.h"

using namespace xsd;
using namespace xsd::config;

namespace {

constexpr std::size_t kLongDump = 100000;

void check_diagnostics(const DiagnosticSink& sink) {
  for (const Diagnostic& diagnostic : sink.all()) {
    XSD_ASSERT(!diagnostic.message.empty() && diagnostic.message.find('\n') == std::string::npos);
    XSD_ASSERT(!format_diagnostic(diagnostic).empty());
  }
}

void check_services(const std::vector<DecodedService>& services, Snapshot& snapshot) {
  for (const DecodedService& decoded : services) {
    XSD_ASSERT((decoded.definition == nullptr) == !decoded.error.empty());
    XSD_ASSERT(!decoded.id.empty());
    if (decoded.definition == nullptr) continue;
    const ServiceDefinition& definition = *decoded.definition;
    XSD_ASSERT(decoded.id_known && definition.id == decoded.id);
    XSD_ASSERT(!definition.listen.empty());
    XSD_ASSERT(definition.plugin.empty() == (definition.kind == ServiceKind::Program));
    LoadedService service;
    service.id = decoded.id;
    service.file = "fuzz.yaml";
    service.definition = decoded.definition;
    snapshot.services.push_back(std::move(service));
  }
}

void check_dump(const Snapshot& snapshot) {
  const std::string text = dump_config(snapshot);
  DiagnosticSink sink("dump.yaml", text);
  const auto root = read_yaml(text, sink);
  // The dump nests `settings` deeper than the file that it is from did, so it may be over the limit.
  if (!root)
    return XSD_ASSERT(sink.all().front().message.starts_with("nested deeper") || text.size() > kLongDump);
  const DecodedMain main = decode_main(*root, DecodeRules{"dump.yaml", "/etc/xsd", true}, sink);
  XSD_ASSERT(!main.faulty);
  XSD_ASSERT(main.services.size() == snapshot.services.size());
  for (std::size_t i = 0; i < main.services.size(); ++i) {
    XSD_ASSERT(main.services[i].definition != nullptr);
    XSD_ASSERT(main.services[i].definition->means_the_same(*snapshot.services[i].definition));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DiagnosticSink sink("fuzz.yaml", text);
  const auto root = read_yaml(text, sink);
  if (!root) return 0;
  {
    DiagnosticSink service_sink("fuzz.yaml", text);
    Snapshot snapshot;
    check_services(
        decode_service_file(*root, "fuzz", Inherited{}, DecodeRules{"fuzz.yaml", {}, true}, service_sink),
        snapshot);
    check_diagnostics(service_sink);
    check_dump(snapshot);
  }
  {
    DiagnosticSink main_sink("fuzz.yaml", text);
    const DecodedMain main = decode_main(*root, DecodeRules{"fuzz.yaml", "/etc/xsd", true}, main_sink);
    XSD_ASSERT(!main.faulty || main_sink.has_errors());
    Snapshot snapshot;
    snapshot.daemon = main.daemon;
    check_services(main.services, snapshot);
    check_diagnostics(main_sink);
    if (!main.faulty) check_dump(snapshot);
  }
  return 0;
}
