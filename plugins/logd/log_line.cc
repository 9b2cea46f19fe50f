// SPDX-License-Identifier: Apache-2.0
#include "logd/log_line.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace logd {
namespace {

constexpr std::array<std::string_view, 24> kFacilities{
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
constexpr std::array<std::string_view, 8> kSeverities{"emerg",   "alert",  "crit", "err",
                                                      "warning", "notice", "info", "debug"};

void append_hex(std::string& out, unsigned char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

/// How many bytes at the start of `text`, which does not begin with ASCII, may stand as they are: a
/// well-formed sequence of UTF-8 (RFC 3629) that is no control (C1), and none of the separators of lines and
/// marks of direction (U+2028-202E, U+2066-2069), with which a line can be shown as another one.
std::size_t harmless_sequence(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xC2 && at(1) < 0xA0) return 0;                                     // C1
  if (first == 0xE0 && at(1) < 0xA0) return 0;                                     // overlong
  if (first == 0xE2 && at(1) == 0x80 && at(2) >= 0xA8 && at(2) <= 0xAE) return 0;  // separators, marks
  if (first == 0xE2 && at(1) == 0x81 && at(2) >= 0xA6 && at(2) <= 0xA9) return 0;  // marks
  if (first == 0xED && at(1) > 0x9F) return 0;                                     // surrogates
  if (first == 0xF0 && at(1) < 0x90) return 0;                                     // overlong
  if (first == 0xF4 && at(1) > 0x8F) return 0;                                     // beyond Unicode
  return size;
}

/// A field of the line, which ends at a space.
void append_word(std::string& out, std::string_view text) {
  for (std::size_t space; (space = text.find(' ')) != std::string_view::npos; text.remove_prefix(space + 1)) {
    append_escaped(out, text.substr(0, space));
    append_hex(out, ' ');
  }
  append_escaped(out, text);
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] >= ' ' && text[plain] < '\x7f' && text[plain] != '\\')
      ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    if (byte == '\\') {
      out += "\\\\";
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte >= 0x80 && harmless_sequence(text) > 0) {
      length = harmless_sequence(text);
      out += text.substr(0, length);
    } else {
      append_hex(out, byte);
    }
    text.remove_prefix(length);
  }
}

void append_time(std::string& out, std::int64_t seconds, std::int32_t nanoseconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) parts = {};  // a year beyond int: there is none to be shown
  std::array<char, 80> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                                   parts.tm_min, parts.tm_sec, static_cast<int>(nanoseconds / 1000000));
  out.append(text.data(), static_cast<std::size_t>(length));
}

void append_line(std::string& out, std::string_view time, const SyslogRecord& record, std::string_view peer,
                 bool cut) {
  out += time;
  out += ' ';
  if (record.malformed) {
    out += "malformed";
  } else {
    out += kFacilities[record.facility];
    out += '.';
    out += kSeverities[record.severity];
  }
  out += ' ';
  if (!record.host.empty()) {
    append_word(out, record.host);
  } else if (!peer.empty()) {
    append_word(out, peer);
  } else {
    out += "localhost";
  }
  out += ' ';
  if (record.app.empty()) {
    out += '-';
  } else {
    append_word(out, record.app);
  }
  if (!record.process.empty()) {
    out += '[';
    append_word(out, record.process);
    out += ']';
  }
  if (!record.message_id.empty()) {
    out += '#';
    append_word(out, record.message_id);
  }
  for (const std::string_view part : {record.structured_data, record.message}) {
    if (part.empty()) continue;
    out += ' ';
    append_escaped(out, part);
  }
  if (cut) out += kCutMark;
  out += '\n';
}

}  // namespace logd
