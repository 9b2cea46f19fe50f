// SPDX-License-Identifier: Apache-2.0
//
// The log of this process: the only global. Diagnostic messages (with a level, through fmt) and records
// (finished lines that the AccessLog makes) go to one target in the order in which they were given. Records
// are collected and leave in one write: `flush` at the end of a loop turn; a diagnostic message flushes them
// first.
//
// Text lines:  2026-11-22T02:33:12.123Z xsd[812] info: echo: start ...      (syslog: only what follows the
// level) JSON lines:  {"ts":"...","level":"info","pid":812,"message":"..."}          (records have their own
// keys)
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "xsd/base/clock.h"
#include "xsd/base/log_target.h"
#include "xsd/base/result.h"

namespace xsd::log {

enum class TargetKind : std::uint8_t { Stderr, Syslog, File };

struct Settings {
  TargetKind target = TargetKind::Stderr;
  std::string path;  ///< of File
  Level level = Level::Info;
  bool json = false;
};

std::string_view level_name(Level level) noexcept;
std::optional<Level> parse_level(std::string_view name) noexcept;

/// Opens the target and, if that worked, makes it the log; otherwise the log stays what it was. Before the
/// first call messages go to the standard error. Called again with the same settings it reopens a file, for
/// log rotation.
Status open(const Settings& settings);

bool enabled(Level level) noexcept;
bool is_json() noexcept;

/// One line. Controls that `text` may still contain are escaped; text from outside should have gone through
/// quoted() already.
void message(Level level, std::string_view text) noexcept;
/// Several lines of one level, in one write.
void messages(Level level, std::span<const std::string> texts) noexcept;

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  message(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  message(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Info)) message(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Debug)) message(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}

/// The buffer of records of this turn. Append whole lines; in text form begin each with `begin_text_record`.
std::string& records() noexcept;
/// What stands before a record's own text, for the target in use.
void begin_text_record(std::string& out, WallTime now);
/// Writes the collected records.
void flush() noexcept;

/// Called when lines wait because the receiver was not ready: call `flush_backlog` a little later. True when
/// nothing waits any more.
void on_backlog(std::function<void()> hook);
bool flush_backlog() noexcept;

}  // namespace xsd::log
