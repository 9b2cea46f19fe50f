// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/foreign_tree.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "xsd/base/text.h"
#include "xsd/config/yaml_text.h"

namespace xsd::config {

std::string fault_of_word(std::string_view word) {
  if (!is_plain(word)) return quoted(word) + " is not UTF-8 without controls";
  if (has_forbidden_character(word)) return "a byte order mark stands in " + quoted(word);
  return {};
}

YamlNode scalar(std::string text, Position where, bool quoted) {
  YamlNode node;
  node.kind = YamlNode::Kind::Scalar;
  node.quoted = quoted;
  node.scalar = std::move(text);
  node.where = where;
  return node;
}

YamlNode container(YamlNode::Kind kind, Position where) {
  YamlNode node;
  node.kind = kind;
  node.where = where;
  return node;
}

YamlNode text_list(std::initializer_list<std::string_view> texts) {
  YamlNode list = container(YamlNode::Kind::List, {});
  for (const std::string_view text : texts)
    list.items.push_back(scalar(std::string(text), {}));
  return list;
}

void put(YamlNode& map, std::string_view key, Position where, YamlNode value) {
  map.members.push_back({std::string(key), where, std::move(value)});
}

YamlNode* find_member(YamlNode& map, std::string_view key) noexcept {
  for (YamlNode::Member& member : map.members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

void drop_member(YamlNode& map, std::string_view key) {
  std::erase_if(map.members, [&](const YamlNode::Member& member) { return member.key == key; });
}

const YamlNode* find_word(const YamlNode& map, std::string_view key, std::string_view word) {
  const YamlNode* const list = map.find(key);
  if (list == nullptr) return nullptr;
  const auto place = std::find_if(list->items.begin(), list->items.end(), [&](const YamlNode& item) {
    return equals_ignoring_case(item.scalar, word);
  });
  return place == list->items.end() ? nullptr : &*place;
}

bool has_word(const YamlNode& map, std::string_view key, std::string_view word) {
  return find_word(map, key, word) != nullptr;
}

bool is_internal_service(std::string_view name) noexcept {
  constexpr std::string_view kNames[] = {"chargen", "daytime", "discard", "echo", "tcpmux", "time"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

std::string literal_argument(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("%{")) out += '%';
    out += text[i];
  }
  return out;
}

}  // namespace xsd::config
