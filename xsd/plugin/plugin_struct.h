// SPDX-License-Identifier: Apache-2.0
//
// What is asked of the struct that a plugin hands over before anything in it is believed, and of the settings
// that a service gives to the plugin before its own `validate` is called. The struct comes from a library
// that anybody may have written; a pointer in it that leads nowhere ends the process.
#pragma once

#include <string>
#include <string_view>

#include "xsd/base/result.h"
#include "xsd/config/definitions.h"
#include "xsd/plugin.h"
#include "xsd/plugin/settings_nodes.h"

namespace xsd::plugin {

inline constexpr std::size_t kLongestPluginName = 32;

/// The error is to follow the plugin's name.
Status check_plugin_struct(const xsd_plugin* plugin, std::string_view name);

/// Everything that is wrong with the settings of a service: unknown keys (told with the key's place), missing
/// ones (with that of `written`) and values of another type than the plugin has declared; if there is nothing
/// of that, what its `validate` says. `calls`: the known_part of a struct that was checked.
void check_settings(const xsd_plugin& calls, const config::SettingsNode& written,
                    const SettingsProblem& on_problem);

}  // namespace xsd::plugin
