// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <memory>

#include <unistd.h>

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
  explicit TargetSink(LogTarget& target) : target_(target) {}

  void write_out(Level level) noexcept {
    constexpr std::size_t kKeptCapacity = 4096;
    target_.write(level, {lines_.data(), lines_.size()});
    if (lines_.capacity() > kKeptCapacity) lines_ = spdlog::memory_buf_t();
    lines_.clear();
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override { formatter_->format(message, lines_); }
  void flush_() override {}

 private:
  LogTarget& target_;
  spdlog::memory_buf_t lines_;
};

std::unique_ptr<spdlog::formatter> make_formatter(const Settings& settings) {
  if (settings.json) return std::make_unique<JsonFormatter>();
  const char* const pattern =
      settings.target == TargetKind::Syslog ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ xsd[%P] %l: %v";
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n");
}

bool is_plain(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = byte < 0x80 ? 1 : utf8_sequence_length(text);
    if (byte < 0x20 || byte == 0x7F || length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

struct State {
  Settings settings;
  std::unique_ptr<LogTarget> target;
  std::shared_ptr<TargetSink> sink;
  std::unique_ptr<spdlog::logger> logger;
  std::string records;
  std::function<void()> backlog_hook;
  bool backlogged = false;

  void use(const Settings& next, std::unique_ptr<LogTarget> next_target) {
    auto next_sink = std::make_shared<TargetSink>(*next_target);
    next_sink->set_formatter(make_formatter(next));
    auto next_logger = std::make_unique<spdlog::logger>("xsd", next_sink);
    next_logger->set_level(to_spdlog(next.level));
    logger = std::move(next_logger);
    sink = std::move(next_sink);
    target = std::move(next_target);
    settings = next;
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
    sink->write_out(level);
    after_write();
  }

  void after_write() noexcept {
    int number = 0;
    const std::uint64_t dropped = target->take_dropped(number);
    if (dropped > 0) {
      if (lost_ == 0) lost_reason_ = number;
      lost_ += dropped;
    } else if (lost_ > 0) {
      // The last write went through: tell of the gap once, where it is.
      const std::uint64_t lost = std::exchange(lost_, 0);
      logger->warn("log: {} lines were dropped: {}", lost, errno_text(lost_reason_));
      sink->write_out(Level::Warning);
      const std::uint64_t again = target->take_dropped(number);
      if (again > 0) lost_ = lost + again - 1;
    }
    if (!target->flush() && !backlogged) {
      backlogged = true;
      if (backlog_hook) backlog_hook();
    }
  }

 private:
  std::uint64_t lost_ = 0;
  int lost_reason_ = 0;
};

Result<std::unique_ptr<LogTarget>> make_target(const Settings& settings) {
  switch (settings.target) {
    case TargetKind::Syslog:
      return SyslogTarget::create();
    case TargetKind::File:
      return StreamTarget::open_file(settings.path);
    case TargetKind::Stderr:
      break;
  }
  return StreamTarget::attach(STDERR_FILENO);
}

// Swallows everything: what is left when there is not even a standard error.
class NullTarget final : public LogTarget {
 public:
  void write(Level /*level*/, std::string_view /*lines*/) noexcept override {}
};

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

std::string& records() noexcept {
  return state().records;
}

void begin_text_record(std::string& out, WallTime now) {
  if (state().settings.target == TargetKind::Syslog) return;
  static const std::string kProcess = " xsd[" + std::to_string(getpid()) + "] info: ";
  append_rfc3339(out, now);
  out += kProcess;
}

void flush() noexcept {
  State& log = state();
  if (log.records.empty()) return;
  constexpr std::size_t kKeptCapacity = 65536;
  log.target->write(Level::Info, log.records);
  log.records.clear();
  if (log.records.capacity() > kKeptCapacity) log.records.shrink_to_fit();
  log.after_write();
}

void on_backlog(std::function<void()> hook) {
  state().backlog_hook = std::move(hook);
}

bool flush_backlog() noexcept {
  State& log = state();
  if (!log.target->flush()) return false;
  log.backlogged = false;
  log.after_write();
  return !log.backlogged;
}

}  // namespace xsd::log
