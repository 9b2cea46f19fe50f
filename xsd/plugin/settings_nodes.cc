// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/settings_nodes.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/plugin/host_functions.h"

/// Lives while validate_settings runs.
struct xsd_report {
  const xsd::config::Position& root;
  const xsd::plugin::SettingsProblem& on_problem;
};

namespace xsd::plugin {
namespace {

using config::SettingsNode;
using Kind = SettingsNode::Kind;

static_assert(static_cast<std::uint32_t>(Kind::Null) == XSD_NODE_NULL);
static_assert(static_cast<std::uint32_t>(Kind::Scalar) == XSD_NODE_SCALAR);
static_assert(static_cast<std::uint32_t>(Kind::List) == XSD_NODE_LIST);
static_assert(static_cast<std::uint32_t>(Kind::Map) == XSD_NODE_MAP);

/// nullptr unless there is a node of this kind.
const SettingsNode* node_of(const xsd_node* node, Kind kind) noexcept {
  const auto* const own = reinterpret_cast<const SettingsNode*>(node);
  return own != nullptr && own->kind == kind ? own : nullptr;
}

const SettingsNode* find_member(const SettingsNode& map, std::string_view key) noexcept {
  const auto found = std::find_if(map.members.begin(), map.members.end(),
                                  [key](const auto& member) { return member.first == key; });
  return found != map.members.end() ? &found->second : nullptr;
}

/// The setting at `index`, as far as both sides know it: the plugin may have been built with another size.
xsd_setting setting_at(const xsd_plugin& calls, std::uint32_t index) noexcept {
  xsd_setting setting{};
  const char* const bytes = reinterpret_cast<const char*>(calls.settings);
  std::memcpy(&setting, bytes + std::size_t{index} * calls.setting_size,
              std::min<std::size_t>(calls.setting_size, sizeof setting));
  return setting;
}

SettingsNode scalar_node(const char* text, const config::Position& where) {
  SettingsNode node;
  node.kind = Kind::Scalar;
  node.scalar = text;
  node.where = where;
  return node;
}

SettingsNode list_of(SettingsNode only) {
  SettingsNode list;
  list.kind = Kind::List;
  list.where = only.where;
  list.items.push_back(std::move(only));
  return list;
}

template <class Parsed, class Value>
int read_scalar(const xsd_node* node, Parsed (*parse)(std::string_view) noexcept, Value* value) noexcept {
  const SettingsNode* const scalar = node_of(node, Kind::Scalar);
  if (scalar == nullptr) return -EINVAL;
  const Parsed parsed = parse(scalar->scalar);
  if (!parsed) return -EINVAL;
  if constexpr (std::is_same_v<Parsed, std::optional<Duration>>) {
    *value = parsed->count();
  } else {
    *value = *parsed;
  }
  return 0;
}

}  // namespace

SettingsNode complete_settings(const xsd_plugin& calls, const SettingsNode* written) {
  SettingsNode root;
  if (written != nullptr && written->kind == Kind::Map) root = *written;
  root.kind = Kind::Map;
  SettingsNode fallbacks;
  fallbacks.kind = Kind::Map;
  for (std::uint32_t i = 0; calls.settings != nullptr && i < calls.setting_count; ++i) {
    const xsd_setting setting = setting_at(calls, i);
    const bool texts = setting.type == XSD_TYPE_TEXTS;
    const auto member = std::find_if(root.members.begin(), root.members.end(),
                                     [&](const auto& one) { return one.first == setting.name; });
    if (member != root.members.end()) {
      SettingsNode& node = member->second;
      if (texts && node.kind == Kind::Scalar) node = list_of(SettingsNode(node));
    } else if (setting.fallback != nullptr) {
      SettingsNode node = scalar_node(setting.fallback, root.where);
      fallbacks.members.emplace_back(setting.name, texts ? list_of(std::move(node)) : std::move(node));
    }
  }
  root.items.push_back(std::move(fallbacks));
  return root;
}

void validate_settings(const xsd_plugin& calls, const SettingsNode& written,
                       const SettingsProblem& on_problem) {
  if (calls.validate == nullptr) return;
  const SettingsNode root = complete_settings(calls, &written);
  xsd_report report{written.where, on_problem};
  calls.validate(&host_functions(), as_node(root), &report);
}

const xsd_node* as_node(const SettingsNode& node) noexcept {
  return reinterpret_cast<const xsd_node*>(&node);
}

std::uint32_t node_kind(const xsd_node* node) noexcept {
  if (node == nullptr) return XSD_NODE_NULL;
  return static_cast<std::uint32_t>(reinterpret_cast<const SettingsNode*>(node)->kind);
}

const char* node_text(const xsd_node* node) noexcept {
  const SettingsNode* const scalar = node_of(node, Kind::Scalar);
  return scalar != nullptr ? scalar->scalar.c_str() : nullptr;
}

std::size_t node_count(const xsd_node* node) noexcept {
  if (const SettingsNode* const list = node_of(node, Kind::List)) return list->items.size();
  if (const SettingsNode* const map = node_of(node, Kind::Map)) return map->members.size();
  return 0;
}

const xsd_node* node_at(const xsd_node* node, std::size_t index, const char** key) noexcept {
  if (key != nullptr) *key = nullptr;
  if (index >= node_count(node)) return nullptr;
  if (const SettingsNode* const list = node_of(node, Kind::List)) return as_node(list->items[index]);
  const auto& [name, member] = node_of(node, Kind::Map)->members[index];
  if (key != nullptr) *key = name.c_str();
  return as_node(member);
}

const xsd_node* node_find(const xsd_node* map, const char* key) noexcept {
  const SettingsNode* const own = node_of(map, Kind::Map);
  if (own == nullptr) return nullptr;
  const SettingsNode* found = find_member(*own, key);
  if (found == nullptr && !own->items.empty()) found = find_member(own->items.front(), key);
  return found != nullptr ? as_node(*found) : nullptr;
}

int node_number(const xsd_node* node, std::uint64_t* value) noexcept {
  return read_scalar(node, parse_unsigned, value);
}

int node_boolean(const xsd_node* node, int* value) noexcept {
  return read_scalar(node, parse_boolean, value);
}

int node_duration(const xsd_node* node, std::int64_t* nanoseconds) noexcept {
  return read_scalar(node, parse_duration, nanoseconds);
}

int node_size(const xsd_node* node, std::uint64_t* bytes) noexcept {
  return read_scalar(node, parse_size, bytes);
}

void report_problem(xsd_report* report, const xsd_node* node, const char* text) noexcept {
  std::string escaped;
  append_escaped(escaped, std::string_view(text).substr(0, kMaxPluginText));
  report->on_problem(node != nullptr ? reinterpret_cast<const SettingsNode*>(node)->where : report->root,
                     escaped);
}

}  // namespace xsd::plugin
