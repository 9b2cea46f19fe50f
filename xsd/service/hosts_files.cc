// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/hosts_files.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/text.h"
#include "xsd/base/unique_fd.h"

namespace xsd::service {
namespace {

constexpr std::size_t kMostRead = 65536;

bool has_rules(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return errno != ENOENT;
  std::string text(kMostRead, '\0');
  const ssize_t size = ::read(fd.get(), text.data(), text.size());
  if (size < 0 || static_cast<std::size_t>(size) == kMostRead) return true;
  return says_something(std::string_view(text).substr(0, static_cast<std::size_t>(size)));
}

}  // namespace

bool says_something(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const bool is_blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (!is_blank && !line.starts_with('#')) return true;
  }
  return false;
}

bool HostsFiles::have_rules() {
  for (File& file : files_)
    look_at(file);
  return std::any_of(files_.begin(), files_.end(), [](const File& file) { return file.has_rules; });
}

void HostsFiles::look_at(File& file) {
  struct stat info {};
  Stamp stamp;
  if (::stat(file.path.c_str(), &info) == 0) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    stamp = {true, info.st_dev, info.st_ino, info.st_size,
             static_cast<std::int64_t>(info.st_ctim.tv_sec) * kSecond + info.st_ctim.tv_nsec};
  } else if (errno != ENOENT) {
    file.stamp.reset();
    file.has_rules = true;
    return;
  }
  if (file.stamp == stamp) return;
  // A file that is written just now may have the same stamp when more has come: it may say something until it
  // has rested for a second.
  const bool is_young = stamp.exists && info.st_ctim.tv_sec + 1 >= std::time(nullptr);
  file.has_rules = is_young || (stamp.exists && has_rules(file.path));
  if (is_young) {
    file.stamp.reset();
  } else {
    file.stamp = stamp;
  }
}

}  // namespace xsd::service
