// SPDX-License-Identifier: Apache-2.0
//
// FolderWatcher: tells when something changed in the folders that configuration is read from, by inotify(7).
// Any event in a folder arms a short debounce, so that a file being written, an editor's rename dance or a
// package manager's run are one change. A folder that is replaced, or made only later, is seen through its
// nearest ancestor that exists; there only the name that leads to the folder counts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::manager {

class FolderWatcher {
 public:
  /// Quiet for this long: a change is over. It is reported after kLongest even if it is not.
  static constexpr Duration kQuiet = std::chrono::milliseconds(200);
  static constexpr Duration kLongest = std::chrono::seconds(2);

  static Result<std::unique_ptr<FolderWatcher>> create(reactor::EventLoop& loop,
                                                       std::function<void()> on_change);

  /// Absolute paths of folders, whether they exist or not. In them the names *.yaml, `main_name`, and names
  /// that begin with ".." (the links of a mounted ConfigMap) count; others do not, so a log file in the same
  /// folder wakes nobody.
  void set_folders(std::vector<std::string> folders, std::string main_name);

 private:
  FolderWatcher(reactor::EventLoop& loop, UniqueFd fd, std::function<void()> on_change);
  void on_readable();
  void place_watches();
  void note_change();
  bool counts(const std::string& name) const;

  /// What a kernel watch is for: every name (a configuration folder), or only names on the way to one.
  struct Place {
    bool whole = false;
    std::set<std::string> names;
  };

  reactor::EventLoop& loop_;
  UniqueFd fd_;
  std::function<void()> on_change_;
  std::vector<std::string> folders_;
  std::string main_name_;
  std::map<int, Place> places_;
  MonotonicTime first_event_{};
  reactor::Timer debounce_;
  reactor::Watch watch_;
};

}  // namespace xsd::manager
