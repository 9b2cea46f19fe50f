// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/port_owner.h"

#include "xsd/base/directory.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include <unistd.h>

namespace xsd::net {
namespace {

constexpr int kMaxProcesses = 20000;

// The inodes of sockets that hold the endpoint's port. proc(5): "local_address" is hexadecimal ADDRESS:PORT,
// st 0A is LISTEN, the inode is the tenth field. Which address exactly does not matter: any of them is worth
// naming.
std::set<std::string> inodes_of_ip(const Endpoint& endpoint) {
  std::set<std::string> inodes;
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", endpoint.address.port());
  const bool stream = endpoint.transport == Transport::Stream;
  for (const char* path :
       {stream ? "/proc/net/tcp" : "/proc/net/udp", stream ? "/proc/net/tcp6" : "/proc/net/udp6"}) {
    std::ifstream table(path);
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::istringstream fields(line);
      std::string number, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
          inode;
      if (local.ends_with(wanted) && (!stream || state == "0A")) inodes.insert(inode);
    }
  }
  return inodes;
}

// "Num RefCount Protocol Flags Type St Inode Path"
std::set<std::string> inodes_of_unix(const Endpoint& endpoint) {
  std::set<std::string> inodes;
  const std::string wanted = endpoint.address.host();
  std::ifstream table("/proc/net/unix");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string number, references, protocol, flags, type, state, inode, path;
    fields >> number >> references >> protocol >> flags >> type >> state >> inode >> path;
    if (path == wanted) inodes.insert(inode);
  }
  return inodes;
}

bool holds_one_of(const std::string& process, const std::set<std::string>& inodes) {
  const DirectoryStream folder = open_directory("/proc/" + process + "/fd");
  if (!folder) return false;
  while (const dirent* entry = readdir(folder.get())) {
    char target[64];
    const ssize_t length = readlinkat(dirfd(folder.get()), entry->d_name, target, sizeof target - 1);
    if (length <= 0) continue;
    const std::string_view link(target, static_cast<std::size_t>(length));
    if (!link.starts_with("socket:[") || !link.ends_with(']')) continue;
    if (inodes.contains(std::string(link.substr(8, link.size() - 9)))) return true;
  }
  return false;
}

}  // namespace

std::string find_port_owner(const Endpoint& endpoint) {
  const std::set<std::string> inodes =
      endpoint.address.is_ip() ? inodes_of_ip(endpoint) : inodes_of_unix(endpoint);
  if (inodes.empty()) return {};
  const DirectoryStream processes = open_directory("/proc");
  if (!processes) return {};
  for (int seen = 0; seen < kMaxProcesses; ++seen) {
    const dirent* const entry = readdir(processes.get());
    if (entry == nullptr) break;
    const std::string process = entry->d_name;
    if (process.find_first_not_of("0123456789") != std::string::npos || !holds_one_of(process, inodes))
      continue;
    std::string name;
    std::ifstream(std::string("/proc/").append(process).append("/comm")) >> name;
    return name.append("[").append(process).append("]");
  }
  return {};
}

}  // namespace xsd::net
