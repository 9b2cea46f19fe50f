// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/file_list.h"

#include "xsd/base/directory.h"

#include <algorithm>
#include <cerrno>

#include <fnmatch.h>
#include <sys/stat.h>

namespace xsd::config {
namespace {

constexpr std::string_view kSuffix = ".yaml";

}  // namespace

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string stem_of(std::string_view path) {
  const auto slash = path.rfind('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  return std::string(name);
}

bool is_included(const std::string& name, const std::string& pattern, NameRule rule) {
  if (rule == NameRule::Exact) return name == pattern;
  if (rule == NameRule::XinetdFolder) return name.find('.') == std::string::npos && !name.ends_with('~');
  // What editors leave behind (.name.swp, #name#, name~) begins with a dot or '#', or does not end in .yaml.
  if (name.starts_with('.') || name.starts_with('#') || !name.ends_with(kSuffix) ||
      name.size() == kSuffix.size()) {
    return false;
  }
  return fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0;
}

bool is_listed(const dirent& entry, const std::string& pattern, NameRule rule) {
  return is_included(entry.d_name, pattern, rule) &&
         (rule != NameRule::XinetdFolder || entry.d_type != DT_DIR);
}

bool is_meant_to_be_yaml(std::string_view name) {
  return name.ends_with(".yml") && !name.starts_with('.') && !name.starts_with('#');
}

Result<std::vector<std::string>> list_names(const std::string& folder,
                                            const std::function<bool(const dirent&)>& accepts,
                                            std::size_t limit) {
  std::vector<std::string> names;
  const DirectoryStream directory = open_directory(folder);
  if (!directory) return Error::from_errno(errno, "cannot read the folder");
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(directory.get());
    if (entry == nullptr) {
      if (errno != 0) return Error::from_errno(errno, "cannot read the folder");
      break;
    }
    if (!accepts(*entry)) continue;
    names.emplace_back(entry->d_name);
    if (names.size() > limit) break;
  }
  std::sort(names.begin(), names.end());  // by bytes, whatever the locale
  return names;
}

}  // namespace xsd::config
