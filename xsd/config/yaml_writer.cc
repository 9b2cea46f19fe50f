// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/yaml_writer.h"

#include <algorithm>
#include <string_view>

#include "xsd/base/text.h"
#include "xsd/config/encoders.h"

namespace xsd::config {
namespace {

using Kind = YamlNode::Kind;

bool is_list_of_maps(const YamlNode& node) noexcept {
  return node.is_list() && !node.items.empty() &&
         std::all_of(node.items.begin(), node.items.end(),
                     [](const YamlNode& item) { return item.is_map() && !item.members.empty(); });
}

/// A number, a boolean or a word: what it is without quotes it also is for our reader.
bool is_bare_word(std::string_view text) noexcept {
  const auto is_usual = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-';
  };
  return !text.empty() && text.front() != '-' && text.front() != '.' && !equals_ignoring_case(text, "null") &&
         std::all_of(text.begin(), text.end(), is_usual);
}

std::string flow(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case Kind::Null:
      return "null";
    case Kind::Scalar:
      return !node.quoted && is_bare_word(node.scalar) ? node.scalar : yaml_scalar(node.scalar);
    case Kind::List:
      for (const YamlNode& item : node.items)
        out += (out.empty() ? "" : ", ") + flow(item);
      return "[" + out + "]";
    case Kind::Map:
      for (const YamlNode::Member& member : node.members)
        out += (out.empty() ? "" : ", ") + yaml_scalar(member.key) + ": " + flow(member.value);
      return "{" + out + "}";
  }
  return out;
}

void write_map(const YamlNode& map, std::size_t indent, std::string& out);

void write_value(const YamlNode& value, std::size_t indent, std::string& out) {
  if (is_list_of_maps(value)) {
    out += '\n';
    for (const YamlNode& item : value.items) {
      out.append(indent + 2, ' ').append("- ");
      write_map(item, indent + 4, out);
    }
    return;
  }
  out.append(" ").append(flow(value)).append("\n");
}

/// The first line is not indented: it stands behind a dash or at the margin.
void write_map(const YamlNode& map, std::size_t indent, std::string& out) {
  bool is_first = true;
  for (const YamlNode::Member& member : map.members) {
    if (!is_first) out.append(indent, ' ');
    is_first = false;
    out.append(yaml_scalar(member.key)).append(":");
    write_value(member.value, indent, out);
  }
}

}  // namespace

std::string write_yaml(const YamlNode& root) {
  std::string out;
  if (root.is_map() && !root.members.empty()) {
    write_map(root, 0, out);
  } else {
    out = flow(root) + "\n";
  }
  return out;
}

}  // namespace xsd::config
