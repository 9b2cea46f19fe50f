// SPDX-License-Identifier: Apache-2.0
//
// Plugin libraries: how NAME.so is found in the folders of `plugin_dirs`, what is asked of the file before
// anybody loads it, and how it is loaded.
//
// The file is opened once, without blocking, and is then known by its descriptor alone: what was looked at is
// what is loaded, whatever becomes of the path. Who may have written it decides over the code that runs, so
// the rules are stricter than those for configuration files:
//   - it is a regular file that belongs to root, to ourselves or to the owner of the main file, and others
//     may not write it; as root, neither may its group
//   - others may not write the folders that hold it (of a link, the link's too); as root, these belong to
//     root or the owner of the main file
//   - it is an ELF library for this machine
//
// Loading runs the library's code: only a process that can be lost, or that has decided to trust it, does it;
// root never does. Nothing of a library is believed before it was checked (plugin_struct.h), and none is ever
// unloaded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/config/plugins.h"
#include "xsd/plugin/registry.h"

namespace xsd::plugin {

/// [a-z0-9_-], 1 to 32 characters.
bool is_plugin_name(std::string_view name) noexcept;

struct FoundLibrary {
  std::string path;
  UniqueFd fd;
  config::FileStamp stamp;
  std::string fault;  ///< why it must not be loaded, with its path; empty if it may be
};

/// The library of the first folder that has one of this name; nothing if none has.
std::optional<FoundLibrary> find_library(std::string_view name, const config::PluginRules& rules);

/// The names of all libraries in the folders, sorted.
std::vector<std::string> list_libraries(const config::PluginRules& rules);

/// Loads a library that was found, into this process; the same one again costs nothing. The descriptor is
/// borrowed. The error is to follow the plugin's name.
Result<const PluginEntry*> load_library(const std::string& name, const std::string& path, int fd);

}  // namespace xsd::plugin
