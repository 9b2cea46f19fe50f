// SPDX-License-Identifier: Apache-2.0
//
// YamlReader on any bytes: whatever they are, there is a tree within its limits or at least one error, every
// place lies in the text, and every diagnostic is a clean line.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/base/text.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/yaml_reader.h"

using namespace xsd;
using namespace xsd::config;

namespace {

struct Seen {
  std::size_t nodes = 0;
  std::uint32_t lines = 0;
};

void check_text(std::string_view text) {
  for (std::size_t length = 0; !text.empty(); text.remove_prefix(length)) {
    length = utf8_sequence_length(text);
    XSD_ASSERT(length > 0);
    XSD_ASSERT(text.front() != '\0' && text.front() != '\x1b' && text.front() != '\x7f');
  }
}

void check_node(const YamlNode& node, std::size_t depth, Seen& seen) {
  XSD_ASSERT(++seen.nodes <= kMaxNodes);
  XSD_ASSERT(node.where.line >= 1 && node.where.column >= 1 && node.where.line <= seen.lines);
  XSD_ASSERT(!describe(node).empty());
  check_text(node.scalar);
  if (node.is_list() || node.is_map()) XSD_ASSERT(depth < kMaxNesting);
  for (const YamlNode& item : node.items) {
    check_node(item, depth + 1, seen);
  }
  for (const YamlNode::Member& member : node.members) {
    check_text(member.key);
    XSD_ASSERT(member.where.line >= 1 && member.where.column >= 1 && member.where.line <= seen.lines);
    if (node.members.size() < 100) XSD_ASSERT(node.find(member.key) == &member.value);
    ++seen.nodes;
    check_node(member.value, depth + 1, seen);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DiagnosticSink sink("fuzz.yaml", text);
  const std::optional<YamlNode> root = read_yaml(text, sink);
  XSD_ASSERT(root.has_value() || sink.has_errors());

  Seen seen;
  seen.lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  if (root) check_node(*root, 0, seen);
  for (const Diagnostic& diagnostic : sink.all()) {
    XSD_ASSERT(diagnostic.where.line <= seen.lines);
    XSD_ASSERT(!diagnostic.message.empty() && diagnostic.message.back() != '.');
    const std::string shown = format_diagnostic(diagnostic);
    check_text(shown);
    const auto lines = std::count(shown.begin(), shown.end(), '\n');
    XSD_ASSERT(lines == 1 || lines == 3);
    const std::string json = format_diagnostic_json(diagnostic);
    check_text(json);
    XSD_ASSERT(std::count(json.begin(), json.end(), '\n') == 1);
  }
  return 0;
}
