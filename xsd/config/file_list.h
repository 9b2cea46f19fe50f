// SPDX-License-Identifier: Apache-2.0
//
// Which files of a folder are read: in C-locale order those that an include pattern names, only names that
// end in .yaml, no dot files and no leftovers of editors; or those that xinetd reads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>

#include "xsd/base/result.h"

namespace xsd::config {

/// The folder part of a path, without its last slash; "." if there is none.
std::string folder_of(std::string_view path);
/// The name part of a path without ".yaml".
std::string stem_of(std::string_view path);

enum class NameRule : std::uint8_t {
  Yaml,          ///< what a pattern names
  Exact,         ///< one name
  XinetdFolder,  ///< all, but none with a dot in it or a tilde at its end (xinetd.conf(5), includedir)
};

/// True if a file of this name is read where `pattern` (a name, no folder) is included.
bool is_included(const std::string& name, const std::string& pattern, NameRule rule = NameRule::Yaml);

/// The same of an entry of the folder.
bool is_listed(const dirent& entry, const std::string& pattern, NameRule rule = NameRule::Yaml);
/// Its name says YAML, but not in our way.
bool is_meant_to_be_yaml(std::string_view name);

/// The names in `folder` that are accepted, in C-locale order, at most `limit` + 1 of them; ENOENT as
/// `number` if the folder is not there.
Result<std::vector<std::string>> list_names(const std::string& folder,
                                            const std::function<bool(const dirent&)>& accepts,
                                            std::size_t limit);

}  // namespace xsd::config
