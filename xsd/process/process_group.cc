// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/process_group.h"

#include "xsd/base/directory.h"
#include "xsd/base/unique_fd.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace xsd::process {
namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds(50);

}  // namespace

std::vector<pid_t> live_process_groups() {
  std::vector<pid_t> groups;
  const DirectoryStream processes = open_directory("/proc");
  if (!processes) return groups;
  while (const dirent* entry = readdir(processes.get())) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const UniqueFd file(
        openat(dirfd(processes.get()), (std::string(entry->d_name) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    char text[512];
    const ssize_t length = file ? read(file.get(), text, sizeof text - 1) : 0;
    if (length <= 0) continue;
    text[length] = '\0';
    // pid (name) state ppid pgrp ...; the name may hold anything, so look for its last parenthesis.
    const char* const after_name = std::strrchr(text, ')');
    char state = 0;
    int parent = 0;
    int group = 0;
    if (after_name == nullptr || std::sscanf(after_name + 1, " %c %d %d", &state, &parent, &group) != 3)
      continue;
    if (state != 'Z' && state != 'X') groups.push_back(group);
  }
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return groups;
}

GroupSweeper::GroupSweeper(reactor::EventLoop& loop) : timer_(loop, [this] { sweep(); }) {}

void GroupSweeper::watch(pid_t leader, std::function<void()> gone) {
  groups_[leader] = std::move(gone);
  if (groups_.size() == 1 || !timer_.armed()) timer_.arm(Duration::zero());
}

void GroupSweeper::forget(pid_t leader) noexcept {
  groups_.erase(leader);
  if (groups_.empty()) timer_.cancel();
}

void GroupSweeper::sweep() {
  const std::vector<pid_t> live = live_process_groups();
  std::vector<std::function<void()>> gone;
  for (auto entry = groups_.begin(); entry != groups_.end();) {
    if (std::binary_search(live.begin(), live.end(), entry->first)) {
      ++entry;
    } else {
      gone.push_back(std::move(entry->second));
      entry = groups_.erase(entry);
    }
  }
  if (!groups_.empty()) timer_.arm(kSweepInterval);
  for (const auto& notify : gone)
    notify();
}

}  // namespace xsd::process
