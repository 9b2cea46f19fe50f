// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/plugin_struct.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/plugin/registry.h"

namespace xsd::plugin {
namespace {

using config::SettingsNode;
using Kind = SettingsNode::Kind;

constexpr std::size_t kSmallestStruct = offsetof(xsd_plugin, version);  // that of version 1.0
constexpr std::size_t kLargestStruct = std::size_t{64} * 1024;
constexpr std::size_t kLongestLine = 256;  // description, version, help, fallback
constexpr std::size_t kLongestSettingName = 64;
constexpr std::size_t kMostSettings = 256;
constexpr std::size_t kLargestSetting = 4096;
constexpr std::uint32_t kKnownNeeds = XSD_NEEDS_FILES | XSD_NEEDS_NETWORK;

/// NULL is good: there is none.
bool is_line(const char* text) noexcept {
  return text == nullptr || strnlen(text, kLongestLine + 1) <= kLongestLine;
}

bool is_setting_name(const char* name) noexcept {
  if (name == nullptr) return false;
  const std::size_t length = strnlen(name, kLongestSettingName + 1);
  return length > 0 && length <= kLongestSettingName && std::all_of(name, name + length, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

std::string version_text(std::uint32_t version) {
  return std::to_string(version >> 16U) + "." + std::to_string(version & 0xFFFFU);
}

std::vector<xsd_setting> settings_of(const xsd_plugin& calls) {
  std::vector<xsd_setting> settings(calls.setting_count);
  const char* const bytes = reinterpret_cast<const char*>(calls.settings);
  for (std::size_t i = 0; i < settings.size(); ++i)
    std::memcpy(&settings[i], bytes + i * calls.setting_size, sizeof settings[i]);
  return settings;
}

bool is_scalar(const SettingsNode& node) noexcept {
  return node.kind == Kind::Scalar;
}

bool has_type(std::uint32_t type, const SettingsNode& node) {
  const std::string_view text = node.scalar;
  switch (type) {
    case XSD_TYPE_TEXT:
      return is_scalar(node);
    case XSD_TYPE_NUMBER:
      return is_scalar(node) && parse_unsigned(text);
    case XSD_TYPE_BOOLEAN:
      return is_scalar(node) && parse_boolean(text);
    case XSD_TYPE_DURATION:
      return is_scalar(node) && parse_duration(text);
    case XSD_TYPE_SIZE:
      return is_scalar(node) && parse_size(text);
    case XSD_TYPE_PATH:
      return is_scalar(node) && text.starts_with('/');
    case XSD_TYPE_TEXTS:
      return is_scalar(node) ||
             (node.kind == Kind::List && std::all_of(node.items.begin(), node.items.end(), is_scalar));
    case XSD_TYPE_MAP:
      return node.kind == Kind::Map && std::all_of(node.members.begin(), node.members.end(),
                                                   [](const auto& one) { return is_scalar(one.second); });
    default:
      return true;
  }
}

std::string_view wanted(std::uint32_t type) noexcept {
  static constexpr std::string_view kWanted[] = {"",
                                                 "a text",
                                                 "a number",
                                                 "true or false",
                                                 "a duration like 10s or 5m",
                                                 "a size like 64K or 1M",
                                                 "an absolute path",
                                                 "a list of texts",
                                                 "a map of names to texts"};
  return kWanted[type];
}

std::string describe(const SettingsNode& node) {
  switch (node.kind) {
    case Kind::Null:
      return "nothing";
    case Kind::Scalar:
      return quoted(node.scalar);
    case Kind::List:
      return "this list";
    case Kind::Map:
      return "this map";
  }
  return {};
}

Status check_setting_table(const xsd_plugin& calls) {
  if (calls.setting_count == 0) return {};
  const bool is_table = calls.settings != nullptr && calls.setting_count <= kMostSettings &&
                        calls.setting_size >= sizeof(xsd_setting) && calls.setting_size <= kLargestSetting;
  if (!is_table) {
    return Error("has a table of settings that cannot be one (" + std::to_string(calls.setting_count) +
                 " of " + std::to_string(calls.setting_size) + " bytes)");
  }
  std::vector<std::string_view> names;
  for (const xsd_setting& setting : settings_of(calls)) {
    const std::string number = std::to_string(names.size() + 1);
    if (!is_setting_name(setting.name)) return Error("has a setting without a proper name, number " + number);
    const std::string_view name = setting.name;
    const std::string setting_text = "has a setting " + quoted(name);
    if (std::find(names.begin(), names.end(), name) != names.end()) return Error(setting_text + " twice");
    names.push_back(name);
    if (setting.type < XSD_TYPE_TEXT || setting.type > XSD_TYPE_ANY)
      return Error(setting_text + " of a type that nobody knows, " + std::to_string(setting.type));
    if (!is_line(setting.fallback) || !is_line(setting.help))
      return Error(setting_text + " with too long a text");
    if (setting.fallback == nullptr) continue;
    SettingsNode fallback;
    fallback.kind = Kind::Scalar;
    fallback.scalar = setting.fallback;
    if (!has_type(setting.type, fallback)) {
      return Error(setting_text + " whose fallback " + quoted(fallback.scalar) + " is not " +
                   std::string(wanted(setting.type)));
    }
  }
  return {};
}

}  // namespace

Status check_plugin_struct(const xsd_plugin* plugin, std::string_view name) {
  if (plugin == nullptr) return Error("does not say what it is: its entry function gives NULL");
  if (reinterpret_cast<std::uintptr_t>(plugin) % alignof(xsd_plugin) != 0)
    return Error("does not say what it is: its entry function gives something else");
  if (plugin->size < kSmallestStruct || plugin->size > kLargestStruct)
    return Error("says that its struct xsd_plugin has " + std::to_string(plugin->size) + " bytes");
  if (plugin->api_version >> 16U != XSD_PLUGIN_API_MAJOR) {
    return Error("is made for version " + version_text(plugin->api_version) +
                 " of the plugin interface; this is " + version_text(XSD_PLUGIN_API_VERSION));
  }
  const xsd_plugin calls = known_part(*plugin);
  if (calls.name == nullptr) return Error("has no name");
  const std::string_view own(calls.name, strnlen(calls.name, kLongestPluginName + 1));
  if (own != name) return Error("calls itself " + quoted(own) + ": a plugin's file has its name");
  if (!is_line(calls.description) || !is_line(calls.version))
    return Error("has too long a text about itself");
  if ((calls.needs & ~kKnownNeeds) != 0) return Error("needs what this version of the daemon does not know");
  const PluginEntry entry = make_entry(plugin);
  if (!entry.streams() && !entry.datagrams()) return Error("serves neither streams nor datagrams");
  return check_setting_table(calls);
}

void check_settings(const xsd_plugin& calls, const SettingsNode& written, const SettingsProblem& on_problem) {
  const std::string plugin = "plugin " + quoted(calls.name);
  if (calls.setting_count == 0 && calls.validate == nullptr) {
    if (!written.members.empty()) on_problem(written.where, plugin + " has no settings");
    return;
  }
  bool is_good = true;
  const auto complain = [&](const config::Position& where, const std::string& text) {
    is_good = false;
    on_problem(where, text);
  };
  const std::vector<xsd_setting> settings = settings_of(calls);
  const auto find = [&](std::string_view key) {
    return std::find_if(settings.begin(), settings.end(),
                        [key](const xsd_setting& one) { return one.name == key; });
  };
  std::vector<std::string_view> names;
  names.reserve(settings.size());
  for (const xsd_setting& setting : settings)
    names.emplace_back(setting.name);
  for (const auto& [key, value] : written.members) {
    const auto setting = find(key);
    if (setting == settings.end()) {
      std::string text = plugin + " has no setting " + quoted(key);
      const auto nearest = nearest_word(key, names);
      if (!nearest.empty()) text += ", did you mean " + quoted(nearest) + "?";
      complain(value.key_where, text);
    } else if (!has_type(setting->type, value)) {
      complain(value.where,
               quoted(key) + " wants " + std::string(wanted(setting->type)) + ", not " + describe(value));
    }
  }
  for (const xsd_setting& setting : settings) {
    const bool is_there = std::any_of(written.members.begin(), written.members.end(),
                                      [&](const auto& one) { return one.first == setting.name; });
    if (setting.required != 0 && !is_there)
      complain(written.where, "setting " + quoted(setting.name) + " of " + plugin + " is missing");
  }
  if (is_good) validate_settings(calls, written, on_problem);
}

}  // namespace xsd::plugin
