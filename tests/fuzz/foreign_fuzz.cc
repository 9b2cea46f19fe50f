// SPDX-License-Identifier: Apache-2.0
//
// From a file of xinetd's or inetd's as it stands (--xinetd, --inetd) to definitions: as the main file, and
// as one of xinetd's that another one includes.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tests/fuzz/snapshot_checks.h"
#include "xsd/config/cached_file.h"

using namespace xsd;
using namespace xsd::config;

namespace {

constexpr std::size_t kMostDumped = 3;

/// To dump and read many of them takes most of the time.
void check_dump_of(std::vector<LoadedService> good) {
  if (good.empty()) return;
  good.resize(std::min(good.size(), kMostDumped));
  for (std::size_t i = 0; i < good.size(); ++i) {  // as the loader does where they have one id
    auto with_own_id = std::make_shared<ServiceDefinition>(*good[i].definition);
    with_own_id->id += "-" + std::to_string(i);
    good[i].definition = std::move(with_own_id);
  }
  Snapshot snapshot;
  snapshot.services = std::move(good);
  check_dump(snapshot);
}

CachedMain check_main(SourceFormat format, const DecodeRules& rules, const std::string& text) {
  CachedMain main;
  main.parse(format, rules, text, nullptr);
  XSD_ASSERT(main.readable);
  check_diagnostics(main.diagnostics);
  std::vector<LoadedService> good = check_services(main.decoded.services);
  if (!main.decoded.faulty) check_dump_of(std::move(good));
  const bool has_error = std::any_of(main.diagnostics.begin(), main.diagnostics.end(),
                                     [](const Diagnostic& d) { return d.severity == Severity::Error; });
  XSD_ASSERT(!main.decoded.faulty || has_error);
  return main;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const DecodeRules rules{.file = "/etc/fuzz", .base_folder = "/etc", .as_root = true};
  (void)check_main(SourceFormat::Inetd, rules, text);
  const CachedMain main = check_main(SourceFormat::Xinetd, rules, text);
  CachedFile file;
  file.parse(SourceFormat::Xinetd, rules, text, main);
  check_diagnostics(file.text_diagnostics);
  (void)check_services(file.services);
  return 0;
}
