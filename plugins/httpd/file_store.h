// SPDX-License-Identifier: Apache-2.0
//
// FileStore: the folder whose files are served. It owns a descriptor of the folder, opened once, and nothing
// outside of it is ever opened: not through "..", not through a symbolic link, wherever in the path it stands
// (openat2(2); where a filter refuses that call, folder by folder with O_NOFOLLOW). What must not be seen and
// what is not there look alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <sys/stat.h>

namespace httpd {

/// An owned descriptor.
class File {
 public:
  File() = default;
  explicit File(int fd) noexcept : fd_(fd) {}
  File(File&& other) noexcept : fd_(other.release()) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File();

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct Found {
  enum class Kind : std::uint8_t {
    File,
    Folder,  ///< named without the '/' at its end
    Nothing,
    NoRoom  ///< of descriptors or memory: ask again later
  };
  Kind kind = Kind::Nothing;
  File file;
  struct stat status = {};
};

class FileStore {
 public:
  /// 0 or a negative errno.
  int open_root(const std::string& root) noexcept;
  /// `path` is that of a Target; of a folder's path that ends with '/', its file `index` is meant.
  Found find(std::string_view path, std::string_view index) const;

  /// For tests: as if openat2 were refused.
  void walk_always() noexcept { walks_ = true; }

 private:
  int open_beneath(const char* path) const noexcept;
  int walk(const char* path) const noexcept;

  File root_;
  bool walks_ = false;  ///< openat2 is refused here
};

/// A strong validator: inode, size, and the time of the last change to the nanosecond. Quotes included.
std::string etag_of(const struct stat& status);

}  // namespace httpd
