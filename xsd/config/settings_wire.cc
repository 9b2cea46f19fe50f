// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/settings_wire.h"

#include <utility>

#include "xsd/config/source_file.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {
namespace {

using Kind = SettingsNode::Kind;

constexpr std::size_t kSmallestNode = 1 + 4 * sizeof(std::uint32_t);
constexpr std::size_t kSmallestMember = sizeof(std::uint32_t) + kSmallestNode;

void put_position(std::string& out, const Position& where) {
  put_number(out, where.line);
  put_number(out, where.column);
}

Position get_position(WireReader& reader) {
  Position where;
  where.line = reader.get<std::uint32_t>();
  where.column = reader.get<std::uint32_t>();
  return where;
}

std::string get_text(WireReader& reader) {
  const std::string_view text = reader.text(kMaxFileSize);
  if (text.find('\0') != std::string_view::npos) reader.fail();
  return std::string(text);
}

SettingsNode get_node(WireReader& reader, std::size_t depth, std::size_t& nodes_left) {
  SettingsNode node;
  if (depth > kMaxNesting || nodes_left == 0) reader.fail();
  if (reader.failed()) return node;
  --nodes_left;
  node.kind = reader.choice(Kind::Map);
  node.where = get_position(reader);
  node.key_where = get_position(reader);
  switch (node.kind) {
    case Kind::Null:
      break;
    case Kind::Scalar:
      node.scalar = get_text(reader);
      break;
    case Kind::List:
      for (std::size_t left = reader.count(kSmallestNode); left > 0 && !reader.failed(); --left)
        node.items.push_back(get_node(reader, depth + 1, nodes_left));
      break;
    case Kind::Map:
      for (std::size_t left = reader.count(kSmallestMember); left > 0 && !reader.failed(); --left) {
        std::string key = get_text(reader);
        node.members.emplace_back(std::move(key), get_node(reader, depth + 1, nodes_left));
      }
      break;
  }
  return node;
}

}  // namespace

void put_settings(std::string& out, const SettingsNode& node) {
  put_number(out, node.kind);
  put_position(out, node.where);
  put_position(out, node.key_where);
  switch (node.kind) {
    case Kind::Null:
      break;
    case Kind::Scalar:
      put_text(out, node.scalar);
      break;
    case Kind::List:
      put_number(out, static_cast<std::uint32_t>(node.items.size()));
      for (const SettingsNode& item : node.items)
        put_settings(out, item);
      break;
    case Kind::Map:
      put_number(out, static_cast<std::uint32_t>(node.members.size()));
      for (const auto& [key, value] : node.members) {
        put_text(out, key);
        put_settings(out, value);
      }
      break;
  }
}

SettingsNode get_settings(WireReader& reader) {
  std::size_t nodes_left = kMaxNodes;
  SettingsNode node = get_node(reader, 1, nodes_left);
  return reader.failed() ? SettingsNode() : node;
}

}  // namespace xsd::config
