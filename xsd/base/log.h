// SPDX-License-Identifier: Apache-2.0
//
// The log of this process: the only global. Diagnostic messages (with a level, through fmt) and records
// (finished lines that the AccessLog makes) go to one target in the order in which they were given. Records
// are collected and leave in one write: `flush` at the end of a loop turn; a diagnostic message flushes them
// first.
//
// The lines may be written by another process, which gets them by a channel (log_channel.h): those of a
// worker always, those of the master while there is a logger, which is given the target and `adopt`s it.
// Records and messages keep their order there, too.
//
// The records of some services go to outlets instead (log_outlet.h), known by their names. Who makes records
// gives the name; the process that writes has the outlet, opened by itself or handed over. Where it has none
// that is open they go to the log.
//
// Text lines:  2026-11-22T02:33:12.123Z xsd[812] info: echo: start ...      (syslog, journal and udp:
// only what follows the level) JSON lines:  {"ts":"...","level":"info","pid":812,"message":"..."} (records
// have their own keys)
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "xsd/base/clock.h"
#include "xsd/base/log_outlet.h"
#include "xsd/base/log_target.h"
#include "xsd/base/result.h"

namespace xsd::log {

enum class TargetKind : std::uint8_t {
  Stderr,
  JournalStream,  ///< the standard error, where the journal reads it
  Syslog,
  Journal,
  Udp,
  File
};

struct Settings {
  TargetKind target = TargetKind::Stderr;
  std::string path{};     ///< of File
  std::string address{};  ///< of Udp: the bytes of a sockaddr
  Level level = Level::Info;
  bool json = false;
};

std::string_view level_name(Level level) noexcept;
std::optional<Level> parse_level(std::string_view name) noexcept;

/// Opens the target and, if that worked, makes it the log; otherwise the log stays what it was. Before the
/// first call messages go to the standard error. Called again with the same settings it reopens a file, for
/// log rotation.
Status open(const Settings& settings);

/// The log of a process whose lines another one writes: `fd` is the sending end of a pair, `settings` say
/// what the lines are like (level, form and kind of target; path and address do not matter).
void open_channel(UniqueFd fd, const Settings& settings);
/// There the settings have changed; the channel stays.
void change_settings(const Settings& settings);
const Settings& settings() noexcept;
/// What of the settings another process needs to know, as bytes and back.
void put_settings(std::string& out, const Settings& settings);
Settings get_settings(WireReader& reader) noexcept;

/// For a process that writes what others log. The target and the settings as bytes, and the descriptor that
/// belongs to it (borrowed; -1: none).
std::string describe_target();
int target_descriptor() noexcept;
/// Over there: makes it the log of that process.
Status adopt(std::string_view description, UniqueFd fd);

/// From now on the lines go by `fd`, as soon as nothing waits at the target any more. The target stays open.
void divert(UniqueFd fd);
/// How many messages went by it.
std::uint64_t diverted_messages() noexcept;
/// The end of that: what nobody has read at the other end of the pair, and what waits here, goes to the
/// target, and so does what comes.
void end_diversion(int other_end) noexcept;
/// What is left in a pair that nobody else reads any more goes to the target.
void write_rest(int receiving_end) noexcept;

/// Finished lines of another process, for an outlet if there is a name.
void forward(std::string_view outlet, pid_t sender, Level level, std::string_view lines) noexcept;
/// Lines that were lost on their way here; told in a line.
void add_dropped(std::uint64_t count, int number) noexcept;

/// Makes the outlet known, and opens it, anew if it was open. On failure it stays as it was.
Status open_outlet(const std::string& name, const OutletSettings& settings);
/// Its records go to the log from now on.
void close_outlet(const std::string& name) noexcept;
bool has_outlet(std::string_view name) noexcept;
/// Of those that are open.
std::vector<std::string> outlet_names();
/// Begins a new file if the one that is there is full; a line tells of it, or of why it could not be done.
/// True: it did.
bool rotate_outlet(const std::string& name) noexcept;
/// The outlet as bytes, and its descriptor (borrowed); it is open.
std::string describe_outlet(const std::string& name);
int outlet_descriptor(const std::string& name) noexcept;
/// Over there: from now on its lines are written here.
Status adopt_outlet(const std::string& name, std::string_view description, UniqueFd fd);
/// Called when a file is full that this process has not opened itself; without a hook it is rotated here.
void on_full_outlet(std::function<void(const std::string& name)> hook);

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

/// The buffer of records of this turn, for an outlet if there is a name. Append whole lines before anything
/// else is asked of the log; in text form begin each with `begin_text_record`.
std::string& records(std::string_view outlet = {});
/// What stands before a record's own text, for the target in use.
void begin_text_record(std::string& out, WallTime now);
/// The same for a file, whatever the target is.
void begin_dated_record(std::string& out, WallTime now);
/// Writes the collected records.
void flush() noexcept;

/// Called when lines wait because the receiver was not ready: call `flush_backlog` a little later. True when
/// nothing waits any more.
void on_backlog(std::function<void()> hook);
bool flush_backlog() noexcept;

}  // namespace xsd::log
