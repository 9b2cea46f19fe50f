// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/access_log.h"

#include <algorithm>
#include <charconv>

#include "xsd/base/text.h"

namespace xsd::policy {
namespace {

template <class Number>
void append_number(std::string& out, Number number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

bool is_known(const net::SocketAddress* address) noexcept {
  return address != nullptr && address->family() != AF_UNSPEC;
}

std::int64_t milliseconds(Duration duration) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

bool is_plain(char c) noexcept {
  constexpr std::string_view kMarks = "/._@:-";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

// One line under construction; both forms of a record share their shape: head, subject, own keys, end of
// line.
class Line {
 public:
  Line(std::string& out, const RecordStyle& style, std::string_view event, const RecordSubject& subject)
      : out_(out), json_(style.json) {
    if (json_) {
      out_ += "{\"ts\":\"";
      append_rfc3339(out_, style.now);
      out_ += "\",\"event\":\"";
      out_ += event;
      out_ += "\",\"service\":";
      append_json_string(out_, subject.service);
    } else {
      if (style.prefix != nullptr) style.prefix(out_, style.now);
      append_escaped(out_, subject.service);
      out_ += ": ";
      out_ += event;
    }
    word("conn", ConnectionId(subject.connection).text());
  }

  // `value` is known to need no escaping.
  void word(std::string_view key, std::string_view value) {
    begin(key);
    if (json_) out_ += '"';
    out_ += value;
    if (json_) out_ += '"';
  }
  template <class Number>
  void number(std::string_view key, Number value) {
    begin(key);
    append_number(out_, value);
  }
  void text(std::string_view key, std::string_view value) {
    begin(key);
    if (json_) {
      append_json_string(out_, value);
    } else {
      out_ += quoted(value, 1000);
    }
  }
  void address(std::string_view key, const net::SocketAddress* address) {
    if (!is_known(address)) return;
    if (address->is_ip()) {
      char digits[64];
      word(key, {digits, net::format_address(*address, digits)});
      return;
    }
    // A unix peer chooses its name: blanks and equals signs in it would make keys of their own.
    const std::string name = address->to_string();
    if (json_ || !std::all_of(name.begin(), name.end(), is_plain)) return text(key, name);
    word(key, name);
  }
  void finish() { out_ += json_ ? "}\n" : "\n"; }

 private:
  void begin(std::string_view key) {
    if (json_) {
      out_ += ",\"";
      out_ += key;
      out_ += "\":";
    } else {
      out_ += ' ';
      out_ += key;
      out_ += '=';
    }
  }

  std::string& out_;
  bool json_;
};

// In JSON every key that applies; in text those that were asked for.
void append_subject(Line& line, const RecordStyle& style, unsigned fields, const RecordSubject& subject) {
  if (subject.pid > 0 && (style.json || (fields & config::kLogPid) != 0)) line.number("pid", subject.pid);
  if (style.json || (fields & config::kLogHost) != 0) line.address("from", subject.from);
  if (style.json) line.address("to", subject.to);
  if (!subject.user.empty() && (style.json || (fields & config::kLogUserId) != 0))
    line.text("user", subject.user);
}

}  // namespace

ConnectionId::ConnectionId(std::uint64_t number) noexcept {
  length_ = static_cast<std::uint8_t>(std::to_chars(text_, text_ + sizeof text_, number, 16).ptr - text_);
}

void append_start(std::string& out, const RecordStyle& style, unsigned fields, const RecordSubject& subject) {
  if ((fields & (config::kLogPid | config::kLogHost | config::kLogUserId)) == 0) return;
  Line line(out, style, "start", subject);
  append_subject(line, style, fields, subject);
  line.finish();
}

void append_end(std::string& out, const RecordStyle& style, unsigned fields, const RecordSubject& subject,
                const RecordOutcome& outcome) {
  const unsigned wanted = config::kLogExit | config::kLogDuration | config::kLogTraffic | config::kLogUsage;
  if (outcome.error.empty() ? (fields & wanted) == 0 : fields == 0) return;
  Line line(out, style, "end", subject);
  append_subject(line, style, fields, subject);
  if (!outcome.error.empty()) line.text("error", outcome.error);
  if (style.json || (fields & config::kLogExit) != 0) {
    if (outcome.exit) line.number("exit", *outcome.exit);
    if (outcome.signal) line.number("signal", *outcome.signal);
    if (outcome.reason) line.word("reason", reason_word(*outcome.reason));
    if (outcome.for_memory) line.word("cause", "memory");
  }
  if (style.json || (fields & config::kLogDuration) != 0)
    line.number("duration_ms", milliseconds(outcome.duration));
  if (outcome.counted && (style.json || (fields & config::kLogTraffic) != 0)) {
    line.number("bytes_in", outcome.bytes_in);
    line.number("bytes_out", outcome.bytes_out);
  }
  if (outcome.cpu && (style.json || (fields & config::kLogUsage) != 0)) {
    line.number("cpu_ms", milliseconds(*outcome.cpu));
    if (outcome.peak_kib > 0) line.number("peak_kib", outcome.peak_kib);
  }
  line.finish();
}

void append_refuse(std::string& out, const RecordStyle& style, unsigned fields, const RecordSubject& subject,
                   Reason reason) {
  if (fields == 0) return;
  Line line(out, style, "refuse", subject);
  append_subject(line, style, fields, subject);
  line.word("reason", reason_word(reason));
  line.finish();
}

}  // namespace xsd::policy
