// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "process.h"

namespace bench {
namespace {

// "xsd: worker echo" is what such a process calls itself.
constexpr const char* kRoleTitle = "xsd: ";

struct Entry {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = '?';
};

Entry entry_of(pid_t pid) {
  Entry entry{.pid = pid};
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = text.rfind(')');
  if (end != std::string::npos) std::istringstream(text.substr(end + 1)) >> entry.state >> entry.parent;
  return entry;
}

std::vector<Entry> all_processes() {
  std::vector<Entry> entries;
  std::error_code ended;
  for (std::filesystem::directory_iterator it("/proc", ended), end; !ended && it != end;
       it.increment(ended)) {
    const std::string name = it->path().filename().string();
    pid_t pid = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && rest == name.data() + name.size()) entries.push_back(entry_of(pid));
  }
  return entries;
}

std::vector<Entry> trees_of(const std::vector<pid_t>& roots) {
  const std::vector<Entry> all = all_processes();
  std::vector<Entry> tree;
  for (const Entry& entry : all) {
    if (std::find(roots.begin(), roots.end(), entry.pid) != roots.end()) tree.push_back(entry);
  }
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const pid_t parent = tree[i].pid;
    for (const Entry& entry : all) {
      if (entry.parent == parent) tree.push_back(entry);
    }
  }
  return tree;
}

long kib_of(const std::string& text, const std::string& key) {
  const std::size_t at = text.find("\n" + key + ":");
  return at == std::string::npos ? 0 : std::atol(text.c_str() + at + key.size() + 2);
}

}  // namespace

std::vector<pid_t> process_trees(const std::vector<pid_t>& roots) {
  std::vector<pid_t> pids;
  for (const Entry& entry : trees_of(roots))
    pids.push_back(entry.pid);
  return pids;
}

double daemon_milliseconds(pid_t daemon) {
  long long sum = 0;
  for (const Entry& entry : trees_of({daemon})) {
    const std::string folder = "/proc/" + std::to_string(entry.pid);
    if (entry.pid != daemon && !read_file(folder + "/comm").starts_with(kRoleTitle)) continue;
    sum += std::atoll(read_file(folder + "/schedstat").c_str());
  }
  return static_cast<double>(sum) / 1e6;
}

Holdings holdings(pid_t root) {
  Holdings sum;
  for (const Entry& entry : trees_of({root})) {
    if (entry.state == 'Z') {
      ++sum.zombies;
      continue;
    }
    ++sum.processes;
    const std::string folder = "/proc/" + std::to_string(entry.pid);
    const std::string rollup = read_file(folder + "/smaps_rollup");
    sum.pss_kib += kib_of(rollup, "Pss");
    sum.rss_kib += kib_of(rollup, "Rss");
    std::error_code ended;
    for (std::filesystem::directory_iterator it(folder + "/fd", ended), end; !ended && it != end;
         it.increment(ended)) {
      ++sum.descriptors;
    }
  }
  return sum;
}

}  // namespace bench
