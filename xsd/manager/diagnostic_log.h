// SPDX-License-Identifier: Apache-2.0
//
// DiagnosticLog: writes the diagnostics of a load to the log, a few at a time: there may be a hundred for
// each of thousands of files, and each is a few lines. Of one file the first ten are enough for the log;
// `--check` shows all. What a disabled service lacks is of level debug: many files are dropped in disabled,
// and nobody misses their programs.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "xsd/base/clock.h"
#include "xsd/config/diagnostic.h"

namespace xsd::manager {

class DiagnosticLog {
 public:
  static constexpr std::size_t kShownOfFile = 10;

  DiagnosticLog() = default;
  /// Borrows them until step() has said that it is done. Those of a file follow each other.
  explicit DiagnosticLog(std::span<const config::Diagnostic> diagnostics) : rest_(diagnostics) {}

  /// Goes on for about `budget`. True when all is written.
  bool step(const Clock& clock, Duration budget);

 private:
  std::span<const config::Diagnostic> rest_;
};

}  // namespace xsd::manager
