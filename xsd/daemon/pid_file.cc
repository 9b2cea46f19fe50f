// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/pid_file.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/number.h"
#include "xsd/base/text.h"

namespace xsd::daemon {
namespace {

constexpr int kAttempts = 5;

bool is_still_at(const UniqueFd& fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd.get(), &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

std::string read_pid(const UniqueFd& fd) {
  char text[24];
  const ssize_t length = pread(fd.get(), text, sizeof text, 0);
  const std::string_view digits = trim({text, static_cast<std::size_t>(std::max<ssize_t>(length, 0))});
  return parse_unsigned(digits) ? std::string(digits) : "unknown";
}

}  // namespace

Result<std::unique_ptr<PidFile>> PidFile::create(const std::string& path) {
  std::error_code ignored;  // open says what is wrong
  std::filesystem::create_directory(std::filesystem::path(path).parent_path(), ignored);
  // The daemon that held the file may remove it between our open and our lock: then the lock is on nothing,
  // try again.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
    if (!fd) return Error::from_errno(errno, "pid file " + path);
    struct stat info {};
    if (fstat(fd.get(), &info) == 0 && !S_ISREG(info.st_mode))
      return Error("pid file " + path + ": not a regular file");
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        return Error::with_number(EEXIST, "pid file " + path + ": held by process " + read_pid(fd));
      return Error::from_errno(errno, "pid file " + path);
    }
    if (!is_still_at(fd, path)) continue;
    const std::string text = std::to_string(getpid()) + "\n";
    if (ftruncate(fd.get(), 0) != 0 ||
        pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      return Error::from_errno(errno, "pid file " + path);
    }
    std::unique_ptr<PidFile> made(new PidFile(path, raise_fd(std::move(fd))));
    made->owner_ = getpid();
    return made;
  }
  return Error("pid file " + path + ": is removed again and again");
}

PidFile::~PidFile() {
  if (getpid() == owner_ && is_still_at(fd_, path_))
    (void)unlink(path_.c_str());  // a file that stays is not locked
}

}  // namespace xsd::daemon
