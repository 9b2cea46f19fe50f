// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/port_owner.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

#include "xsd/net/socket_diag.h"

namespace xsd::net {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxProcesses = 20000;
constexpr int kEntriesAtATime = 64;
constexpr std::uint64_t kRootGroup = 1;
// Where systemd mounts cgroup2, alone and beside version 1.
constexpr const char* kGroupRoots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

// proc(5): "Num RefCount Protocol Flags Type St Inode Path"
std::vector<std::uint64_t> inodes_of_unix(const std::string& wanted) {
  std::vector<std::uint64_t> inodes;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    if (!line.ends_with(wanted)) continue;
    std::istringstream fields(line);
    std::string number, references, protocol, flags, type, state, path;
    std::uint64_t inode = 0;
    fields >> number >> references >> protocol >> flags >> type >> state >> inode >> path;
    if (path == wanted) inodes.push_back(inode);
  }
  return inodes;
}

}  // namespace

PortOwnerSearch::PortOwnerSearch(const std::vector<Endpoint>& endpoints)
    : processes_(open_directory("/proc")) {
  for (const Endpoint& endpoint : endpoints) {
    // Which address exactly does not matter: any holder of the port is worth naming.
    if (endpoint.address.is_ip()) {
      for (const PortSocket& socket : sockets_at_port(endpoint.transport, endpoint.address.port())) {
        wanted_[socket.inode].push_back(endpoint);
        if (socket.cgroup > kRootGroup) wanted_groups_[socket.cgroup].push_back(endpoint);
      }
    } else {
      for (const std::uint64_t inode : inodes_of_unix(endpoint.address.host()))
        wanted_[inode].push_back(endpoint);
    }
  }
  if (!wanted_groups_.empty()) begin_groups();
}

// A walk ends where a group goes while it is looked at.
void PortOwnerSearch::begin_groups() {
  --walks_left_;
  std::error_code fault;
  for (const char* const root : kGroupRoots) {
    if (!fs::exists(fs::path(root) / "cgroup.procs", fault)) continue;
    groups_ = fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, fault);
    break;
  }
}

bool PortOwnerSearch::step(const Clock& clock, Duration budget) {
  const MonotonicTime end = clock.monotonic() + budget;
  return look_at_processes(clock, end) && look_at_groups(clock, end);
}

bool PortOwnerSearch::look_at_processes(const Clock& clock, MonotonicTime end) {
  while (!wanted_.empty()) {
    if (!descriptors_ && !next_process()) return true;
    for (int i = 0; i < kEntriesAtATime && descriptors_; ++i) {
      const dirent* const entry = readdir(descriptors_.get());
      if (entry == nullptr) {
        descriptors_.reset();
      } else {
        look_at(entry->d_name);
      }
    }
    if (clock.monotonic() >= end) return wanted_.empty();
  }
  return true;
}

bool PortOwnerSearch::look_at_groups(const Clock& clock, MonotonicTime end) {
  const auto is_known = [this](const Endpoint& endpoint) { return owners_.contains(endpoint); };
  std::erase_if(wanted_groups_, [&](const auto& group) {
    return std::all_of(group.second.begin(), group.second.end(), is_known);
  });
  std::error_code fault;
  while (!wanted_groups_.empty() && groups_ != fs::end(groups_)) {
    for (int i = 0; i < kEntriesAtATime && groups_ != fs::end(groups_); ++i) {
      struct stat status {};
      const bool is_group = groups_->is_directory(fault) && stat(groups_->path().c_str(), &status) == 0;
      if (is_group) {
        const auto group = wanted_groups_.find(status.st_ino);
        if (group != wanted_groups_.end()) found(wanted_groups_, group, groups_->path().filename());
      }
      groups_.increment(fault);
      if (fault && walks_left_ > 0) begin_groups();
    }
    if (clock.monotonic() >= end) return wanted_groups_.empty();
  }
  return true;
}

bool PortOwnerSearch::next_process() {
  while (processes_ && seen_ < kMaxProcesses) {
    const dirent* const entry = readdir(processes_.get());
    if (entry == nullptr) break;
    pid_ = entry->d_name;
    if (pid_.find_first_not_of("0123456789") != std::string::npos) continue;
    ++seen_;
    descriptors_ = open_directory("/proc/" + pid_ + "/fd");
    if (descriptors_) return true;
  }
  return false;
}

void PortOwnerSearch::look_at(const char* descriptor) {
  constexpr std::string_view kPrefix = "socket:[";
  char target[64];
  const ssize_t length = readlinkat(dirfd(descriptors_.get()), descriptor, target, sizeof target);
  if (length <= 0) return;
  std::string_view link(target, static_cast<std::size_t>(length));
  if (!link.starts_with(kPrefix)) return;
  link.remove_prefix(kPrefix.size());
  std::uint64_t inode = 0;
  (void)std::from_chars(link.data(), link.data() + link.size(), inode);  // 0 is nobody's
  const auto socket = wanted_.find(inode);
  if (socket == wanted_.end()) return;
  std::string name;
  std::ifstream("/proc/" + pid_ + "/comm") >> name;
  found(wanted_, socket, name + "[" + pid_ + "]");
}

void PortOwnerSearch::found(Wanted& wanted, Wanted::const_iterator what, const std::string& name) {
  for (const Endpoint& endpoint : what->second)
    owners_.try_emplace(endpoint, name);
  wanted.erase(what);
}

std::string PortOwnerSearch::owner(const Endpoint& endpoint) const {
  const auto found = owners_.find(endpoint);
  return found == owners_.end() ? std::string() : found->second;
}

}  // namespace xsd::net
