// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <map>
#include <memory>

#include <unistd.h>

#include "xsd/base/datagram_target.h"
#include "xsd/base/log_channel.h"
#include "xsd/base/text.h"

namespace xsd::log {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"error", "warning", "info", "debug"};
constexpr std::array<spdlog::level::level_enum, 4> kSpdlogLevels = {
    spdlog::level::err, spdlog::level::warn, spdlog::level::info, spdlog::level::debug};

spdlog::level::level_enum to_spdlog(Level level) noexcept {
  return kSpdlogLevels[static_cast<std::size_t>(level)];
}

Level from_spdlog(spdlog::level::level_enum level) noexcept {
  if (level >= spdlog::level::err) return Level::Error;
  if (level == spdlog::level::warn) return Level::Warning;
  return level == spdlog::level::info ? Level::Info : Level::Debug;
}

// A message as one JSON object.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    std::string line = "{\"ts\":\"";
    append_rfc3339(line, std::chrono::time_point_cast<Duration>(message.time));
    line += "\",\"level\":\"";
    line += level_name(from_spdlog(message.level));
    line += "\",\"pid\":";
    line += std::to_string(getpid());
    line += ",\"message\":";
    append_json_string(line, {message.payload.data(), message.payload.size()});
    line += "}\n";
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

// Collects spdlog's finished lines for our target, which unlike spdlog's own sinks never blocks.
class TargetSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  void write_out(LogTarget& target, Level level) noexcept {
    constexpr std::size_t kKeptCapacity = 4096;
    target.write(level, {lines_.data(), lines_.size()});
    if (lines_.capacity() > kKeptCapacity) lines_ = spdlog::memory_buf_t();
    lines_.clear();
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override { formatter_->format(message, lines_); }
  void flush_() override {}

 private:
  spdlog::memory_buf_t lines_;
};

/// The receiver adds time, process and level himself.
bool is_bare(const Settings& settings) noexcept {
  return settings.target == TargetKind::Syslog || settings.target == TargetKind::Journal ||
         settings.target == TargetKind::Udp || settings.target == TargetKind::JournalStream;
}

std::unique_ptr<spdlog::formatter> make_formatter(const Settings& settings) {
  if (settings.json) return std::make_unique<JsonFormatter>();
  const char* const pattern = is_bare(settings) ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ xsd[%P] %l: %v";
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n");
}

/// What stands before a text line in a file.
void append_prefix(std::string& out, WallTime now, pid_t sender) {
  append_rfc3339(out, now);
  out.append(" xsd[").append(std::to_string(sender)).append("] info: ");
}

struct State {
  Settings settings;
  std::unique_ptr<LogTarget> target;
  std::unique_ptr<ChannelTarget> diversion;
  bool is_diverted = false;  ///< false with a diversion: the target still has lines that wait
  std::shared_ptr<TargetSink> sink;
  std::unique_ptr<spdlog::logger> logger;
  std::string records;
  std::vector<std::pair<std::string, std::string>> outlet_records;  ///< name, lines
  std::map<std::string, LogOutlet, std::less<>> outlets;
  std::function<void(const std::string&)> full_hook;
  std::function<void()> backlog_hook;
  bool backlogged = false;

  LogTarget& receiver() noexcept { return is_diverted ? *diversion : *target; }
  /// By which all lines go to another process; nullptr if they are written here.
  ChannelTarget* channel() noexcept { return is_diverted ? diversion.get() : own_channel_; }

  void use(const Settings& next) {
    auto next_sink = std::make_shared<TargetSink>();
    next_sink->set_formatter(make_formatter(next));
    auto next_logger = std::make_unique<spdlog::logger>("xsd", next_sink);
    next_logger->set_level(to_spdlog(next.level));
    logger = std::move(next_logger);
    sink = std::move(next_sink);
    settings = next;
  }
  void use(const Settings& next, std::unique_ptr<LogTarget> next_target) {
    use(next);
    target = std::move(next_target);
    own_channel_ = nullptr;
  }
  void use(const Settings& next, std::unique_ptr<ChannelTarget> next_channel) {
    ChannelTarget* const made = next_channel.get();
    use(next, std::unique_ptr<LogTarget>(std::move(next_channel)));
    own_channel_ = made;
  }

  void add(Level level, std::string_view text) {
    std::string escaped;
    if (!is_plain(text)) {
      append_escaped(escaped, text);
      text = escaped;
    }
    logger->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
  }

  void write_added(Level level) noexcept {
    sink->write_out(receiver(), level);
    after_write();
  }

  void write_to(std::string_view outlet, pid_t sender, std::string_view lines) noexcept {
    if (ChannelTarget* const by = channel()) {
      by->write_to(outlet, sender, Level::Info, lines);
    } else {
      write_here(outlet, sender, Level::Info, lines);
    }
    after_write();
  }

  /// Whatever there is to send them by.
  void write_here(std::string_view outlet, pid_t sender, Level level, std::string_view lines) noexcept {
    const auto found = outlet.empty() ? outlets.end() : outlets.find(outlet);
    if (found == outlets.end() || !found->second.is_open()) return target->write_from(sender, level, lines);
    const LogOutlet::After after = found->second.write_from(sender, lines);
    if (!after.warning.empty()) tell(Level::Warning, after.warning);
    if (after.is_absent) write_bare(sender, lines);
    if (!after.is_full) return;
    if (full_hook) {
      full_hook(found->first);
    } else {
      (void)rotate(found->first, found->second);  // it has told why not
    }
  }

  /// Records as syslog has them, to the target.
  void write_bare(pid_t sender, std::string_view lines) noexcept {
    if (settings.json || is_bare(settings)) return target->write_from(sender, Level::Info, lines);
    const WallTime now = SystemClock().wall();
    std::string dated;
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n') + 1);
      append_prefix(dated, now, sender);
      dated += line;
      lines.remove_prefix(line.size());
    }
    target->write_from(sender, Level::Info, dated);
  }

  bool rotate(const std::string& name, LogOutlet& outlet) noexcept {
    using Rotated = LogOutlet::Rotated;
    const Result<Rotated> rotated = outlet.rotate();
    if (!rotated) {
      tell(Level::Error, "log " + name + ": cannot be rotated and grows on: " + rotated.error().text());
    } else if (*rotated != Rotated::No) {
      tell(Level::Info,
           "log " + name + ": a new file begins, the old one " +
               (*rotated == Rotated::Renamed ? "is full and named " + name + ".1" : "was moved away"));
    }
    return rotated && *rotated != Rotated::No;
  }

  /// A message from within a write.
  void tell(Level level, const std::string& text) noexcept {
    if (level > settings.level) return;
    add(level, text);
    write_added(level);
  }

  void after_write() noexcept {
    int number = 0;
    const std::uint64_t dropped = receiver().take_dropped(number);
    if (dropped > 0) {
      if (lost_ == 0) lost_reason_ = number;
      lost_ += dropped;
    } else if (lost_ > 0) {
      // The last write went through: tell of the gap once, where it is.
      const std::uint64_t lost = std::exchange(lost_, 0);
      logger->warn("log: {} lines were dropped: {}", lost, errno_text(lost_reason_));
      sink->write_out(receiver(), Level::Warning);
      const std::uint64_t again = receiver().take_dropped(number);
      if (again > 0) lost_ = lost + again - 1;
    }
    const bool nothing_waits = receiver().flush();
    if (nothing_waits && diversion) is_diverted = true;
    if (!nothing_waits && !backlogged) {
      backlogged = true;
      if (backlog_hook) backlog_hook();
    }
  }

 private:
  ChannelTarget* own_channel_ = nullptr;  ///< the target, in a process that others write for
  std::uint64_t lost_ = 0;
  int lost_reason_ = 0;
};

Result<std::unique_ptr<LogTarget>> make_target(const Settings& settings) {
  switch (settings.target) {
    case TargetKind::Syslog:
      return DatagramTarget::syslog();
    case TargetKind::Journal:
      return DatagramTarget::journal();
    case TargetKind::Udp:
      return DatagramTarget::udp(settings.address);
    case TargetKind::File:
      return StreamTarget::open_file(settings.path);
    case TargetKind::JournalStream:
      return StreamTarget::attach_journal(STDERR_FILENO);
    case TargetKind::Stderr:
      break;
  }
  return StreamTarget::attach(STDERR_FILENO);
}

State& state() {
  static State* const kInstance = [] {
    auto* const made = new State;  // never destroyed: destructors of others may still log
    auto target = make_target({});
    if (target) {
      made->use({}, std::move(*target));
    } else {
      made->use({}, std::make_unique<NullTarget>());
    }
    return made;
  }();
  return *kInstance;
}

}  // namespace

std::string_view level_name(Level level) noexcept {
  return kLevelNames[static_cast<std::size_t>(level)];
}

std::optional<Level> parse_level(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (equals_ignoring_case(name, kLevelNames[i])) return static_cast<Level>(i);
  }
  return std::nullopt;
}

Status open(const Settings& settings) {
  auto target = make_target(settings);
  if (!target) return std::move(target.error()).within("log");
  flush();
  (void)state().target->flush();  // whatever still waits there is lost with the target
  state().use(settings, std::move(*target));
  return {};
}

void open_channel(UniqueFd fd, const Settings& settings) {
  flush();
  (void)state().target->flush();  // as above
  state().use(settings, std::make_unique<ChannelTarget>(std::move(fd)));
}

void change_settings(const Settings& settings) {
  flush();
  state().use(settings);
}

const Settings& settings() noexcept {
  return state().settings;
}

void put_settings(std::string& out, const Settings& settings) {
  put_number(out, settings.target);
  put_number(out, settings.level);
  put_number(out, static_cast<std::uint8_t>(settings.json ? 1 : 0));
}

Settings get_settings(WireReader& reader) noexcept {
  Settings settings;
  settings.target = reader.choice(TargetKind::File);
  settings.level = reader.choice(Level::Debug);
  settings.json = reader.flag();
  return settings;
}

std::string describe_target() {
  std::string description;
  put_settings(description, state().settings);
  state().target->put_parts(description);
  return description;
}

int target_descriptor() noexcept {
  return state().target->descriptor();
}

Status adopt(std::string_view description, UniqueFd fd) {
  WireReader reader(description);
  const Settings settings = get_settings(reader);
  auto target = restore_target(reader, std::move(fd));
  if (!target) return std::move(target.error());
  if (!reader.is_complete()) return Error("a log target that makes no sense");
  flush();
  (void)state().target->flush();  // as above
  state().use(settings, std::move(*target));
  return {};
}

void divert(UniqueFd fd) {
  flush();
  State& log = state();
  log.diversion = std::make_unique<ChannelTarget>(std::move(fd));
  log.is_diverted = false;
  log.after_write();
}

std::uint64_t diverted_messages() noexcept {
  return state().diversion ? state().diversion->sent() : 0;
}

void end_diversion(int other_end) noexcept {
  flush();
  State& log = state();
  if (!log.diversion) return;
  const std::unique_ptr<ChannelTarget> diversion = std::move(log.diversion);
  log.is_diverted = false;
  write_rest(other_end);
  diversion->empty_into([&](std::string_view outlet, pid_t sender, Level level, std::string_view lines) {
    log.write_here(outlet, sender, level, lines);
  });
  log.after_write();
}

void write_rest(int receiving_end) noexcept {
  State& log = state();
  LineReceiver receiver;
  const auto take = [&](std::string_view outlet, pid_t sender, Level level, std::string_view lines) {
    log.write_here(outlet, sender, level, lines);
  };
  constexpr int kMost = 65536;  // more than a socket holds
  (void)receiver.receive(receiving_end, kMost, take);
  log.after_write();
}

void forward(std::string_view outlet, pid_t sender, Level level, std::string_view lines) noexcept {
  flush();
  if (!outlet.empty()) return state().write_to(outlet, sender, lines);
  state().receiver().write_from(sender, level, lines);
  state().after_write();
}

Status open_outlet(const std::string& name, const OutletSettings& settings) {
  flush();
  LogOutlet& outlet = state().outlets.try_emplace(name, settings).first->second;
  outlet.set(settings);
  return outlet.open();
}

void close_outlet(const std::string& name) noexcept {
  flush();
  state().outlets.erase(name);
}

bool has_outlet(std::string_view name) noexcept {
  return state().outlets.contains(name);
}

std::vector<std::string> outlet_names() {
  std::vector<std::string> names;
  for (const auto& [name, outlet] : state().outlets) {
    if (outlet.is_open()) names.push_back(name);
  }
  return names;
}

bool rotate_outlet(const std::string& name) noexcept {
  flush();
  const auto found = state().outlets.find(name);
  return found != state().outlets.end() && state().rotate(name, found->second);
}

std::string describe_outlet(const std::string& name) {
  std::string description;
  state().outlets.at(name).put_parts(description);
  return description;
}

int outlet_descriptor(const std::string& name) noexcept {
  const auto found = state().outlets.find(name);
  return found == state().outlets.end() ? -1 : found->second.descriptor();
}

Status adopt_outlet(const std::string& name, std::string_view description, UniqueFd fd) {
  WireReader reader(description);
  auto outlet = LogOutlet::restore(reader, std::move(fd));
  if (!outlet) return std::move(outlet.error());
  if (!reader.is_complete()) return Error("an outlet of the log that makes no sense");
  state().outlets.insert_or_assign(name, std::move(*outlet));
  return {};
}

void on_full_outlet(std::function<void(const std::string&)> hook) {
  state().full_hook = std::move(hook);
}

void add_dropped(std::uint64_t count, int number) noexcept {
  if (count == 0) return;
  state().receiver().add_dropped(count, number);
  state().after_write();
  state().after_write();  // counted by the first, told by the second
}

bool enabled(Level level) noexcept {
  return level <= state().settings.level;
}

bool is_json() noexcept {
  return state().settings.json;
}

void message(Level level, std::string_view text) noexcept {
  if (!enabled(level)) return;
  flush();
  state().add(level, text);
  state().write_added(level);
}

void messages(Level level, std::span<const std::string> texts) noexcept {
  if (!enabled(level) || texts.empty()) return;
  flush();
  for (const std::string& text : texts)
    state().add(level, text);
  state().write_added(level);
}

std::string& records(std::string_view outlet) {
  State& log = state();
  if (outlet.empty()) return log.records;
  for (auto& [name, lines] : log.outlet_records) {
    if (name == outlet) return lines;
  }
  return log.outlet_records.emplace_back(outlet, std::string()).second;
}

void begin_text_record(std::string& out, WallTime now) {
  if (!is_bare(state().settings)) begin_dated_record(out, now);
}

void begin_dated_record(std::string& out, WallTime now) {
  static const std::string kProcess = " xsd[" + std::to_string(getpid()) + "] info: ";
  append_rfc3339(out, now);
  out += kProcess;
}

void flush() noexcept {
  State& log = state();
  if (!log.records.empty()) {
    constexpr std::size_t kKeptCapacity = 65536;
    log.receiver().write(Level::Info, log.records);
    log.records.clear();
    if (log.records.capacity() > kKeptCapacity) log.records.shrink_to_fit();
    log.after_write();
  }
  if (log.outlet_records.empty()) return;
  for (const auto& [name, lines] : std::exchange(log.outlet_records, {})) {
    if (!lines.empty()) log.write_to(name, getpid(), lines);
  }
}

void on_backlog(std::function<void()> hook) {
  state().backlog_hook = std::move(hook);
}

bool flush_backlog() noexcept {
  State& log = state();
  if (!log.receiver().flush()) return false;
  log.backlogged = false;
  log.after_write();
  return !log.backlogged;
}

}  // namespace xsd::log
