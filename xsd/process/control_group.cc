// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/control_group.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/directory.h"

namespace xsd::process {
namespace {

constexpr std::string_view kPrefix = "xsd-";

// Files of /proc and of cgroups have no size; these are short.
std::optional<std::string> read_text(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t length = read(file.get(), buffer.data(), buffer.size());
    if (length < 0) return std::nullopt;
    if (length == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(length));
  }
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(mark), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// "0::/a/b", the line of the v2 hierarchy (cgroups(7)).
std::optional<std::string> name_in(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  for (const std::string_view line : split(*text, '\n')) {
    if (line.starts_with("0::/")) return std::string(line.substr(3));
  }
  return std::nullopt;
}

struct Mount {
  std::string root;  ///< what of the hierarchy is mounted
  std::string point;
};

// Of proc(5): id, parent, device, root, mount point, options, ..., "-", type, source, options.
std::optional<Mount> find_mount() {
  const auto text = read_text("/proc/self/mountinfo");
  if (!text) return std::nullopt;
  for (const std::string_view line : split(*text, '\n')) {
    if (line.find(" - cgroup2 ") == std::string_view::npos) continue;
    const auto fields = split(line, ' ');
    // A name with blanks is written with escapes; nobody mounts it there.
    if (fields.size() > 4 && fields[4].find('\\') == std::string_view::npos)
      return Mount{std::string(fields[3]), std::string(fields[4])};
  }
  return std::nullopt;
}

}  // namespace

ControlGroup& ControlGroup::operator=(ControlGroup&& other) noexcept {
  if (this == &other) return *this;
  (void)remove();  // what still lives in it keeps it
  folder_ = std::exchange(other.folder_, {});
  name_ = std::exchange(other.name_, {});
  return *this;
}

UniqueFd ControlGroup::open() const {
  return UniqueFd(::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

UniqueFd ControlGroup::open_events() const {
  return UniqueFd(::open((folder_ + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
}

void ControlGroup::for_each(const std::function<void(pid_t)>& visit) const {
  const auto text = read_text(folder_ + "/cgroup.procs");
  if (!text) return;
  for (const std::string_view line : split(*text, '\n')) {
    pid_t pid = 0;
    // 0: of another pid namespace.
    if (std::from_chars(line.data(), line.data() + line.size(), pid).ec == std::errc() && pid > 0) visit(pid);
  }
}

bool ControlGroup::holds(pid_t pid) const {
  const auto name = name_in("/proc/" + std::to_string(pid) + "/cgroup");
  return name && (*name == name_ || name->starts_with(name_ + "/"));
}

bool ControlGroup::kill() const {
  const UniqueFd file(::open((folder_ + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), "1", 1) == 1;
}

bool ControlGroup::remove() noexcept {
  if (!exists()) return true;
  if (rmdir(folder_.c_str()) != 0 && errno != ENOENT) return false;
  folder_.clear();
  return true;
}

bool is_populated(int events) noexcept {
  std::array<char, 256> buffer;
  const ssize_t length = pread(events, buffer.data(), buffer.size(), 0);
  if (length < 0) return errno != ENODEV;  // ENODEV: the group is gone
  return std::string_view(buffer.data(), static_cast<std::size_t>(length)).find("populated 0") ==
         std::string_view::npos;
}

ControlGroup ControlGroups::make() {
  if (!looked_) look_for_place();
  if (folder_.empty()) return {};
  const std::string leaf =
      "/" + std::string(kPrefix) + std::to_string(getpid()) + "-" + std::to_string(++last_);
  if (mkdir((folder_ + leaf).c_str(), 0755) != 0) return {};
  ControlGroup group(folder_ + leaf, name_ + leaf);
  if (access((group.folder_ + "/cgroup.kill").c_str(), W_OK) != 0) return {};
  return group;
}

void ControlGroups::look_for_place() {
  looked_ = true;
  const auto mount = find_mount();
  auto name = name_in("/proc/self/cgroup");
  // "/..": we are outside of what our cgroup namespace shows.
  if (!mount || !name || name->starts_with("/..")) return;
  if (*name == "/") name->clear();
  std::string_view below = *name;
  if (mount->root != "/") {
    if (!below.starts_with(mount->root)) return;
    below.remove_prefix(mount->root.size());
    if (!below.empty() && below.front() != '/') return;
  }
  folder_ = mount->point + std::string(below);
  name_ = std::move(*name);
  remove_old();
}

void ControlGroups::remove_old() const {
  const DirectoryStream folder = open_directory(folder_);
  if (!folder) return;
  while (const dirent* const entry = readdir(folder.get())) {
    const std::string_view leaf = entry->d_name;
    if (!leaf.starts_with(kPrefix)) continue;
    const auto owner = static_cast<pid_t>(std::strtol(entry->d_name + kPrefix.size(), nullptr, 10));
    // Another daemon may be about to start something in its own.
    if (owner > 0 && (owner == getpid() || (::kill(owner, 0) != 0 && errno == ESRCH)))
      (void)rmdir((folder_ + "/" + entry->d_name).c_str());  // what still lives in it keeps it
  }
}

}  // namespace xsd::process
