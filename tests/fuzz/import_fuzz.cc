// SPDX-License-Identifier: Apache-2.0
//
// --import of a file of xinetd's, and of one of inetd's: what is written reads back, and every service in it
// is accepted with an id of its own.
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/decode.h"
#include "xsd/config/import.h"

using namespace xsd::config;

namespace {

void check(SourceFormat format, std::string_view text) {
  std::vector<std::unique_ptr<ForeignFile>> files;
  files.push_back(read_foreign_text(format, "fuzz", std::string(text)));
  const Import import = import_files(format, std::move(files));
  const std::string report = format_report(import, false);
  XSD_ASSERT(report.ends_with(" not translated\n"));
  XSD_ASSERT(import.left_out == 0 || !import.is_complete());
  const std::string yaml = format_import(import, {});
  DiagnosticSink sink("again", yaml);
  const auto root = read_yaml(yaml, sink);
  XSD_ASSERT(root.has_value() && !sink.has_errors());
  const auto services =
      decode_service_file(*root, "again", Inherited{}, DecodeRules{"again", {}, true}, sink);
  for (const Diagnostic& one : sink.all()) {
    XSD_ASSERT(one.severity != Severity::Error ||
               one.message.find(" is not available yet in this version") != std::string::npos);
  }
  std::set<std::string> ids;
  for (const DecodedService& service : services)
    XSD_ASSERT(ids.insert(service.id).second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(SourceFormat::Xinetd, text);
  check(SourceFormat::Inetd, text);
  return 0;
}
