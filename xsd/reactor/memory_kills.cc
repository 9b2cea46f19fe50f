// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/memory_kills.h"
#include "xsd/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace xsd::reactor {
namespace {

// A few short lines.
using Buffer = std::array<char, 4096>;

std::string_view read_file(int fd, Buffer& buffer) noexcept {
  const ssize_t length = pread(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0U};
}

}  // namespace

MemoryKills MemoryKills::at(const std::string& path) {
  MemoryKills kills;
  kills.file_ = raise_fd(UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)));
  if (const auto number = kills.read()) {
    kills.taken_ = *number;
  } else {
    kills.file_.reset();
  }
  return kills;
}

// Lines "0::/PATH" (version 2) and "NUMBER:CONTROLLERS:/PATH". In a container the path may be one outside of
// it, and the own group is at the root of what is mounted there.
MemoryKills MemoryKills::of_own_group() {
  const UniqueFd file(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
  Buffer buffer;
  std::string_view text = file ? read_file(file.get(), buffer) : std::string_view();
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    const bool is_second = controllers.empty();
    if (!is_second && controllers != "memory") continue;
    const std::string_view root = is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string_view name = is_second ? "/memory.events" : "/memory.oom_control";
    for (const std::string& group : {path, std::string()}) {
      MemoryKills kills = at(std::string(root).append(group).append(name));
      if (kills.file_) return kills;
    }
  }
  return {};
}

std::optional<std::uint64_t> MemoryKills::read() const noexcept {
  constexpr std::string_view kKey = "oom_kill ";
  if (!file_) return std::nullopt;
  Buffer buffer;
  std::string_view text = read_file(file_.get(), buffer);
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (!line.starts_with(kKey)) continue;
    std::uint64_t number = 0;
    const std::string_view digits = line.substr(kKey.size());
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec == std::errc()) return number;
  }
  return std::nullopt;
}

bool MemoryKills::take() noexcept {
  const auto number = read();
  if (!number || *number <= taken_) return false;
  ++taken_;
  return true;
}

}  // namespace xsd::reactor
