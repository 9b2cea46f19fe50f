// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/diagnostic.h"

#include <algorithm>

#include "xsd/base/text.h"

namespace xsd::config {
namespace {

constexpr std::size_t kShownBytes = 160;
constexpr std::string_view kCut = "...";

// What one file may cost us in memory, however wrong it is.
constexpr std::size_t kMaxOfEach = 100;
constexpr std::size_t kMaxLineOffset = 4096;

constexpr std::string_view severity_word(Severity severity) noexcept {
  return severity == Severity::Error ? "error" : severity == Severity::Warning ? "warning" : "note";
}

/// The bytes of `line` in front of its character number `column` (from 1).
std::size_t bytes_before(std::string_view line, std::uint32_t column) noexcept {
  std::size_t offset = 0;
  for (std::uint32_t i = 1; i < column && offset < line.size(); ++i) {
    offset += std::max<std::size_t>(utf8_sequence_length(line.substr(offset)), 1);
  }
  return offset;
}

bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// The character at the start of `text` as it may go to a terminal: itself, or '?' if it is a control or no
/// character at all. append_escaped() knows which those are: it changes them, and the backslash.
std::string_view shown(std::string_view text, std::size_t& length) {
  length = std::max<std::size_t>(utf8_sequence_length(text), 1);
  const std::string_view character = text.substr(0, length);
  if (length == 1 && text.front() >= ' ' && text.front() < '\x7F') return character;
  if (text.front() == '\t') return character;
  std::string escaped;
  append_escaped(escaped, character);
  return escaped == character ? character : "?";
}

/// Line `number` (from 1) of `text` without its end.
std::string_view line_of(std::string_view text, std::uint32_t number) noexcept {
  skip_byte_order_mark(text);
  for (std::uint32_t i = 1; i < number; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string format_diagnostic(const Diagnostic& diagnostic) {
  std::string out;
  append_escaped(out, diagnostic.file);
  if (diagnostic.where.line > 0) {
    out += ':' + std::to_string(diagnostic.where.line);
    if (diagnostic.where.column > 0) out += ':' + std::to_string(diagnostic.where.column);
  }
  out += ": ";
  out += severity_word(diagnostic.severity);
  out += ": " + diagnostic.message + '\n';

  const std::string_view line = diagnostic.source_line;
  if (diagnostic.where.line == 0 || line.empty()) return out;

  // Of a long line the part around the column: the marks of the cuts count as well.
  std::size_t target = bytes_before(line, diagnostic.where.column);
  std::size_t begin = 0;
  std::size_t end = line.size();
  if (line.size() > kShownBytes) {
    const std::size_t room = kShownBytes - 2 * kCut.size();
    begin = target > room / 2 ? target - room / 2 : 0;
    end = begin + room;
    if (end >= line.size()) {
      end = line.size();
      begin = end - room;
    }
    while (begin < target && is_continuation(line[begin]))
      ++begin;
    while (end > begin && end < line.size() && is_continuation(line[end]))
      --end;
  }
  std::string caret;
  if (begin > 0) {
    out += kCut;
    caret.append(kCut.size(), ' ');
  }
  for (std::size_t at = begin, length = 0; at < end; at += length) {
    const std::string_view character = shown(line.substr(at, end - at), length);
    out += character;
    if (at < target) caret += character == "\t" ? '\t' : ' ';
  }
  if (end < line.size()) out += kCut;
  out += '\n';
  if (diagnostic.where.column > 0) out += caret + "^\n";
  return out;
}

std::string format_diagnostic_json(const Diagnostic& diagnostic) {
  std::string out = "{\"file\":";
  append_json_string(out, diagnostic.file);
  out += ",\"line\":" + std::to_string(diagnostic.where.line);
  out += ",\"column\":" + std::to_string(diagnostic.where.column);
  out += ",\"severity\":";
  append_json_string(out, severity_word(diagnostic.severity));
  out += ",\"message\":";
  append_json_string(out, diagnostic.message);
  out += "}\n";
  return out;
}

std::string one_line(const Diagnostic& diagnostic) {
  std::string out;
  append_escaped(out, diagnostic.file);
  if (diagnostic.where.line > 0) {
    out += ":" + std::to_string(diagnostic.where.line) + ":" + std::to_string(diagnostic.where.column);
  }
  return out + ": " + diagnostic.message;
}

bool DiagnosticSink::is_full() const noexcept {
  return extent_ == Extent::Bounded && error_count() > kMaxOfEach;
}

void DiagnosticSink::add(Severity severity, Position where, std::string message) {
  const std::size_t count = counts_[static_cast<std::size_t>(severity)]++;
  if (extent_ == Extent::All) {
    diagnostics_.push_back({severity, std::string(file_), where, std::move(message), {}});
    return;
  }
  if (count > kMaxOfEach) return;
  if (count == kMaxOfEach) {
    where = {};
    message = "too many " + std::string(severity_word(severity)) + "s; the others are not shown";
  }
  Diagnostic diagnostic{severity, std::string(file_), where, std::move(message), {}};
  if (where.line > 0) {
    const std::string_view line = line_of(text_, where.line);
    const std::size_t target = bytes_before(line.substr(0, kMaxLineOffset + 1), where.column);
    if (target <= kMaxLineOffset) diagnostic.source_line = line.substr(0, target + kShownBytes + 1);
  }
  diagnostics_.push_back(std::move(diagnostic));
}

}  // namespace xsd::config
