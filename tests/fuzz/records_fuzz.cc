// SPDX-License-Identifier: Apache-2.0
//
// What others say, in a record: the input is the user that a client's machine told, the name of a peer's unix
// socket and the text of an error. Each record is one line, as text and as JSON, whatever they are, and
// nothing of them is lost or can be taken for something else.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/base/text.h"
#include "xsd/policy/access_log.h"

using namespace xsd;

namespace {

unsigned digit_of(char c) {
  const auto at = std::string_view("0123456789abcdef").find(c);
  XSD_ASSERT(at != std::string_view::npos);
  return static_cast<unsigned>(at);
}

/// What append_escaped made, back; `escapable` is what a backslash may stand before besides.
std::string plain_of(std::string_view escaped, std::string_view escapable) {
  std::string plain;
  while (!escaped.empty()) {
    const char c = escaped[0];
    escaped.remove_prefix(1);
    if (c != '\\') {
      plain += c;
      continue;
    }
    XSD_ASSERT(!escaped.empty());
    const char kind = escaped[0];
    escaped.remove_prefix(1);
    if (kind == 'x') {
      XSD_ASSERT(escaped.size() >= 2);
      plain += static_cast<char>(digit_of(escaped[0]) * 16 + digit_of(escaped[1]));
      escaped.remove_prefix(2);
    } else if (const auto control = std::string_view("nrt").find(kind); control != std::string_view::npos) {
      plain += "\n\r\t"[control];
    } else {
      XSD_ASSERT(escapable.find(kind) != std::string_view::npos);
      plain += kind;
    }
  }
  return plain;
}

/// The text at the start of `json`, which is taken off, is a JSON string.
void skip_json_string(std::string_view& json) {
  XSD_ASSERT(json.starts_with('"'));
  json.remove_prefix(1);
  while (!json.starts_with('"')) {
    XSD_ASSERT(!json.empty());
    if (!json.starts_with('\\')) {
      const std::size_t length = utf8_sequence_length(json);
      XSD_ASSERT(length > 0 && static_cast<unsigned char>(json[0]) >= ' ');
      json.remove_prefix(length);
      continue;
    }
    XSD_ASSERT(json.size() > 1 && std::string_view("\"\\/bfnrtu").find(json[1]) != std::string_view::npos);
    const std::size_t length = json[1] == 'u' ? 6 : 2;
    XSD_ASSERT(json.size() > length);
    for (const char c : json.substr(2, length - 2))
      (void)digit_of(c);
    json.remove_prefix(length);
  }
  json.remove_prefix(1);
}

/// {"key":value,...} and the end of the line, with values that are strings and numbers.
void check_json(std::string_view line) {
  XSD_ASSERT(line.starts_with('{') && line.ends_with("}\n"));
  line.remove_suffix(1);
  while (line != "}") {
    line.remove_prefix(1);  // { or a comma
    skip_json_string(line);
    XSD_ASSERT(line.starts_with(':'));
    line.remove_prefix(1);
    if (line.starts_with('"')) {
      skip_json_string(line);
    } else {
      const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
      XSD_ASSERT(digits > 0);
      line.remove_prefix(digits);
    }
    XSD_ASSERT(line.starts_with(',') || line == "}");
  }
}

/// Takes off a text between single quotes, of which one inside stands behind a backslash.
void skip_quoted(std::string_view& record) {
  std::size_t end = 1;
  while (end < record.size() && record[end] != '\'')
    end += record[end] == '\\' ? 2 : 1;
  XSD_ASSERT(end < record.size());
  record.remove_prefix(end + 1);
}

/// `echo: WORD key=value ...` and the end of the line, with values that are quoted or hold nothing that could
/// be mistaken.
void check_text(std::string_view record) {
  constexpr std::string_view kBegin = "echo: ";
  XSD_ASSERT(record.starts_with(kBegin) && record.ends_with('\n'));
  record.remove_suffix(1);
  XSD_ASSERT(is_plain(record));
  record.remove_prefix(std::min(record.find(' ', kBegin.size()), record.size()));
  while (!record.empty()) {
    const std::size_t equals = record.find('=');
    XSD_ASSERT(record.front() == ' ' && equals != std::string_view::npos && equals > 1);
    for (const char c : record.substr(1, equals - 1))
      XSD_ASSERT((c >= 'a' && c <= 'z') || c == '_');
    record.remove_prefix(equals + 1);
    if (record.starts_with('\'')) {
      skip_quoted(record);
    } else {
      record.remove_prefix(std::min(record.find_first_of(" ='\"\\"), record.size()));
    }
  }
}

void check_records(std::string_view text) {
  const auto to = net::SocketAddress::unix_path("/run/a");
  const std::optional from = net::SocketAddress::unix_path(text.substr(0, text.find('\0')));
  const policy::RecordSubject subject{
      .service = "echo", .connection = 0x7f3a, .from = from ? &*from : nullptr, .to = &*to, .user = text};
  const policy::RecordOutcome outcome{.error = text, .reason = policy::Reason::Timeout};
  constexpr unsigned kAll = ~0U;
  for (const bool json : {false, true}) {
    const policy::RecordStyle style{.json = json};
    std::string record;
    policy::append_start(record, style, kAll, subject);
    json ? check_json(record) : check_text(record);
    record.clear();
    policy::append_end(record, style, kAll, subject, outcome);
    json ? check_json(record) : check_text(record);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string escaped;
  append_escaped(escaped, text);
  XSD_ASSERT(is_plain(escaped) && plain_of(escaped, "\\") == text);
  XSD_ASSERT(!is_plain(text) || text.find('\\') != std::string_view::npos || escaped == text);

  const std::string shown = quoted(text, size);
  XSD_ASSERT(shown.size() >= 2 && shown.front() == '\'' && shown.back() == '\'');
  XSD_ASSERT(plain_of(std::string_view(shown).substr(1, shown.size() - 2), "\\'") == text);
  const std::string some = quoted(text, size / 2);
  XSD_ASSERT(is_plain(some) && some.size() <= 4 * (size / 2) + 5);

  check_records(text);
  return 0;
}
