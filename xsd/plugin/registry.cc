// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/registry.h"

#include <algorithm>
#include <cstring>

// What XSD_PLUGIN_REGISTER makes of each built-in plugin.
extern "C" {
const xsd_plugin* xsd_builtin_chargen(void);
const xsd_plugin* xsd_builtin_daytime(void);
const xsd_plugin* xsd_builtin_discard(void);
const xsd_plugin* xsd_builtin_echo(void);
const xsd_plugin* xsd_builtin_time(void);
}

namespace xsd::plugin {
namespace {

PluginEntry entry_of(const xsd_plugin* plugin) {
  const xsd_plugin calls = known_part(*plugin);
  return {calls.name, calls.description, plugin};
}

}  // namespace

xsd_plugin known_part(const xsd_plugin& plugin) noexcept {
  xsd_plugin known{};
  std::memcpy(&known, &plugin, std::min<std::size_t>(plugin.size, sizeof known));
  return known;
}

bool PluginEntry::streams() const noexcept {
  const xsd_plugin calls = known_part(*plugin);
  return calls.on_open != nullptr || calls.on_data != nullptr || calls.on_writable != nullptr;
}

bool PluginEntry::datagrams() const noexcept {
  return known_part(*plugin).on_datagram != nullptr;
}

const std::vector<PluginEntry>& builtin_plugins() {
  static const std::vector<PluginEntry> kPlugins{
      entry_of(xsd_builtin_chargen()), entry_of(xsd_builtin_daytime()), entry_of(xsd_builtin_discard()),
      entry_of(xsd_builtin_echo()),    entry_of(xsd_builtin_time()),
  };
  return kPlugins;
}

const PluginEntry* find_plugin(std::string_view name) noexcept {
  const auto& plugins = builtin_plugins();
  const auto found =
      std::lower_bound(plugins.begin(), plugins.end(), name,
                       [](const PluginEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != plugins.end() && found->name == name ? &*found : nullptr;
}

}  // namespace xsd::plugin
