// SPDX-License-Identifier: Apache-2.0
//
// IncludedFiles: which service files a load reads. It lives as long as the loader, because of one thing that
// is not said by what is there now: a folder that is missing, but was not when the last load was applied, may
// be on its way back (swapped, not mounted yet) or mistyped. Nobody knows then which services are still
// wanted, so nothing may change.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "xsd/config/diagnostic.h"
#include "xsd/config/file_list.h"
#include "xsd/config/source_file.h"

namespace xsd::config {

struct IncludedFile {
  std::string path;    ///< as shown
  std::string folder;  ///< absolute
  NameRule names = NameRule::Yaml;
};

class IncludedFiles {
 public:
  struct Pattern {
    std::string text;    ///< for messages
    bool written;        ///< by the user; false: the default
    std::string prefix;  ///< what stands before the names of its files when they are shown
    std::string folder;  ///< absolute
    std::string name;    ///< without the folder
    NameRule names = NameRule::Yaml;
  };
  struct Fault {
    Severity severity;  ///< Error: the load is rejected
    std::string message;
  };

  explicit IncludedFiles(std::size_t limit) : limit_(limit) {}

  /// Begins a load. `main_file`, an absolute path, is not read as a service file whatever the patterns say.
  void begin(std::string main_file);
  std::optional<Fault> add(const Pattern& pattern);
  std::span<const IncludedFile> files() const noexcept { return files_; }
  /// What decides whether the files in a folder are trusted; looked at once a load.
  FolderState state_of(const std::string& folder);
  FolderViews& folder_views() noexcept { return views_; }
  /// When all files were read: whether the folders are still those that were listed.
  std::optional<Fault> check_again();
  /// The load is over. One that was accepted is what the next one is held against.
  void end(bool accepted);

 private:
  std::optional<Fault> missing_folder(const Pattern& pattern);
  bool is_main_file(const Pattern& pattern, const std::string& name) const;

  std::size_t limit_;
  std::string main_file_;
  std::vector<IncludedFile> files_;
  std::unordered_set<std::string> listed_;  ///< paths of files_
  FolderViews views_;
  std::map<std::string, std::string> folders_;  ///< that were listed: as shown, by path
  std::unordered_set<std::string> missing_;
  bool has_accepted_ = false;
  std::unordered_set<std::string> accepted_missing_;
};

}  // namespace xsd::config
