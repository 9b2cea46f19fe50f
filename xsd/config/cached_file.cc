// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/cached_file.h"

#include "xsd/config/file_list.h"
#include "xsd/config/yaml_reader.h"

#include <algorithm>
#include <utility>

namespace xsd::config {

void CachedFile::parse(const DecodeRules& rules, const std::string& text, const Inherited& inherited) {
  const std::string file(rules.file);
  DiagnosticSink sink(file, text);
  const std::string stem = stem_of(file);
  services.clear();
  if (const auto root = read_yaml(text, sink)) {
    services = decode_service_file(*root, stem, inherited, rules, sink);
  } else {
    DecodedService faulty;
    faulty.id = stem;
    faulty.id_known = false;
    const auto& all = sink.all();
    const auto error =
        std::find_if(all.begin(), all.end(), [](const auto& d) { return d.severity == Severity::Error; });
    faulty.error = error != all.end() ? one_line(*error) : file + ": cannot be read";
    services.push_back(std::move(faulty));
  }
  services.shrink_to_fit();
  text_diagnostics = sink.take();
  text_diagnostics.shrink_to_fit();
}

}  // namespace xsd::config
