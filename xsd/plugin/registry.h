// SPDX-License-Identifier: Apache-2.0
//
// The plugins that this process can host: the built-in ones, and what it has loaded (library.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/plugin.h"

namespace xsd::plugin {

/// All of it is the plugin's and static.
struct PluginEntry {
  std::string_view name;
  std::string_view description;
  const xsd_plugin* plugin = nullptr;
  std::string_view version{};
  std::uint32_t needs() const noexcept;
  bool streams() const noexcept;
  bool datagrams() const noexcept;
};

/// The members of `plugin` that it and this daemon both know; the others are null. Callbacks are called
/// through such a copy only: a plugin built against another minor version has a struct of another size.
xsd_plugin known_part(const xsd_plugin& plugin) noexcept;

/// Of a struct that was checked (plugin_struct.h), or is part of the program.
PluginEntry make_entry(const xsd_plugin* plugin);

/// Sorted by name.
const std::vector<PluginEntry>& builtin_plugins();
/// nullptr if there is none of this name.
const PluginEntry* find_plugin(std::string_view name) noexcept;

}  // namespace xsd::plugin
