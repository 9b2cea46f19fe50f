// SPDX-License-Identifier: Apache-2.0
//
// Diagnostic: one thing wrong with the configuration, with its place. All that are found are reported, in
// file order.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/definitions.h"

namespace xsd::config {

enum class Severity : std::uint8_t {
  Error,
  Warning,
  Note,  ///< nothing is wrong: of files of another program, what is different here
};

struct Diagnostic {
  Severity severity = Severity::Error;
  std::string file;
  Position where;            ///< {0,0}: the file as a whole
  std::string message;       ///< lower case, no full stop; text from outside is quoted already
  std::string source_line;   ///< the line at `where`, without its end; empty if there is none to show
  bool of_disabled = false;  ///< what a service would lack that does not run: for --check, hardly for a log
};

/// FILE:LINE:COL: error: TEXT, then the line and a caret below the column (tabs kept, so that the caret
/// stands right), each ended by a newline. Controls in the source line are shown as '?', a long line is cut
/// around the column to 160 bytes. Without a place: "FILE: error: TEXT".
std::string format_diagnostic(const Diagnostic& diagnostic);

/// {"file":...,"line":N,"column":N,"severity":"error","message":...} and a newline.
std::string format_diagnostic_json(const Diagnostic& diagnostic);

/// "FILE:LINE:COL: TEXT", for a status line.
std::string one_line(const Diagnostic& diagnostic);

/// Collects the diagnostics of one file.
class DiagnosticSink {
 public:
  enum class Extent : std::uint8_t {
    Bounded,  ///< of each severity the first hundred, with their source lines
    All,      ///< for a report that leaves nothing out; no source lines, which take time to find
  };

  /// `text` is the content of `file`, for the source lines; both are borrowed.
  DiagnosticSink(std::string_view file, std::string_view text, Extent extent = Extent::Bounded)
      : file_(file), text_(text), extent_(extent) {}
  void error(Position where, std::string message) { add(Severity::Error, where, std::move(message)); }
  void warning(Position where, std::string message) { add(Severity::Warning, where, std::move(message)); }
  void note(Position where, std::string message) { add(Severity::Note, where, std::move(message)); }
  void add(Severity severity, Position where, std::string message);
  bool has_errors() const noexcept { return error_count() > 0; }
  std::size_t error_count() const noexcept { return counts_[static_cast<std::size_t>(Severity::Error)]; }
  /// Further errors are counted but not kept: their texts need not be thought up.
  bool is_full() const noexcept;
  const std::vector<Diagnostic>& all() const noexcept { return diagnostics_; }
  std::vector<Diagnostic> take() { return std::move(diagnostics_); }

 private:
  std::string_view file_;
  std::string_view text_;
  Extent extent_;
  std::vector<Diagnostic> diagnostics_;
  std::array<std::size_t, 3> counts_{};  ///< of each severity, those that are not kept too
};

}  // namespace xsd::config
