// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/proc.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/harness/temp_folder.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(pid_t pid) {
  return fs::path("/proc") / std::to_string(pid);
}

std::optional<int> to_number(std::string_view text) {
  int number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The fields of /proc/PID/stat from the third (state) on: the name before it may hold blanks.
std::vector<std::string> stat_fields(pid_t pid) {
  const std::string text = read_file(folder_of(pid) / "stat");
  const std::size_t name_end = text.rfind(')');
  std::vector<std::string> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(text.substr(name_end + 1));
  for (std::string field; rest >> field;)
    fields.push_back(field);
  return fields;
}

std::vector<pid_t> all_children_of(pid_t pid, bool zombies) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const auto candidate = to_number(entry.path().filename().string());
    if (!candidate) continue;
    const std::vector<std::string> fields = stat_fields(*candidate);
    if (fields.size() < 2 || fields[1] != std::to_string(pid)) continue;
    if (zombies || fields[0] != "Z") children.push_back(*candidate);
  }
  return children;
}

}  // namespace

std::map<int, std::string> open_fds(pid_t pid) {
  std::map<int, std::string> fds;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(pid) / "fd", error)) {
    const auto number = to_number(entry.path().filename().string());
    const fs::path target = fs::read_symlink(entry.path(), error);
    if (number && !error) fds[*number] = target.string();
  }
  return fds;
}

std::size_t fd_count(pid_t pid) {
  return open_fds(pid).size();
}

bool is_role(pid_t pid) {
  // Its second argument, from the exec on.
  return contains(read_file(folder_of(pid) / "cmdline"), std::string_view("\0--role\0", 8));
}

namespace {

std::vector<pid_t> roles_with(pid_t daemon, const std::string& words) {
  const std::string wanted = std::string("\0--role\0", 8) + words + '\0';
  std::vector<pid_t> children = all_children_of(daemon, false);
  std::erase_if(children,
                [&](pid_t child) { return !contains(read_file(folder_of(child) / "cmdline"), wanted); });
  return children;
}

pid_t role_with(pid_t daemon, const std::string& words) {
  const std::vector<pid_t> all = roles_with(daemon, words);
  return all.empty() ? 0 : all.front();
}

}  // namespace

pid_t role_of(pid_t daemon, std::string_view role) {
  return role_with(daemon, std::string(role));
}

std::vector<pid_t> roles_of(pid_t daemon, std::string_view role) {
  return roles_with(daemon, std::string(role));
}

pid_t worker_of(pid_t daemon, std::string_view plugin) {
  return role_with(daemon, std::string("worker\0xsd: worker ", 19) + std::string(plugin));
}

pid_t server_of(pid_t daemon) {
  const pid_t worker = role_of(daemon, "worker");
  return worker > 0 ? worker : daemon;
}

std::vector<pid_t> children_of(pid_t pid, bool zombies) {
  std::vector<pid_t> children = all_children_of(pid, zombies);
  std::erase_if(children, is_role);
  return children;
}

std::size_t zombie_count(pid_t parent) {
  std::size_t count = 0;
  for (const pid_t child : children_of(parent, true))
    count += process_state(child) == 'Z' ? 1 : 0;
  return count;
}

std::string status_field(pid_t pid, const std::string& name) {
  for (const std::string& line : split_lines(read_file(folder_of(pid) / "status"))) {
    if (!line.starts_with(name + ":")) continue;
    const std::size_t begin = line.find_first_not_of(" \t", name.size() + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

std::size_t rss_kib(pid_t pid) {
  std::istringstream text(status_field(pid, "VmRSS"));
  std::size_t value = 0;
  text >> value;
  return value;
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

std::chrono::milliseconds cpu_time(pid_t pid) {
  const std::vector<std::string> fields = stat_fields(pid);
  if (fields.size() < 13) return {};
  const long ticks = to_number(fields[11]).value_or(0) + to_number(fields[12]).value_or(0);
  return std::chrono::milliseconds(ticks * 1000 / sysconf(_SC_CLK_TCK));
}

std::size_t thread_count(pid_t pid) {
  return static_cast<std::size_t>(to_number(status_field(pid, "Threads")).value_or(0));
}

bool is_alive(pid_t pid) {
  const char state = process_state(pid);
  return state != 0 && state != 'Z' && state != 'X';
}

char process_state(pid_t pid) {
  const std::vector<std::string> fields = stat_fields(pid);
  return fields.empty() ? '\0' : fields[0][0];
}

}  // namespace xsd::test
