// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_outlet.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "xsd/base/datagram_target.h"
#include "xsd/base/number.h"

namespace xsd::log {
namespace {

Result<std::unique_ptr<LogTarget>> open_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(),
                     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd) {
    if (errno == ELOOP) return Error("open " + path + ": it is a symbolic link");
    return Error::from_errno(errno, "open " + path);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return Error::from_errno(errno, "open " + path);
  if (!S_ISREG(info.st_mode)) return Error("open " + path + ": it is not a regular file");
  return std::make_unique<StreamTarget>(raise_fd(std::move(fd)), StreamTarget::Kind::NonBlocking);
}

}  // namespace

void LogOutlet::take(std::unique_ptr<LogTarget> target) {
  target_ = std::move(target);
  has_warned_ = false;
  ask_size_ = 0;
}

Status LogOutlet::open() {
  auto target = settings_.path.empty() ? DatagramTarget::syslog_as(settings_.facility, settings_.level)
                                       : open_file(settings_.path);
  if (!target) return std::move(target.error());
  take(std::move(*target));
  return {};
}

Result<LogOutlet::Rotated> LogOutlet::rotate() {
  struct stat ours {};
  if (!is_open() || settings_.full_size == 0 || fstat(descriptor(), &ours) != 0) return Rotated::No;
  const std::string& path = settings_.path;
  struct stat there {};
  const bool is_ours =
      lstat(path.c_str(), &there) == 0 && there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
  if (is_ours) {
    if (static_cast<std::uint64_t>(ours.st_size) < settings_.full_size) return Rotated::No;
    const std::string old = path + ".1";
    if (rename(path.c_str(), old.c_str()) != 0) return Error::from_errno(errno, "rename " + path);
  }
  if (Status status = open(); !status) return std::move(status.error());
  return is_ours ? Rotated::Renamed : Rotated::Reopened;
}

LogOutlet::After LogOutlet::write_from(pid_t sender, std::string_view lines) {
  After after;
  target_->write_from(sender, Level::Info, lines);
  int number = 0;
  const std::uint64_t dropped = target_->take_dropped(number);
  if (dropped > 0) {
    after.is_absent = settings_.path.empty() && (number == ENOENT || number == ECONNREFUSED);
    if (!after.is_absent) lost_ += dropped;
    if (!std::exchange(is_troubled_, true)) {
      after.warning = "log " + name() + ": " + errno_text(number) +
                      (after.is_absent ? "; its records go to the daemon's log until somebody is there"
                                       : "; records are lost until it takes them again");
    }
  } else if (std::exchange(is_troubled_, false)) {
    after.warning = "log " + name() + ": it takes records again, " + std::to_string(lost_) + " were lost";
    lost_ = 0;
  }
  if (settings_.warn_size > 0 || settings_.full_size > 0) look_at_size(after);
  return after;
}

void LogOutlet::look_at_size(After& after) {
  struct stat info {};
  if (fstat(descriptor(), &info) != 0) return;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (settings_.warn_size > 0 && size >= settings_.warn_size && after.warning.empty() && !has_warned_) {
    has_warned_ = true;
    after.warning = "log " + settings_.path + ": it has reached its soft limit of " +
                    format_size(settings_.warn_size) + " and is rotated at " +
                    format_size(settings_.full_size);
  }
  if (settings_.full_size == 0 || size < std::max(settings_.full_size, ask_size_)) return;
  after.is_full = true;
  ask_size_ = size + settings_.full_size / 10 + 1;
}

void LogOutlet::put_parts(std::string& out) const {
  put_text(out, settings_.path);
  put_number(out, settings_.warn_size);
  put_number(out, settings_.full_size);
  put_number(out, static_cast<std::uint8_t>(is_open() ? 1 : 0));
  if (is_open()) target_->put_parts(out);
}

Result<LogOutlet> LogOutlet::restore(WireReader& parts, UniqueFd fd) {
  LogOutlet outlet({});
  outlet.settings_.path = parts.text(kMaxOutletName);
  outlet.settings_.warn_size = parts.get<std::uint64_t>();
  outlet.settings_.full_size = parts.get<std::uint64_t>();
  if (!parts.flag() || parts.failed()) return Error("an outlet of the log that makes no sense");
  auto target = restore_target(parts, std::move(fd));
  if (!target) return std::move(target.error());
  outlet.target_ = std::move(*target);
  return outlet;
}

}  // namespace xsd::log
