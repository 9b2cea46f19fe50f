// SPDX-License-Identifier: Apache-2.0
//
// DiagnosticLog: writes the diagnostics of a load to the log, a few at a time: there may be a hundred for
// each of thousands of files, and each is a few lines. Of one file the first ten are enough for the log;
// `--check` shows all. What a disabled service lacks is of level debug: many files are dropped in disabled,
// and nobody misses their programs.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "xsd/base/clock.h"
#include "xsd/base/log.h"
#include "xsd/config/diagnostic.h"

namespace xsd::manager {

class DiagnosticLog {
 public:
  static constexpr std::size_t kShownOfFile = 10;

  DiagnosticLog() = default;
  /// Borrows them until step() has said that it is done. Those of a file follow each other. A note that was
  /// in the load before, of which `before` told, is not told again: nothing is wrong.
  explicit DiagnosticLog(std::span<const config::Diagnostic> diagnostics, DiagnosticLog before = {})
      : rest_(diagnostics), old_notes_(std::move(before.notes_)) {}

  /// Goes on for about `budget`. True when all is written.
  bool step(const Clock& clock, Duration budget);

 private:
  log::Level level_of(const config::Diagnostic& diagnostic);

  std::span<const config::Diagnostic> rest_;
  std::set<std::string> notes_;
  std::set<std::string> old_notes_;
};

}  // namespace xsd::manager
