// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/temp_folder.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xsd::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void write_whole(const fs::path& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) give_up("open " + path.string());
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0) {
      close(fd);
      give_up("write " + path.string());
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  (void)fchmod(fd, 0644);
  close(fd);
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::size_t count_lines(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (const std::string& line : split_lines(text))
    count += contains(line, part) ? 1 : 0;
  return count;
}

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "xsd-it-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) give_up("mkdtemp " + name);
  (void)chmod(name.c_str(), 0755);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path TempFolder::write(std::string_view name, std::string_view text) const {
  const fs::path path = path_ / name;
  make_folder(fs::path(name).parent_path().string());
  const fs::path beside = path.parent_path() / (".new." + path.filename().string());
  write_whole(beside, text);
  fs::rename(beside, path);
  return path;
}

void TempFolder::overwrite(std::string_view name, std::string_view text) const {
  write_whole(path_ / name, text);
}

void TempFolder::remove(std::string_view name) const {
  fs::remove_all(path_ / name);
}

void TempFolder::make_folder(std::string_view name) const {
  fs::path path = path_;
  for (const fs::path& part : fs::path(name)) {
    path /= part;
    if (mkdir(path.c_str(), 0755) == 0) (void)chmod(path.c_str(), 0755);
  }
}

void TempFolder::give_to(unsigned uid, unsigned gid) const {
  if (chown(path_.c_str(), uid, gid) != 0) give_up("chown " + path_.string());
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path_)) {
    if (lchown(entry.path().c_str(), uid, gid) != 0) give_up("chown " + entry.path().string());
  }
}

}  // namespace xsd::test
