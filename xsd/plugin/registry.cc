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
const xsd_plugin* xsd_builtin_redirect(void);
const xsd_plugin* xsd_builtin_tcpmux(void);
const xsd_plugin* xsd_builtin_time(void);
}

namespace xsd::plugin {
namespace {

std::string_view text_or_empty(const char* text) noexcept {
  return text != nullptr ? text : "";
}

}  // namespace

PluginEntry make_entry(const xsd_plugin* plugin) {
  const xsd_plugin calls = known_part(*plugin);
  return {calls.name, text_or_empty(calls.description), plugin, text_or_empty(calls.version)};
}

xsd_plugin known_part(const xsd_plugin& plugin) noexcept {
  xsd_plugin known{};
  std::memcpy(&known, &plugin, std::min<std::size_t>(plugin.size, sizeof known));
  return known;
}

std::uint32_t PluginEntry::needs() const noexcept {
  return known_part(*plugin).needs;
}

bool PluginEntry::streams() const noexcept {
  const xsd_plugin calls = known_part(*plugin);
  return calls.on_open != nullptr || calls.on_data != nullptr || calls.on_writable != nullptr ||
         calls.on_readable != nullptr;
}

bool PluginEntry::datagrams() const noexcept {
  const xsd_plugin calls = known_part(*plugin);
  return calls.on_datagram != nullptr || calls.on_datagrams != nullptr;
}

const std::vector<PluginEntry>& builtin_plugins() {
  static const std::vector<PluginEntry> kPlugins{
      make_entry(xsd_builtin_chargen()),  make_entry(xsd_builtin_daytime()),
      make_entry(xsd_builtin_discard()),  make_entry(xsd_builtin_echo()),
      make_entry(xsd_builtin_redirect()), make_entry(xsd_builtin_tcpmux()),
      make_entry(xsd_builtin_time()),
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
