// SPDX-License-Identifier: Apache-2.0
#include "logd/syslog_parser.h"

#include <algorithm>
#include <array>
#include <optional>

namespace logd {
namespace {

constexpr std::size_t kLongestField = 255;  // RFC 5424: HOSTNAME; the others are shorter
constexpr unsigned kHighestPriority = 191;

bool is_digit(char byte) noexcept {
  return byte >= '0' && byte <= '9';
}

/// PRINTUSASCII of RFC 5424: no space, no control.
bool is_printable(char byte) noexcept {
  return byte > ' ' && byte < '\x7f';
}

bool take(std::string_view& text, std::string_view expected) noexcept {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

/// Whether `text` is like `pattern`: 'd' is a digit, everything else itself.
bool is_like(std::string_view text, std::string_view pattern) noexcept {
  if (text.size() < pattern.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == 'd' ? !is_digit(text[i]) : text[i] != pattern[i]) return false;
  }
  return true;
}

/// <PRI>: one to three digits without leading zeros.
std::optional<unsigned> take_priority(std::string_view& text) noexcept {
  std::string_view rest = text;
  if (!take(rest, "<")) return std::nullopt;
  const std::size_t digits = std::min(rest.find('>'), rest.size());
  if (digits == 0 || digits > 3 || digits == rest.size()) return std::nullopt;
  if (rest[0] == '0' && digits > 1) return std::nullopt;
  unsigned value = 0;
  for (const char byte : rest.substr(0, digits)) {
    if (!is_digit(byte)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(byte - '0');
  }
  if (value > kHighestPriority) return std::nullopt;
  text = rest.substr(digits + 1);
  return value;
}

/// A field of RFC 5424 with the space behind it; "-" becomes empty.
bool take_field(std::string_view& text, std::string_view& field) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_printable(text[length]))
    ++length;
  if (length == 0 || length > kLongestField || length == text.size() || text[length] != ' ') return false;
  field = text.substr(0, length);
  if (field == "-") field = {};
  text.remove_prefix(length + 1);
  return true;
}

/// SD-NAME: up to 32 printable characters without '=', ']' and '"'.
bool take_name(std::string_view& text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_printable(text[length]) &&
         std::string_view("=]\"").find(text[length]) == std::string_view::npos)
    ++length;
  if (length == 0 || length > 32) return false;
  text.remove_prefix(length);
  return true;
}

/// PARAM-VALUE with the quote behind it: in it '"', '\' and ']' are escaped by '\'.
bool take_value(std::string_view& text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
    if (text[i] == ']') return false;
    if (text[i] == '\\') ++i;  // RFC 5424 6.3.3: before any other character it is a '\' like any
  }
  return false;
}

bool take_element(std::string_view& text) noexcept {
  if (!take(text, "[") || !take_name(text)) return false;
  while (take(text, " ")) {
    if (!take_name(text) || !take(text, "=\"") || !take_value(text)) return false;
  }
  return take(text, "]");
}

bool take_structured_data(std::string_view& text, std::string_view& data) noexcept {
  if (take(text, "-")) return true;
  const std::string_view all = text;
  do {
    if (!take_element(text)) return false;
  } while (text.starts_with("["));
  data = all.substr(0, all.size() - text.size());
  return true;
}

/// Behind <PRI>1 and a space.
bool parse_5424(std::string_view text, SyslogRecord& record) noexcept {
  if (!take(text, "- ")) {
    const std::size_t time = rfc3339_length(text);
    if (time == 0) return false;
    text.remove_prefix(time);
    if (!take(text, " ")) return false;
  }
  if (!take_field(text, record.host) || !take_field(text, record.app) || !take_field(text, record.process) ||
      !take_field(text, record.message_id) || !take_structured_data(text, record.structured_data))
    return false;
  if (text.empty()) return true;
  if (!take(text, " ")) return false;
  (void)take(text, "\xEF\xBB\xBF");  // says that it is UTF-8
  record.message = text;
  return true;
}

/// "Nov 22 01:10:47" and its relatives: a day with one digit may be padded with a space, a zero or nothing.
std::size_t bsd_time_length(std::string_view text) noexcept {
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (std::find(kMonths.begin(), kMonths.end(), text.substr(0, 3)) == kMonths.end()) return 0;
  const std::string_view rest = text.substr(3);
  for (const std::string_view pattern : {" dd dd:dd:dd", "  d dd:dd:dd", " d dd:dd:dd"}) {
    if (is_like(rest, pattern)) return 3 + pattern.size();
  }
  return 0;
}

/// "su[123]: " or "su: ", with what follows left in `text`.
bool take_tag(std::string_view& text, SyslogRecord& record) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_printable(text[length]) && text[length] != ':' && text[length] != '[')
    ++length;
  if (length == 0 || length > kLongestField || length == text.size()) return false;
  std::string_view rest = text.substr(length);
  std::string_view process;
  if (take(rest, "[")) {
    const std::size_t end = rest.substr(0, kLongestField).find(']');
    if (end == std::string_view::npos) return false;
    process = rest.substr(0, end);
    if (!std::all_of(process.begin(), process.end(), is_printable)) return false;
    rest.remove_prefix(end + 1);
  }
  // An address (2001:db8::1) or a URL has no space there.
  if (!take(rest, ":") || (!rest.empty() && !take(rest, " "))) return false;
  record.app = text.substr(0, length);
  record.process = process;
  text = rest;
  return true;
}

/// Behind <PRI>.
void parse_3164(std::string_view text, SyslogRecord& record) noexcept {
  const std::size_t bsd = bsd_time_length(text);
  const std::size_t time = bsd != 0 ? bsd : rfc3339_length(text);
  if (time != 0 && text.substr(time).starts_with(' ')) {
    text.remove_prefix(time + 1);
    if (!take_tag(text, record)) {
      std::string_view rest = text;
      if (take_field(rest, record.host)) {
        text = rest;
        (void)take_tag(text, record);  // the message may have none
      }
    }
  } else {
    (void)take_tag(text, record);
  }
  record.message = text;
}

}  // namespace

std::size_t rfc3339_length(std::string_view text) noexcept {
  if (!is_like(text, "dddd-dd-ddTdd:dd:dd")) return 0;
  std::size_t length = 19;
  if (text.substr(length).starts_with('.')) {
    std::size_t digits = 0;
    while (length + 1 + digits < text.size() && is_digit(text[length + 1 + digits]))
      ++digits;
    if (digits == 0 || digits > 9) return 0;
    length += 1 + digits;
  }
  const std::string_view zone = text.substr(length);
  if (zone.starts_with('Z')) return length + 1;
  if (is_like(zone, "+dd:dd") || is_like(zone, "-dd:dd")) return length + 6;
  return 0;
}

SyslogRecord parse_syslog(std::string_view bytes) noexcept {
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r' || bytes.back() == '\0'))
    bytes.remove_suffix(1);
  SyslogRecord record;
  std::string_view text = bytes;
  if (const std::optional<unsigned> priority = take_priority(text)) {
    record.facility = static_cast<std::uint8_t>(*priority / 8);
    record.severity = static_cast<std::uint8_t>(*priority % 8);
    if (!take(text, "1 ")) {
      parse_3164(text, record);
      return record;
    }
    if (parse_5424(text, record)) return record;
    record = {};
  }
  record.malformed = true;
  record.message = bytes;
  return record;
}

}  // namespace logd
