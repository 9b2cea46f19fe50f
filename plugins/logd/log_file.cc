// SPDX-License-Identifier: Apache-2.0
#include "logd/log_file.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "logd/log_line.h"

namespace logd {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

LogFile::~LogFile() {
  if (fd_ >= 0) ::close(fd_);
}

int LogFile::open() {
  // O_NONBLOCK: a FIFO without a reader fails instead of waiting for one.
  const int fd = ::open(options_.path.c_str(),
                        O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
  if (fd < 0) return -errno;
  struct ::stat status {};
  const int error = ::fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EINVAL;
  if (error != 0) {
    ::close(fd);
    return -error;
  }
  if (fd_ >= 0) {
    if (options_.sync && dirty_) (void)::fdatasync(fd_);  // the last chance; the next sync is of another file
    ::close(fd_);
  }
  fd_ = fd;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  size_ = static_cast<std::uint64_t>(status.st_size);
  char last = '\n';
  torn_ = size_ > 0 && ::pread(fd_, &last, 1, status.st_size - 1) == 1 && last != '\n';
  dirty_ = false;
  placed_ = true;
  mend(Step::Open);
  mend(Step::Rotate);
  return 0;
}

LogFile::Outcome LogFile::write(std::string_view lines, std::int64_t now) {
  Outcome outcome;
  if (!lines.empty()) look_for_file(now);
  while (!lines.empty()) {
    std::string_view part = fitting(lines);
    if (part.empty()) {
      rotate(now, outcome);
      part = fitting(lines);
      if (part.empty()) part = lines;  // it could not be rotated
    }
    lines.remove_prefix(part.size());
    if (put(part, outcome)) continue;
    outcome.lost += static_cast<std::uint64_t>(std::count(part.begin(), part.end(), '\n') +
                                               std::count(lines.begin(), lines.end(), '\n'));
    break;
  }
  sync(now);
  if (outcome.step == Step::None) {
    outcome.step = step_;
    outcome.error = error_;
  }
  return outcome;
}

std::optional<std::int64_t> LogFile::sync_due() const noexcept {
  return options_.sync && dirty_ ? std::optional(next_sync_) : std::nullopt;
}

void LogFile::sync_rest() noexcept {
  if (options_.sync && dirty_) (void)::fdatasync(fd_);  // nobody is left to be told of a failure
  dirty_ = false;
}

bool LogFile::is_open_file(const struct ::stat& other) const noexcept {
  return other.st_dev == device_ && other.st_ino == inode_;
}

void LogFile::fail(Step step, int error) noexcept {
  step_ = step;
  error_ = error;
}

void LogFile::mend(Step step) noexcept {
  if (step_ == step) fail(Step::None, 0);
}

/// Sees, at most once a second, that what is open is still FILE, and makes a new one if it is not.
void LogFile::look_for_file(std::int64_t now) {
  if (now < next_look_) return;
  next_look_ = now + kSecond;
  struct ::stat status {};
  if (::lstat(options_.path.c_str(), &status) == 0 && is_open_file(status)) {
    mend(Step::Open);
    placed_ = true;
    size_ = static_cast<std::uint64_t>(status.st_size);  // somebody may have truncated it
    return;
  }
  placed_ = false;
  if (const int error = open(); error != 0) fail(Step::Open, -error);
}

void LogFile::rotate(std::int64_t now, Outcome& outcome) {
  if (!placed_ || now < next_rotation_) return;
  const std::string& path = options_.path;
  const bool moved = options_.rotate_keep == 0
                         ? ::unlink(path.c_str()) == 0
                         : shift_old_files() && ::rename(path.c_str(), (path + ".1").c_str()) == 0;
  if (!moved && errno != ENOENT) {
    fail(Step::Rotate, errno);
    next_rotation_ = now + kSecond;
    return;
  }
  placed_ = false;
  if (moved) ++outcome.rotations;
  next_look_ = now + kSecond;
  if (const int error = open(); error != 0) fail(Step::Open, -error);
}

/// Makes room for FILE.1; the oldest is replaced.
bool LogFile::shift_old_files() {
  for (std::uint64_t number = options_.rotate_keep - 1; number > 0; --number) {
    const std::string from = options_.path + "." + std::to_string(number);
    const std::string to = options_.path + "." + std::to_string(number + 1);
    if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return false;
  }
  return true;
}

/// The lines for which the file has room. A line that is too long for any file gets one of its own.
std::string_view LogFile::fitting(std::string_view lines) const noexcept {
  if (options_.rotate_size == 0 || size_ + lines.size() <= options_.rotate_size) return lines;
  const std::uint64_t room = options_.rotate_size - std::min(size_, options_.rotate_size);
  const std::size_t end = room == 0 ? std::string_view::npos : lines.rfind('\n', room - 1);
  if (end != std::string_view::npos) return lines.substr(0, end + 1);
  return size_ == 0 ? lines.substr(0, lines.find('\n') + 1) : std::string_view();
}

/// Writes `lines` and takes away from it the whole lines that were written. False: the rest could not be.
bool LogFile::put(std::string_view& lines, Outcome& outcome) {
  static const std::string kEndOfTorn = std::string(kCutMark) + "\n";
  std::string_view rest = lines;
  std::string_view before = torn_ ? std::string_view(kEndOfTorn) : std::string_view();
  while (!before.empty() || !rest.empty()) {
    const std::array<iovec, 2> pieces{iovec{const_cast<char*>(before.data()), before.size()},
                                      iovec{const_cast<char*>(rest.data()), rest.size()}};
    const ssize_t count = ::writev(fd_, pieces.data(), pieces.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      outcome.step = Step::Write;
      outcome.error = errno;
      break;
    }
    dirty_ = true;
    const auto written = static_cast<std::size_t>(count);
    size_ += written;
    const std::size_t of_mark = std::min(written, before.size());
    before.remove_prefix(of_mark);
    rest.remove_prefix(written - of_mark);
  }
  const std::string_view done = lines.substr(0, lines.size() - rest.size());
  if (before.empty()) torn_ = !done.empty() && !done.ends_with('\n');
  const std::size_t end = done.rfind('\n');
  lines.remove_prefix(end == std::string_view::npos ? 0 : end + 1);
  return outcome.step == Step::None;
}

void LogFile::sync(std::int64_t now) {
  if (!options_.sync || !dirty_ || now < next_sync_) return;
  next_sync_ = now + kSecond;
  if (::fdatasync(fd_) == 0) {
    dirty_ = false;
    mend(Step::Sync);
  } else if (step_ == Step::None) {
    fail(Step::Sync, errno);
  }
}

}  // namespace logd
