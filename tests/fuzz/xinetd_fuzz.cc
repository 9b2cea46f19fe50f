// SPDX-License-Identifier: Apache-2.0
//
// A file of xinetd's: whatever it holds, the tree is one that YAML can say, and it reads back to the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/fuzz/foreign_checks.h"
#include "xsd/config/xinetd_reader.h"

using namespace xsd::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DiagnosticSink sink("fuzz", text);
  const XinetdFile file = read_xinetd_file(text, sink);
  check_messages(sink);
  if (!sink.has_errors()) check_reads_back(file.root);
  return 0;
}
