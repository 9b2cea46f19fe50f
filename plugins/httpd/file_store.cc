// SPDX-License-Identifier: Apache-2.0
#include "file_store.h"

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uri.h"

namespace httpd {
namespace {

// A FIFO or a device neither blocks nor becomes our terminal; it is let go of once fstat says what it is.
constexpr int kFileFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

void append_hex(std::string& out, std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
  out.append(digits, end);
}

int open_in_one(int folder, const char* path, int flags) noexcept {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, folder, path, &how, sizeof how));
}

}  // namespace

File::~File() {
  if (fd_ >= 0) (void)::close(fd_);  // nothing was written
}

int FileStore::open_root(const std::string& root) noexcept {
  root_ = File(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_) return -errno;
  const File trial(open_in_one(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  walks_ = !trial && (errno == ENOSYS || errno == EPERM);
  return 0;
}

Found FileStore::find(std::string_view path, std::string_view index) const {
  Found found;
  if (has_dot_segment(path)) return found;
  std::string relative(path.substr(1));
  if (path.back() == '/') relative += index;
  if (relative.size() >= PATH_MAX) return found;

  found.file = File(open_beneath(relative.c_str()));
  if (!found.file) {
    const bool no_room = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    if (no_room) found.kind = Found::Kind::NoRoom;
    return found;
  }
  if (fstat(found.file.get(), &found.status) != 0) return found;
  if (S_ISREG(found.status.st_mode)) {
    found.kind = Found::Kind::File;
  } else if (S_ISDIR(found.status.st_mode) && path.back() != '/') {
    found.kind = Found::Kind::Folder;
  }
  return found;
}

int FileStore::open_beneath(const char* path) const noexcept {
  return walks_ ? walk(path) : open_in_one(root_.get(), path, kFileFlags);
}

int FileStore::walk(const char* path) const noexcept {
  File folder;
  char name[NAME_MAX + 1];
  while (true) {
    const int at = folder ? folder.get() : root_.get();
    const char* const slash = std::strchr(path, '/');
    if (slash == nullptr) return ::openat(at, path, kFileFlags);
    const auto length = static_cast<std::size_t>(slash - path);
    if (length > NAME_MAX) {
      errno = ENAMETOOLONG;
      return -1;
    }
    std::memcpy(name, path, length);
    name[length] = '\0';
    File next(::openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return -1;
    folder = std::move(next);
    path = slash + 1;
  }
}

std::string etag_of(const struct stat& status) {
  std::string tag = "\"";
  append_hex(tag, status.st_ino);
  tag += '-';
  append_hex(tag, static_cast<std::uint64_t>(status.st_size));
  tag += '-';
  append_hex(tag, static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1000000000U +
                      static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
  tag += '"';
  return tag;
}

}  // namespace httpd
