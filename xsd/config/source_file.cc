// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/source_file.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "xsd/base/text.h"
#include "xsd/config/file_list.h"

namespace xsd::config {
namespace {

Error not_regular(mode_t mode) {
  std::string_view what = "something else";
  if (S_ISDIR(mode)) what = "a folder";
  if (S_ISFIFO(mode)) what = "a FIFO";
  if (S_ISSOCK(mode)) what = "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) what = "a device";
  return Error("not a regular file but " + std::string(what));
}

Error too_large(std::size_t most) {
  return Error("larger than " + std::to_string(most >> 20U) + " MiB");
}

Result<std::string> real_path(const std::string& path) {
  char buffer[PATH_MAX];
  if (::realpath(path.c_str(), buffer) == nullptr)
    return Error::from_errno(errno, "cannot resolve " + quoted(path));
  return std::string(buffer);
}

/// Where what was opened really is. Asked of the descriptor, so that it is what was opened; without /proc, of
/// the path.
Result<std::string> real_path_of(int fd, const std::string& path) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  char buffer[PATH_MAX];
  const ssize_t length = ::readlink(link.c_str(), buffer, sizeof buffer);
  if (length > 0 && static_cast<std::size_t>(length) < sizeof buffer && buffer[0] == '/') {
    return std::string(buffer, static_cast<std::size_t>(length));
  }
  return real_path(path);
}

bool lies_in(std::string_view file, std::string_view folder) noexcept {
  if (folder == "/") return true;
  return file.size() > folder.size() && file.starts_with(folder) && file[folder.size()] == '/';
}

/// Looks at owner and mode of the file (`folder` empty) or of a folder that holds it. An Error: refused.
Status check_trust(const FolderState& info, const std::string& folder, const TrustRules& rules,
                   std::vector<std::string>& warnings) {
  const auto it = [&](const char* pronoun) {
    return folder.empty() ? std::string(pronoun) : "its folder " + quoted(folder);
  };
  std::vector<std::string> faults;
  if ((info.mode & S_IWOTH) != 0) faults.push_back("others may write " + it("it") + "; chmod o-w");
  if (info.owner != 0 && info.owner != rules.trusted_owner) {
    faults.push_back(it("it") + " belongs to user " + std::to_string(info.owner) + ", not to root" +
                     (rules.trusted_owner == 0 ? "" : " or the owner of the main file") + "; chown it");
  }
  if (rules.enforce && !faults.empty()) return Error(std::move(faults.front()));
  std::move(faults.begin(), faults.end(), std::back_inserter(warnings));
  if ((info.mode & S_IWGRP) != 0) warnings.push_back("its group may write " + it("it") + "; chmod g-w");
  return {};
}

Result<std::string> read_all(int fd, std::size_t expected, std::size_t most) {
  std::string text;
  text.resize(std::min(expected, most) + 1);  // one more, so that the end is seen without growing
  std::size_t used = 0;
  while (true) {
    const ssize_t got = ::read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "cannot read");
    used += static_cast<std::size_t>(got);
    if (used > most) return too_large(most);
    // A file that is as long as it said has given less than was asked for: this was its end.
    if (got == 0 || used == expected) break;
    if (used == text.size()) text.resize(std::min(2 * text.size(), most + 1));
  }
  text.resize(used);
  return text;
}

}  // namespace

FolderState make_folder_state(const struct stat& info) noexcept {
  return {info.st_dev, info.st_ino, info.st_mode, info.st_uid};
}

const Result<FolderViews::View>& FolderViews::look(const std::string& folder) {
  if (const auto known = views_.find(folder); known != views_.end()) return known->second;
  const auto find_out = [&folder]() -> Result<View> {
    UniqueFd fd = raise_fd(UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
    if (!fd) return Error::from_errno(errno, "cannot resolve " + quoted(folder));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
      return Error::from_errno(errno, "cannot look at its folder " + quoted(folder));
    auto real = real_path_of(fd.get(), folder);
    if (!real) return std::move(real.error());
    return View{std::move(*real), make_folder_state(info), std::move(fd)};
  };
  return views_.emplace(folder, find_out()).first->second;
}

Result<SourceFile> read_source_file(const std::string& path, const std::string& inside,
                                    const TrustRules& rules, FolderViews& folders, std::size_t most) {
  const Result<FolderViews::View>& named = folders.look(folder_of(path));
  if (!named) return Error::from_errno(named.error().number(), "cannot open");
  std::string name = path.substr(path.rfind('/') + 1);
  if (name.empty()) name = ".";  // a folder, and told to be one
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  UniqueFd fd(::openat(named->fd.get(), name.c_str(), kFlags | O_NOFOLLOW));
  const bool is_link = !fd && errno == ELOOP;
  if (is_link) fd = UniqueFd(::openat(named->fd.get(), name.c_str(), kFlags));
  struct stat info {};
  if (!fd) {
    const int number = errno;  // a socket cannot be opened at all
    if (::fstatat(named->fd.get(), name.c_str(), &info, 0) == 0 && !S_ISREG(info.st_mode))
      return not_regular(info.st_mode);
    return Error::from_errno(number, "cannot open");
  }
  if (::fstat(fd.get(), &info) != 0) return Error::from_errno(errno, "cannot look at it");
  if (!S_ISREG(info.st_mode)) return not_regular(info.st_mode);

  SourceFile file;
  file.stamp =
      make_stamp(info);  // from before the read: what is written meanwhile gives another stamp next time

  const Result<std::string> real = is_link ? real_path_of(fd.get(), path)
                                           : (named->real_path == "/" ? "/" : named->real_path + '/') + name;
  if (!real) return real.error();
  if (!inside.empty()) {
    const Result<FolderViews::View>& folder = folders.look(inside);
    if (!folder) return folder.error();
    if (!lies_in(*real, folder->real_path)) return Error("leads out of its folder, to " + quoted(*real));
  }

  if (Status status = check_trust(make_folder_state(info), "", rules, file.warnings); !status)
    return status.error();
  // The folder that holds the file, and, of a link, the one that holds the link.
  const std::string folder = folder_of(*real);
  file.folders.named = named->state;
  if (named->real_path != folder) {
    const Result<FolderViews::View>& holds = folders.look(folder);
    if (!holds) return holds.error();
    if (Status status = check_trust(holds->state, folder, rules, file.warnings); !status)
      return status.error();
    file.folders.real_path = folder;
    file.folders.real = holds->state;
  }
  if (Status status = check_trust(named->state, named->real_path, rules, file.warnings); !status)
    return status.error();

  if (info.st_size > static_cast<off_t>(most)) return too_large(most);
  Result<std::string> text = read_all(fd.get(), static_cast<std::size_t>(info.st_size), most);
  if (!text) return text.error();
  file.text = std::move(*text);
  return file;
}

Result<FileStamp> stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Error::from_errno(errno, "cannot look at it");
  return make_stamp(info);
}

}  // namespace xsd::config
