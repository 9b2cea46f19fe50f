// SPDX-License-Identifier: Apache-2.0
//
// What holds of every file of another super-server, whatever is in it.
#pragma once

#include <string>

#include "xsd/base/assert.h"
#include "xsd/config/yaml_reader.h"
#include "xsd/config/yaml_writer.h"

namespace xsd::config {

/// Each message is one line.
inline void check_messages(const DiagnosticSink& sink) {
  for (const Diagnostic& one : sink.all()) {
    XSD_ASSERT(!one.message.empty());
    XSD_ASSERT(one.message.find('\n') == std::string::npos);
  }
}

/// The tree can be said in YAML, and reads back to the same.
inline void check_reads_back(const YamlNode& tree) {
  const std::string yaml = write_yaml(tree);
  DiagnosticSink again("again", yaml);
  const auto root = read_yaml(yaml, again);
  XSD_ASSERT(root.has_value());
  XSD_ASSERT(!again.has_errors());
  XSD_ASSERT(write_yaml(*root) == yaml);
}

}  // namespace xsd::config
