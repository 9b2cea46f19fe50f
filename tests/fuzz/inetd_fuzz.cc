// SPDX-License-Identifier: Apache-2.0
//
// An inetd.conf: whatever it holds, the tree is one that YAML can say, it reads back to the same, and no two
// services have one id.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "tests/fuzz/foreign_checks.h"
#include "xsd/config/inetd_reader.h"

using namespace xsd::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DiagnosticSink sink("fuzz", text);
  const YamlNode tree = read_inetd_file(text, sink);
  check_messages(sink);
  std::set<std::string> ids;
  for (const YamlNode& service : tree.find("services")->items) {
    const YamlNode* const id = service.find("id") != nullptr ? service.find("id") : service.find("service");
    XSD_ASSERT(id != nullptr && ids.insert(id->scalar).second);
  }
  if (!sink.has_errors()) check_reads_back(tree);
  return 0;
}
