// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/zone_rule.h"

#include <algorithm>
#include <array>

namespace xsd {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

// Where the calendar of <chrono> can still be counted with.
constexpr year kFirstYear{-9999};
constexpr year kLastYear{9999};

// POSIX has hours up to 24; RFC 8536 lets the time of a change be a week before or after its day.
constexpr unsigned kOffsetHours = 24;
constexpr unsigned kTimeHours = 167;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

/// Reads from the front of what is left; each function is false where its part is not there or out of range.
class ZoneRule::Parser {
 public:
  explicit Parser(std::string_view text) noexcept : rest_(text) {}

  bool at_end() const noexcept { return rest_.empty(); }
  bool is_next(char c) const noexcept { return rest_.starts_with(c); }
  bool skip(char c) noexcept {
    if (!is_next(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool read_name() noexcept {
    const bool bracketed = skip('<');
    std::size_t length = 0;
    while (length < rest_.size() &&
           (is_letter(rest_[length]) || (bracketed && is_of_bracketed(rest_[length]))))
      ++length;
    rest_.remove_prefix(length);
    return length >= 3 && (!bracketed || skip('>'));
  }

  bool read_time(unsigned most_hours, seconds& out) noexcept {
    const bool negative = is_next('-');
    if (is_next('-') || is_next('+')) rest_.remove_prefix(1);
    unsigned h = 0;
    unsigned m = 0;
    unsigned s = 0;
    if (!read_number(0, most_hours, h)) return false;
    if (skip(':')) {
      if (!read_number(0, 59, m)) return false;
      if (skip(':') && !read_number(0, 59, s)) return false;
    }
    out = hours(h) + minutes(m) + seconds(s);
    if (negative) out = -out;
    return true;
  }

  bool read_date(Date& out) noexcept {
    unsigned value = 0;
    if (skip('M')) {
      out.form = Date::Form::Month;
      if (!read_number(1, 12, value)) return false;
      out.month = static_cast<std::uint8_t>(value);
      if (!skip('.') || !read_number(1, 5, value)) return false;
      out.week = static_cast<std::uint8_t>(value);
      if (!skip('.') || !read_number(0, 6, value)) return false;
      out.weekday = static_cast<std::uint8_t>(value);
    } else {
      out.form = skip('J') ? Date::Form::Julian : Date::Form::Numbered;
      if (!read_number(out.form == Date::Form::Julian ? 1 : 0, 365, value)) return false;
      out.day = static_cast<std::uint16_t>(value);
    }
    return !skip('/') || read_time(kTimeHours, out.time);
  }

 private:
  static bool is_of_bracketed(char c) noexcept { return is_digit(c) || c == '+' || c == '-'; }

  bool read_number(unsigned lowest, unsigned highest, unsigned& out) noexcept {
    std::size_t length = 0;
    out = 0;
    while (length < rest_.size() && length < 3 && is_digit(rest_[length]))
      out = out * 10 + static_cast<unsigned>(rest_[length++] - '0');
    rest_.remove_prefix(length);
    return length > 0 && out >= lowest && out <= highest;
  }

  std::string_view rest_;
};

std::optional<ZoneRule> ZoneRule::parse(std::string_view text) noexcept {
  Parser parser(text);
  ZoneRule rule;
  // POSIX counts what is to be added to local time; we count what is ahead of UTC.
  seconds west{};
  if (!parser.read_name() || !parser.read_time(kOffsetHours, west)) return std::nullopt;
  rule.standard_ = -west;
  if (parser.at_end()) return rule;

  Daylight daylight;
  if (!parser.read_name()) return std::nullopt;
  daylight.offset = rule.standard_ + hours(1);
  if (!parser.at_end() && !parser.is_next(',')) {
    if (!parser.read_time(kOffsetHours, west)) return std::nullopt;
    daylight.offset = -west;
  }
  if (parser.at_end()) {
    daylight.begin = {.month = 3, .week = 2};
    daylight.end = {.month = 11, .week = 1};
  } else if (!parser.skip(',') || !parser.read_date(daylight.begin) || !parser.skip(',') ||
             !parser.read_date(daylight.end) || !parser.at_end()) {
    return std::nullopt;
  }
  rule.daylight_ = daylight;
  return rule;
}

sys_seconds ZoneRule::Date::in(year y) const noexcept {
  sys_days date = y / std::chrono::January / 1;
  if (form == Form::Numbered) {
    date += days(day);
  } else if (form == Form::Julian) {
    constexpr unsigned kFirstOfMarch = 60;
    date += days(day - 1 + (y.is_leap() && day >= kFirstOfMarch ? 1 : 0));
  } else {
    const std::chrono::year_month of = y / std::chrono::month(month);
    const std::chrono::weekday on(weekday);
    date = week == 5 ? sys_days(of / on[std::chrono::last]) : sys_days(of / on[week]);
  }
  return date + time;
}

ZoneOffset ZoneRule::at(sys_seconds moment) const noexcept {
  if (!daylight_) return {standard_, std::nullopt};
  const sys_seconds clamped = std::clamp(moment, sys_seconds(sys_days(kFirstYear / std::chrono::January / 1)),
                                         sys_seconds(sys_days(kLastYear / std::chrono::December / 31)));
  const year this_year = std::chrono::year_month_day(std::chrono::floor<days>(clamped)).year();

  // A change may lie two weeks outside its year, so that two years on either side hold the change before and
  // the change after; the last one of all is not looked at, since what comes at the same moment is missing.
  // Of changes at the same moment the one of the later year counts (RFC 8536: daylight time all year ends
  // when it begins anew).
  struct Change {
    sys_seconds at;
    seconds offset;
  };
  std::array<Change, 12> changes;
  std::size_t count = 0;
  const auto add = [&](Change change) {
    std::size_t place = count++;
    for (; place > 0 && changes[place - 1].at > change.at; --place)
      changes[place] = changes[place - 1];
    changes[place] = change;
  };
  for (int distance = -2; distance <= 3; ++distance) {
    const year y = this_year + std::chrono::years(distance);
    add({daylight_->begin.in(y)-standard_, daylight_->offset});
    add({daylight_->end.in(y)-daylight_->offset, standard_});
  }

  ZoneOffset answer{standard_, std::nullopt};
  std::size_t next = 0;
  for (; next < count && changes[next].at <= clamped; ++next)
    answer.offset = changes[next].offset;
  if (clamped != moment) return answer;
  for (; next + 1 < count; ++next) {
    if (changes[next + 1].at == changes[next].at || changes[next].offset == answer.offset) continue;
    answer.until = changes[next].at;
    break;
  }
  return answer;
}

}  // namespace xsd
