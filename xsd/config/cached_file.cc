// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/cached_file.h"

#include "xsd/config/file_list.h"
#include "xsd/config/inetd_reader.h"
#include "xsd/config/settings_table.h"
#include "xsd/config/xinetd_reader.h"
#include "xsd/config/xinetd_service.h"
#include "xsd/config/yaml_reader.h"
#include "xsd/config/yaml_writer.h"

#include <algorithm>
#include <utility>

namespace xsd::config {
namespace {

std::vector<IncludePattern> patterns_of(const std::vector<XinetdInclude>& includes) {
  std::vector<IncludePattern> patterns;
  for (const XinetdInclude& include : includes) {
    std::string path = include.path;
    if (include.is_folder) path += path.ends_with('/') ? "*" : "/*";
    patterns.push_back(
        {std::move(path), include.where, include.is_folder ? NameRule::XinetdFolder : NameRule::Exact});
  }
  return patterns;
}

// What xinetd takes for granted, where no file has `defaults`.
const Inherited& inherited_without_defaults() {
  static const Inherited kInherited = [] {
    YamlNode root;
    root.kind = YamlNode::Kind::Map;
    root.members.push_back({"defaults", {}, xinetd_defaults()});
    DiagnosticSink sink("", "");
    return decode_main(root, {}, sink).inherited;
  }();
  return kInherited;
}

// The whole environment is what is inherited from nobody: the first name that is added takes its place.
bool inherits_environment(const Inherited& inherited) {
  const ValueOrigin* const origin = origin_of(inherited.defaults.draft.origins, "passenv");
  return origin == nullptr || origin->where.line == 0;
}

// What xinetd makes of its services that their words alone do not say.
void settle(YamlNode& root, bool inherits_all, DiagnosticSink& sink) {
  for (YamlNode::Member& part : root.members) {
    if (part.key == "defaults") adapt_xinetd_defaults(part.value, sink);
    if (part.key != "services") continue;
    for (YamlNode& service : part.value.items)
      (void)adapt_xinetd_service(service, sink);  // what has no equivalent is faulty by the error about it
    name_programs(part.value);
    for (YamlNode& service : part.value.items)
      (void)ask_libwrap(service);  // it is none that xinetd asks about: then nobody does
    if (!inherits_all) continue;
    for (YamlNode& service : part.value.items) {
      std::erase_if(service.members, [](const auto& member) { return member.key == "passenv-"; });
      for (YamlNode::Member& member : service.members) {
        if (member.key == "passenv+") member.key = "passenv";
      }
    }
  }
}

}  // namespace

void CachedMain::parse(SourceFormat format, const DecodeRules& rules, const std::string& text,
                       const Inherited* elsewhere) {
  DiagnosticSink sink(rules.file, text);
  if (format == SourceFormat::Yaml) {
    if (const auto root = read_yaml(text, sink)) {
      readable = true;
      decoded = decode_main(*root, rules, sink);
    }
  } else if (format == SourceFormat::Inetd) {
    const YamlNode root = read_inetd_file(text, sink);
    readable = true;
    DecodeRules of_main = rules;
    of_main.errors_of_services = sink.error_count();
    decoded = decode_main(root, of_main, sink);
    decoded.include.clear();
  } else {
    XinetdFile file = read_xinetd_file(text, sink);
    readable = true;
    has_defaults = file.has_defaults;
    const Inherited& others = elsewhere != nullptr ? *elsewhere : inherited_without_defaults();
    const std::size_t errors = sink.error_count();
    settle(file.root, has_defaults ? !file.has_passenv : inherits_environment(others), sink);
    DecodeRules of_main = rules;
    of_main.errors_of_services = file.faulty ? sink.error_count() - errors : sink.error_count();
    decoded = decode_main(file.root, of_main, sink, has_defaults ? Inherited{} : others);
    decoded.include = patterns_of(file.includes);
  }
  diagnostics = sink.take();
}

void CachedFile::parse(SourceFormat format, const DecodeRules& rules, const std::string& text,
                       const CachedMain& main) {
  const std::string file(rules.file);
  DiagnosticSink sink(file, text);
  const std::string stem = stem_of(file);
  services.clear();
  foreign.reset();
  std::optional<YamlNode> root;
  if (format == SourceFormat::Yaml) {
    root = read_yaml(text, sink);
  } else {
    XinetdFile read = read_xinetd_file(text, sink);
    auto parts = std::make_unique<ForeignParts>();
    parts->include = patterns_of(read.includes);
    root = std::move(read.root);
    settle(*root, inherits_environment(main.decoded.inherited), sink);
    if (read.has_defaults) {
      YamlNode own;
      own.kind = YamlNode::Kind::Map;
      own.members.push_back(std::move(root->members.front()));
      root->members.erase(root->members.begin());
      DecodeRules of_defaults = rules;
      of_defaults.errors_of_services = read.faulty ? 0 : sink.error_count();
      DecodedMain decoded = decode_main(own, of_defaults, sink);
      parts->has_faulty_defaults = decoded.faulty;
      parts->defaults = std::move(decoded.inherited);
      parts->defaults_text = write_yaml(own);
    }
    foreign = std::move(parts);
  }
  if (root) {
    services = decode_service_file(*root, stem, main.decoded.inherited, rules, sink);
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
