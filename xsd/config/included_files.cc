// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/included_files.h"

#include <cerrno>
#include <utility>

#include <sys/stat.h>

#include "xsd/base/text.h"
#include "xsd/config/file_list.h"

namespace xsd::config {
namespace {

FolderState look_at(const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) return {};
  return make_folder_state(info);
}

std::string shown_folder(const std::string& prefix) {
  return prefix.empty() ? "." : folder_of(prefix);
}

}  // namespace

void IncludedFiles::begin(std::string main_file) {
  end(false);
  main_file_ = std::move(main_file);
}

std::optional<IncludedFiles::Fault> IncludedFiles::add(const Pattern& pattern) {
  (void)state_of(pattern.folder);  // before it is listed: what is swapped behind our back shows at the end
  std::string other_ending;
  const auto names = list_names(
      pattern.folder,
      [&](const dirent& entry) {
        if (is_listed(entry, pattern.name, pattern.names)) return true;
        if (pattern.names == NameRule::Yaml && is_meant_to_be_yaml(entry.d_name) &&
            !is_main_file(pattern, entry.d_name))
          other_ending = entry.d_name;
        return false;
      },
      limit_);
  if (!names && names.error().number() == ENOENT) return missing_folder(pattern);
  // Without the list nobody knows which services are still wanted, so nothing may change.
  if (!names)
    return Fault{Severity::Error, quoted(shown_folder(pattern.prefix)) + ": " + names.error().text()};
  folders_.emplace(pattern.folder, shown_folder(pattern.prefix));
  bool matches = false;
  for (const std::string& name : *names) {
    if (is_main_file(pattern, name)) continue;
    matches = true;
    std::string path = pattern.prefix + name;
    if (listed_.insert(path).second) files_.push_back({std::move(path), pattern.folder, pattern.names});
  }
  if (files_.size() > limit_) {
    files_.resize(limit_);
    return Fault{Severity::Error, "more than " + std::to_string(limit_) + " service files"};
  }
  const bool is_one_name =
      pattern.names == NameRule::Exact ||
      (pattern.names == NameRule::Yaml && pattern.name.find_first_of("*?[") == std::string::npos);
  if (!other_ending.empty() && !is_one_name) {
    return Fault{Severity::Warning, quoted(pattern.prefix + other_ending) +
                                        " is not read: names of service files end in '.yaml'"};
  }
  if (matches || !is_one_name) return std::nullopt;
  return Fault{Severity::Warning,
               "include " + quoted(pattern.text) + ": matches no file; no services from there"};
}

std::optional<IncludedFiles::Fault> IncludedFiles::missing_folder(const Pattern& pattern) {
  missing_.insert(pattern.folder);
  const std::string what = "include " + quoted(pattern.text) + ": folder not found; ";
  if (has_accepted_ && !accepted_missing_.contains(pattern.folder))
    return Fault{Severity::Error, what + "if no services are wanted from there, make it empty"};
  if (!pattern.written) return std::nullopt;
  return Fault{Severity::Warning, what + "no services from there"};
}

bool IncludedFiles::is_main_file(const Pattern& pattern, const std::string& name) const {
  if (!main_file_.ends_with("/" + name)) return false;
  struct stat main {};
  struct stat listed {};
  return stat(main_file_.c_str(), &main) == 0 && stat((pattern.folder + "/" + name).c_str(), &listed) == 0 &&
         main.st_dev == listed.st_dev && main.st_ino == listed.st_ino;
}

FolderState IncludedFiles::state_of(const std::string& folder) {
  const auto& view = views_.look(folder);
  return view ? view->state : FolderState{};
}

std::optional<IncludedFiles::Fault> IncludedFiles::check_again() {
  for (const auto& [folder, shown] : folders_) {
    const FolderState before = state_of(folder);
    const FolderState now = look_at(folder);
    if (now.device == before.device && now.inode == before.inode) continue;
    // At the first load half of the services are better than none.
    return Fault{has_accepted_ ? Severity::Error : Severity::Warning,
                 quoted(shown) + " was replaced while it was read; reload again"};
  }
  return std::nullopt;
}

void IncludedFiles::end(bool accepted) {
  if (accepted) {
    has_accepted_ = true;
    accepted_missing_ = std::move(missing_);
  }
  missing_ = {};
  files_ = std::vector<IncludedFile>();  // with the room that it had
  listed_ = {};
  views_.clear();
  folders_.clear();
}

}  // namespace xsd::config
