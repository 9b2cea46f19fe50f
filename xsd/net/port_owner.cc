// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/port_owner.h"

#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

#include <unistd.h>

#include "xsd/net/socket_diag.h"

namespace xsd::net {
namespace {

constexpr int kMaxProcesses = 20000;
constexpr int kDescriptorsAtATime = 64;

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
    const auto inodes = endpoint.address.is_ip() ? inodes_at_port(endpoint.transport, endpoint.address.port())
                                                 : inodes_of_unix(endpoint.address.host());
    for (const std::uint64_t inode : inodes)
      wanted_[inode].push_back(endpoint);
  }
}

bool PortOwnerSearch::step(const Clock& clock, Duration budget) {
  const MonotonicTime end = clock.monotonic() + budget;
  while (!wanted_.empty()) {
    if (!descriptors_ && !next_process()) return true;
    for (int i = 0; i < kDescriptorsAtATime && descriptors_; ++i) {
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
  const auto found = wanted_.find(inode);
  if (found == wanted_.end()) return;
  std::string name;
  std::ifstream("/proc/" + pid_ + "/comm") >> name;
  name += "[" + pid_ + "]";
  for (const Endpoint& endpoint : found->second)
    owners_.try_emplace(endpoint, name);
  wanted_.erase(found);
}

std::string PortOwnerSearch::owner(const Endpoint& endpoint) const {
  const auto found = owners_.find(endpoint);
  return found == owners_.end() ? std::string() : found->second;
}

}  // namespace xsd::net
