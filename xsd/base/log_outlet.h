// SPDX-License-Identifier: Apache-2.0
//
// LogOutlet: a place of its own for the records of some services: a file, or syslog with another facility and
// level than the log's. The process that opened it (the master) can hand it to the one that writes, as it
// does with the log's target: `put_parts`, the descriptor, `restore`. Outlets are known to the log (log.h) by
// a name.
//
// A file is made with mode 0640, links are not followed, and it is a regular one. Where it has a size at
// which it is full, the process that opened it begins a new one: what it held is then PATH.1, and what was
// that before is gone. Nothing ever stops being written because of a size: a file that cannot be renamed
// grows.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "xsd/base/log_target.h"

namespace xsd::log {

/// Of an outlet, in bytes.
inline constexpr std::size_t kMaxOutletName = 1024;

struct OutletSettings {
  std::string path{};           ///< empty: syslog
  std::uint64_t warn_size = 0;  ///< of a file: told of once when it is reached; 0: never
  std::uint64_t full_size = 0;  ///< of a file: a new one is begun; 0: never
  int facility = 0;             ///< of syslog, LOG_DAEMON and the like
  int level = 0;                ///< of syslog, LOG_INFO and the like
  friend bool operator==(const OutletSettings&, const OutletSettings&) = default;
};

class LogOutlet {
 public:
  explicit LogOutlet(OutletSettings settings) : settings_(std::move(settings)) {}

  const OutletSettings& settings() const noexcept { return settings_; }
  bool is_open() const noexcept { return target_ != nullptr; }
  /// The limits may have changed; the place is the same.
  void set(OutletSettings settings) { settings_ = std::move(settings); }
  /// Opens it, anew if it is open. On failure it stays as it was.
  Status open();
  enum class Rotated : std::uint8_t { No, Renamed, Reopened };
  /// Begins a new file if this one is full (Renamed), or is not what the path names any more (Reopened).
  Result<Rotated> rotate();

  /// What became of a write.
  struct After {
    std::string warning{};   ///< for the log; empty: nothing to tell
    bool is_full = false;    ///< asked again only when it has grown by a tenth
    bool is_absent = false;  ///< nobody is there who could have taken the lines; they are not counted as lost
  };
  /// Finished lines; it is open.
  After write_from(pid_t sender, std::string_view lines);

  void put_parts(std::string& out) const;
  int descriptor() const noexcept { return target_ ? target_->descriptor() : -1; }
  static Result<LogOutlet> restore(WireReader& parts, UniqueFd fd);

 private:
  void look_at_size(After& after);
  void take(std::unique_ptr<LogTarget> target);
  std::string name() const { return settings_.path.empty() ? "syslog" : settings_.path; }

  OutletSettings settings_;
  std::unique_ptr<LogTarget> target_;
  bool is_troubled_ = false;    ///< the last write lost lines
  std::uint64_t lost_ = 0;      ///< lines, since it last took some
  bool has_warned_ = false;     ///< of warn_size
  std::uint64_t ask_size_ = 0;  ///< of the file, when it is said again that it is full
};

}  // namespace xsd::log
