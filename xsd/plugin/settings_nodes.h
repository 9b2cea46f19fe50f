// SPDX-License-Identifier: Apache-2.0
//
// What a plugin sees of its service's `settings`: the tree of config::SettingsNode, of which xsd_node is the
// opaque name, completed by what the plugin declares about its keys. Plus a run of the plugin's `validate`.
//
// The root that a plugin is given is a copy: a map with the members of the file, in which the texts of a key
// of XSD_TYPE_TEXTS are a list also where the file has a single one. Fallbacks are found by name only, so
// they are no members: the root, and no other map, has one item, a map of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "xsd/config/definitions.h"
#include "xsd/plugin.h"

namespace xsd::plugin {

/// `written`: the map of the file; nullptr or a null node if there is none. `calls`: a known_part.
config::SettingsNode complete_settings(const xsd_plugin& calls, const config::SettingsNode* written);

/// Where in the file, and what is wrong there (escaped, at most 1 KiB).
using SettingsProblem = std::function<void(const config::Position& where, std::string_view text)>;
/// Calls the plugin's `validate`, if it has one. A problem of the settings as a whole, or of a fallback, is
/// told with the place of `written`.
void validate_settings(const xsd_plugin& calls, const config::SettingsNode& written,
                       const SettingsProblem& on_problem);

// The functions of xsd_host on nodes.
const xsd_node* as_node(const config::SettingsNode& node) noexcept;
std::uint32_t node_kind(const xsd_node* node) noexcept;
const char* node_text(const xsd_node* node) noexcept;
std::size_t node_count(const xsd_node* node) noexcept;
const xsd_node* node_at(const xsd_node* node, std::size_t index, const char** key) noexcept;
const xsd_node* node_find(const xsd_node* map, const char* key) noexcept;
int node_number(const xsd_node* node, std::uint64_t* value) noexcept;
int node_boolean(const xsd_node* node, int* value) noexcept;
int node_duration(const xsd_node* node, std::int64_t* nanoseconds) noexcept;
int node_size(const xsd_node* node, std::uint64_t* bytes) noexcept;
void report_problem(xsd_report* report, const xsd_node* node, const char* text) noexcept;

}  // namespace xsd::plugin
