// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/diagnostic_log.h"

#include <algorithm>

namespace xsd::manager {
namespace {

void write(const config::Diagnostic& diagnostic, log::Level level) {
  const std::string text = config::format_diagnostic(diagnostic);
  std::string_view rest = text;
  if (log::is_json()) {  // a line and a caret are for people
    log::message(level, rest.substr(0, rest.find('\n')));
    return;
  }
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    log::message(level, rest.substr(0, end));
  }
}

}  // namespace

log::Level DiagnosticLog::level_of(const config::Diagnostic& diagnostic) {
  if (diagnostic.severity == config::Severity::Error) return log::Level::Error;
  if (diagnostic.severity == config::Severity::Note) {
    const auto [note, is_news] = notes_.insert(config::one_line(diagnostic));
    return !is_news || old_notes_.contains(*note) ? log::Level::Debug : log::Level::Info;
  }
  return diagnostic.of_disabled ? log::Level::Debug : log::Level::Warning;
}

bool DiagnosticLog::step(const Clock& clock, Duration budget) {
  const MonotonicTime end = clock.monotonic() + budget;
  while (!rest_.empty()) {
    const std::string& file = rest_.front().file;
    const auto next_file = std::find_if(rest_.begin(), rest_.end(),
                                        [&](const config::Diagnostic& other) { return other.file != file; });
    const auto count = static_cast<std::size_t>(next_file - rest_.begin());
    std::size_t shown = 0;
    std::size_t others = 0;
    log::Level worst = log::Level::Debug;
    for (const config::Diagnostic& diagnostic : rest_.first(count)) {
      const log::Level level = level_of(diagnostic);
      if (!log::enabled(level)) continue;
      if (shown < kShownOfFile) {
        write(diagnostic, level);
        ++shown;
      } else {
        worst = std::min(worst, level);
        ++others;
      }
    }
    if (others != 0)
      log::message(worst, file + ": " + std::to_string(others) + " more; xsd --check shows them");
    rest_ = rest_.subspan(count);
    if (clock.monotonic() >= end) break;
  }
  return rest_.empty();
}

}  // namespace xsd::manager
