// SPDX-License-Identifier: Apache-2.0
//
// What holds of every configuration, whatever the text was: a service has a definition or an error, every
// diagnostic is a clean line, and what --dump-config writes reads back to the same.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "xsd/base/assert.h"
#include "xsd/config/decode.h"
#include "xsd/config/loader.h"

namespace xsd::config {

inline void check_diagnostics(std::span<const Diagnostic> diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) {
    XSD_ASSERT(!diagnostic.message.empty() && diagnostic.message.find('\n') == std::string::npos);
    XSD_ASSERT(!format_diagnostic(diagnostic).empty());
  }
}

/// Those that are good.
inline std::vector<LoadedService> check_services(const std::vector<DecodedService>& services) {
  std::vector<LoadedService> good;
  for (const DecodedService& decoded : services) {
    XSD_ASSERT((decoded.definition == nullptr) == !decoded.error.empty());
    XSD_ASSERT(!decoded.id.empty());
    if (decoded.definition == nullptr) continue;
    const ServiceDefinition& definition = *decoded.definition;
    XSD_ASSERT(decoded.id_known && definition.id == decoded.id);
    XSD_ASSERT(!definition.listen.empty() || definition.mux != MuxKind::None);
    XSD_ASSERT(definition.plugin.empty() == (definition.kind != ServiceKind::Plugin));
    LoadedService service;
    service.id = decoded.id;
    service.file = "fuzz.yaml";
    service.definition = decoded.definition;
    good.push_back(std::move(service));
  }
  return good;
}

inline void check_dump(const Snapshot& snapshot) {
  constexpr std::size_t kLongDump = 100000;
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

}  // namespace xsd::config
