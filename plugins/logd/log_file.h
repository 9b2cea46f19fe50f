// SPDX-License-Identifier: Apache-2.0
//
// LogFile: a file of lines that is rotated by size: FILE becomes FILE.1, FILE.1 becomes FILE.2 and so on, up
// to FILE.<keep>. Every call may block; one at a time, from any thread.
//
// Lines are never divided between two files, so a file is larger than `rotate_size` only if it holds a single
// line. If FILE was moved or removed, a new one is made within a second of writing. A symbolic link and what
// is no regular file are refused.
//
// What can fail does not stop the writing. A line that cannot be written (the disk is full) is lost and
// counted, and each later call tries again; what a write (or a crash) has left of a line is ended with the
// mark of a cut once there is room. While FILE cannot be made or renamed, lines go to the file that is open,
// and it is tried again every second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace logd {

struct LogFileOptions {
  std::string path;
  std::uint64_t rotate_size = 0;  // 0: never
  std::uint64_t rotate_keep = 0;  // 0: what is full is removed
  bool sync = false;              // fdatasync, at most once a second
};

class LogFile {
 public:
  enum class Step : std::uint8_t { None, Write, Sync, Open, Rotate };
  struct Outcome {
    std::uint64_t lost = 0;  // lines
    std::uint64_t rotations = 0;
    Step step = Step::None;  // what does not work now
    int error = 0;           // of it, an errno
  };

  explicit LogFile(LogFileOptions options) : options_(std::move(options)) {}
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile();

  /// 0 or a negative errno. Without it nothing else may be called.
  int open();
  /// `lines` are whole ones, or none, if it is only to be synced. `now` is a monotonic clock's.
  Outcome write(std::string_view lines, std::int64_t now);
  /// When something is to be synced that could not be yet.
  std::optional<std::int64_t> sync_due() const noexcept;
  /// Now, because the file is about to be closed.
  void sync_rest() noexcept;
  const std::string& path() const noexcept { return options_.path; }

 private:
  void look_for_file(std::int64_t now);
  void rotate(std::int64_t now, Outcome& outcome);
  bool shift_old_files();
  std::string_view fitting(std::string_view lines) const noexcept;
  bool put(std::string_view& lines, Outcome& outcome);
  void sync(std::int64_t now);
  void fail(Step step, int error) noexcept;
  void mend(Step step) noexcept;
  bool is_open_file(const struct ::stat& other) const noexcept;

  const LogFileOptions options_;
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t size_ = 0;
  bool torn_ = false;    // the last line in the file has no end
  bool dirty_ = false;   // written and not synced
  bool placed_ = false;  // FILE was the open file when last looked at
  std::int64_t next_look_ = 0;
  std::int64_t next_rotation_ = 0;
  std::int64_t next_sync_ = 0;
  Step step_ = Step::None;  // what failed, other than a write, until it works again
  int error_ = 0;
};

}  // namespace logd
