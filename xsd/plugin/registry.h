// SPDX-License-Identifier: Apache-2.0
//
// The plugins that this process can host: today the built-in ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xsd/plugin.h"

namespace xsd::plugin {

struct PluginEntry {
  std::string_view name;
  std::string_view description;
  const xsd_plugin* plugin;
  bool streams() const noexcept;
  bool datagrams() const noexcept;
};

/// The members of `plugin` that it and this daemon both know; the others are null. Callbacks are called
/// through such a copy only: a plugin built against another minor version has a struct of another size.
xsd_plugin known_part(const xsd_plugin& plugin) noexcept;

/// Sorted by name.
const std::vector<PluginEntry>& builtin_plugins();
/// nullptr if there is none of this name.
const PluginEntry* find_plugin(std::string_view name) noexcept;

}  // namespace xsd::plugin
