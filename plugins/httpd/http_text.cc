// SPDX-License-Identifier: Apache-2.0
#include "http_text.h"

#include <chrono>
#include <limits>

namespace httpd {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::int64_t kSecondsADay = 86400;

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Reads a date from the front of a text; once something was not there, nothing is any more.
class DateReader {
 public:
  explicit DateReader(std::string_view text) noexcept : rest_(text) {}

  void word(std::string_view expected) noexcept {
    if (rest_.substr(0, expected.size()) != expected) return fail();
    rest_.remove_prefix(expected.size());
  }
  /// The day of the week, in either length, says nothing that the rest does not.
  void skip_letters() noexcept {
    if (rest_.empty() || !is_letter(rest_.front())) return fail();
    while (!rest_.empty() && is_letter(rest_.front()))
      rest_.remove_prefix(1);
  }
  int number(std::size_t digits, bool may_be_padded = false) noexcept {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = i < rest_.size() ? rest_[i] : '\0';
      const bool padding = may_be_padded && i == 0 && c == ' ';
      if (!is_digit(c) && !padding) {
        fail();
        return 0;
      }
      value = value * 10 + (padding ? 0 : c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  unsigned month() noexcept {
    for (unsigned i = 0; i < std::size(kMonths); ++i) {
      if (rest_.substr(0, 3) != kMonths[i]) continue;
      rest_.remove_prefix(3);
      return i + 1;
    }
    fail();
    return 1;
  }
  void time() noexcept {
    hour = number(2);
    word(":");
    minute = number(2);
    word(":");
    second = number(2);
  }
  bool at_end() const noexcept { return ok_ && rest_.empty(); }
  char front() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }

  int hour = 0;
  int minute = 0;
  int second = 0;

 private:
  static bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }
  void fail() noexcept {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

int year_of(std::int64_t seconds) noexcept {
  const std::chrono::year_month_day date{sys_days(days(seconds / kSecondsADay))};
  return static_cast<int>(date.year());
}

void append_two(std::string& out, std::int64_t number) {
  out += static_cast<char>('0' + number / 10 % 10);
  out += static_cast<char>('0' + number % 10);
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool next_element(std::string_view& list, std::string_view& element) noexcept {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    element = trimmed(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!element.empty()) return true;
  }
  return false;
}

std::optional<std::uint64_t> parse_digits(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMost - digit) / 10 ? kMost : value * 10 + digit;
  }
  return value;
}

std::string http_date(std::int64_t seconds) {
  // Years of four digits, whatever a file says of its age.
  constexpr std::int64_t kFirst = -62135596800;  // 0001-01-01
  constexpr std::int64_t kLast = 253402300799;   // 9999-12-31
  seconds = seconds < kFirst ? kFirst : seconds > kLast ? kLast : seconds;
  std::int64_t day_number = seconds / kSecondsADay;
  if (seconds % kSecondsADay < 0) --day_number;
  const std::int64_t of_day = seconds - day_number * kSecondsADay;
  const sys_days day{days(day_number)};
  const std::chrono::year_month_day date(day);
  const int year = static_cast<int>(date.year());

  std::string out;
  out.reserve(29);
  out += kDays[std::chrono::weekday(day).c_encoding()];
  out += ", ";
  append_two(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += kMonths[static_cast<unsigned>(date.month()) - 1];
  out += ' ';
  append_two(out, year / 100);
  append_two(out, year % 100);
  out += ' ';
  append_two(out, of_day / 3600);
  out += ':';
  append_two(out, of_day / 60 % 60);
  out += ':';
  append_two(out, of_day % 60);
  out += " GMT";
  return out;
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now) noexcept {
  DateReader reader(text);
  reader.skip_letters();
  int year = 0;
  int day = 0;
  unsigned month = 0;
  if (reader.front() == ',') {
    reader.word(", ");
    day = reader.number(2);
    const bool two_digits = reader.front() == '-';  // "Sunday, 06-Nov-94 08:49:37 GMT"
    reader.word(two_digits ? "-" : " ");
    month = reader.month();
    reader.word(two_digits ? "-" : " ");
    if (two_digits) {
      const int this_year = year_of(now);
      year = this_year / 100 * 100 + reader.number(2);
      if (year > this_year + 50) year -= 100;
    } else {
      year = reader.number(4);
    }
    reader.word(" ");
    reader.time();
    reader.word(" GMT");
  } else {  // "Sun Nov  6 08:49:37 1994"
    reader.word(" ");
    month = reader.month();
    reader.word(" ");
    day = reader.number(2, true);
    reader.word(" ");
    reader.time();
    reader.word(" ");
    year = reader.number(4);
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!reader.at_end() || !date.ok() || reader.hour > 23 || reader.minute > 59 || reader.second > 60)
    return std::nullopt;
  return sys_days(date).time_since_epoch().count() * kSecondsADay + reader.hour * 3600 + reader.minute * 60 +
         reader.second;
}

std::string_view phrase_of(unsigned status) noexcept {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace httpd
