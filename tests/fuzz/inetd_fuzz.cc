// SPDX-License-Identifier: Apache-2.0
//
// An inetd.conf: whatever it holds, the tree is one that YAML can say, it reads back to the same, and no two
// services have one id.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/inetd_reader.h"
#include "xsd/config/yaml_writer.h"

using namespace xsd::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DiagnosticSink sink("fuzz", text);
  const YamlNode tree = read_inetd_file(text, sink);
  for (const Diagnostic& one : sink.all()) {
    XSD_ASSERT(!one.message.empty());
    XSD_ASSERT(one.message.find('\n') == std::string::npos);
  }
  std::set<std::string> ids;
  for (const YamlNode& service : tree.find("services")->items) {
    const YamlNode* const id = service.find("id") != nullptr ? service.find("id") : service.find("service");
    XSD_ASSERT(id != nullptr && ids.insert(id->scalar).second);
  }
  if (sink.has_errors()) return 0;
  const std::string yaml = write_yaml(tree);
  DiagnosticSink again("again", yaml);
  const auto root = read_yaml(yaml, again);
  XSD_ASSERT(root.has_value());
  XSD_ASSERT(!again.has_errors());
  XSD_ASSERT(write_yaml(*root) == yaml);
  return 0;
}
