// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/access_times.h"

#include <array>
#include <optional>

#include "xsd/base/number.h"
#include "xsd/base/text.h"

namespace xsd::config {
namespace {

constexpr std::array<std::string_view, kDaysOfWeek> kDayNames = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
constexpr std::size_t kShortName = 3;

std::string_view short_name(unsigned day) noexcept {
  return kDayNames[day].substr(0, kShortName);
}

Result<unsigned> parse_day(std::string_view text) {
  for (unsigned day = 0; day < kDaysOfWeek; ++day) {
    if (equals_ignoring_case(text, kDayNames[day]) || equals_ignoring_case(text, short_name(day))) return day;
  }
  if (text.empty()) return Error("a day is missing");
  return Error(quoted(text) + " is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun");
}

Result<std::uint8_t> parse_days(std::string_view text) {
  unsigned days = 0;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const auto dash = part.find('-');
    const auto first = parse_day(part.substr(0, dash));
    if (!first) return first.error();
    unsigned last = *first;
    if (dash != std::string_view::npos) {
      const auto day = parse_day(part.substr(dash + 1));
      if (!day) return day.error();
      last = *day;
      // It could be one day or all of them.
      if (last == *first) return Error(quoted(part) + " begins and ends on the same day");
    }
    for (unsigned day = *first;; day = (day + 1) % kDaysOfWeek) {
      days |= 1U << day;
      if (day == last) break;
    }
    if (comma == std::string_view::npos) return static_cast<std::uint8_t>(days);
    rest.remove_prefix(comma + 1);
  }
}

/// 0 to kMinutesOfDay.
Result<std::uint16_t> parse_time(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view hour_text = text.substr(0, colon);
  const std::string_view minute_text = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (!is_digits(hour_text) || hour_text.size() > 2 || !is_digits(minute_text) || minute_text.size() != 2)
    return Error(quoted(text) + " is no time: write it as 8:00 or 17:30");
  const auto value = [](std::string_view digits) {
    unsigned number = 0;
    for (const char digit : digits)
      number = number * 10 + static_cast<unsigned>(digit - '0');
    return number;
  };
  const unsigned minutes = value(hour_text) * 60 + value(minute_text);
  if (value(minute_text) > 59 || minutes > kMinutesOfDay)
    return Error(quoted(text) + " is no time: the day is from 0:00 to 24:00");
  return static_cast<std::uint16_t>(minutes);
}

std::string days_text(unsigned days) {
  std::string out;
  for (unsigned first = 0; first < kDaysOfWeek;) {
    unsigned after = first;
    while (after < kDaysOfWeek && (days >> after & 1U) != 0)
      ++after;
    if (after == first) {
      ++first;
      continue;
    }
    if (!out.empty()) out += ',';
    out += short_name(first);
    if (after - first > 1) out.append(after - first > 2 ? "-" : ",").append(short_name(after - 1));
    first = after;
  }
  return out;
}

void append_time(std::string& out, unsigned minutes) {
  const auto append_two = [&out](unsigned number) {
    out += static_cast<char>('0' + number / 10);
    out += static_cast<char>('0' + number % 10);
  };
  append_two(minutes / 60);
  out += ':';
  append_two(minutes % 60);
}

bool begins_with_digit(std::string_view text) noexcept {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

}  // namespace

Result<AccessWindow> parse_access_window(std::string_view text) {
  AccessWindow window;
  std::string_view times = text;
  if (text.empty()) return Error("the times are missing: write something like 8:00-18:00");
  if (!begins_with_digit(text)) {
    const auto blank = text.find(' ');
    const auto days = parse_days(text.substr(0, blank));
    if (!days) return days.error();
    window.days = *days;
    times = blank == std::string_view::npos ? std::string_view{} : trim(text.substr(blank));
    if (times.empty()) {
      return Error(quoted(text) + " has no times: for whole days write " +
                   quoted(std::string(text.substr(0, blank)) + " 0:00-24:00"));
    }
  }
  if (begins_with_digit(times) && times.find(' ') != std::string_view::npos)
    return Error(quoted(times) + " has a blank in it: write 8:00-18:00, and more than one as a list");
  const auto dash = times.find('-');
  if (dash == std::string_view::npos)
    return Error(quoted(times) + " is no window: write two times, as in 8:00-18:00");
  const auto begin = parse_time(times.substr(0, dash));
  if (!begin) return begin.error();
  const auto end = parse_time(times.substr(dash + 1));
  if (!end) return end.error();
  if (*begin == kMinutesOfDay) return Error("a window cannot begin at 24:00: write 0:00");
  // It could be one minute or a day.
  if (*begin == *end)
    return Error(quoted(times) + " begins and ends at the same minute: for the whole day write 0:00-24:00");
  window.begin = *begin;
  window.end = *end;
  return window;
}

std::string to_string(const AccessWindow& window) {
  std::string out;
  if (window.days != kEveryDay) out.append(days_text(window.days)).append(" ");
  append_time(out, window.begin);
  out += '-';
  append_time(out, window.end);
  return out;
}

}  // namespace xsd::config
