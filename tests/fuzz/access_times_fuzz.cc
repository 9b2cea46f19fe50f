// SPDX-License-Identifier: Apache-2.0
//
// `access_times`: lines of windows. What is accepted can be written and reads back to the same; what is not
// has a message on one line. Then all of them together are asked about moments that the input chooses, in a
// zone where clocks are set, and must say what a look at every window says, up to the change that they name.
#include <cstdint>
#include <string_view>
#include <vector>

#include "xsd/base/assert.h"
#include "xsd/config/access_times.h"
#include "xsd/policy/access_times.h"

using namespace xsd;
using std::chrono::days;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_seconds;

namespace {

bool is_open(const std::vector<config::AccessWindow>& windows, const TimeZone& zone, sys_seconds moment) {
  const sys_seconds local = moment + zone.at(moment).offset;
  const auto day = std::chrono::floor<days>(local);
  const auto minute = static_cast<unsigned>((local - day) / minutes(1));
  const unsigned today = std::chrono::weekday(day).iso_encoding() - 1;
  const unsigned yesterday = (today + 6) % 7;
  for (const config::AccessWindow& window : windows) {
    const bool over_midnight = window.end < window.begin;
    if ((window.days >> today & 1U) != 0 && minute >= window.begin && (over_midnight || minute <= window.end))
      return true;
    if ((window.days >> yesterday & 1U) != 0 && over_midnight && minute <= window.end) return true;
  }
  return false;
}

void check(const std::vector<config::AccessWindow>& windows, const policy::AccessSchedule& schedule,
           const TimeZone& zone, sys_seconds from) {
  const auto answer = schedule.ask(zone, from);
  XSD_ASSERT(answer.open == is_open(windows, zone, from));
  // Every minute would be too many; a step that has no divisor with an hour finds each place in the end.
  const sys_seconds until = answer.until.value_or(from + days(8));
  XSD_ASSERT(until > from);
  for (sys_seconds moment = from; moment < until && moment < from + days(8); moment += minutes(431))
    XSD_ASSERT(is_open(windows, zone, moment) == answer.open);
  XSD_ASSERT(is_open(windows, zone, until - seconds(1)) == answer.open);
  if (answer.until) XSD_ASSERT(is_open(windows, zone, until) != answer.open);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TimeZone kZone = TimeZone::from_rule("CET-1CEST,M3.5.0,M10.5.0/3").value();
  std::vector<config::AccessWindow> windows;
  std::uint32_t hash = 2166136261U;
  for (std::string_view rest(reinterpret_cast<const char*>(data), size); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    for (const char c : line)
      hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    const auto window = config::parse_access_window(line);
    if (!window) {
      XSD_ASSERT(!window.error().text().empty());
      XSD_ASSERT(window.error().text().find('\n') == std::string::npos);
      continue;
    }
    const auto again = config::parse_access_window(to_string(*window));
    XSD_ASSERT(again.has_value());
    XSD_ASSERT(*again == *window);
    if (windows.size() < 16) windows.push_back(*window);
  }
  const policy::AccessSchedule schedule(windows);
  check(windows, schedule, kZone, sys_seconds(seconds(hash)));
  // In the nights in which clocks are set, 2026.
  check(windows, schedule, kZone, sys_seconds(seconds(1'774'738'800 + hash % 21'600)));
  check(windows, schedule, kZone, sys_seconds(seconds(1'792'879'200 + hash % 21'600)));
  return 0;
}
