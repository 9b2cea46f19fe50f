// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/access_times.h"

#include <algorithm>

namespace xsd::policy {
namespace {

using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr unsigned kMinutesOfWeek = config::kDaysOfWeek * config::kMinutesOfDay;
constexpr std::int64_t kSecondsOfWeek = std::int64_t{kMinutesOfWeek} * 60;
/// The first of January 1970 was a Thursday.
constexpr std::int64_t kMondayToEpoch = 3 * 86'400;
/// A zone has at most kMaxZoneChanges of its own, then two a year; a week between two of them holds a flip.
constexpr std::size_t kMostSteps = kMaxZoneChanges + 16;
/// No file of a time zone means what it says beyond that.
constexpr sys_seconds kLastMoment = sys_days(std::chrono::year(9999) / 12 / 31);

}  // namespace

AccessSchedule::AccessSchedule(std::span<const config::AccessWindow> windows) {
  // How many more windows are open from this minute on than before it.
  std::vector<int> changes(kMinutesOfWeek);
  int open = 0;  // windows from the week before
  for (const config::AccessWindow& window : windows) {
    for (unsigned day = 0; day < config::kDaysOfWeek; ++day) {
      if ((window.days >> day & 1U) == 0) continue;
      const unsigned begin = day * config::kMinutesOfDay + window.begin;
      const unsigned end = begin + window.length();
      ++changes[begin];
      --changes[end % kMinutesOfWeek];
      if (end >= kMinutesOfWeek) ++open;
    }
  }
  // A window that ends with the week was counted as open, and is closed again by the first minute.
  open_at_first_ = open + changes[0] > 0;
  bool before = open_at_first_;
  for (unsigned minute = 0; minute < kMinutesOfWeek; ++minute) {
    open += changes[minute];
    if ((open > 0) != before) flips_.push_back(static_cast<std::uint16_t>(minute));
    before = open > 0;
  }
  // What is so at the end of the week and otherwise at its beginning changes there.
  if (before != open_at_first_) {
    flips_.insert(flips_.begin(), std::uint16_t{0});
    open_at_first_ = before;
  }
}

AccessSchedule::Place AccessSchedule::place_of(seconds local) const noexcept {
  std::int64_t second = (local.count() + kMondayToEpoch) % kSecondsOfWeek;
  if (second < 0) second += kSecondsOfWeek;
  const auto next = std::upper_bound(flips_.begin(), flips_.end(), second / 60);
  const std::int64_t flip =
      (next == flips_.end() ? flips_.front() + kMinutesOfWeek : *next) * std::int64_t{60};
  const bool passed_odd = (next - flips_.begin()) % 2 != 0;
  return {open_at_first_ != passed_odd, seconds(flip - second)};
}

AccessSchedule::Answer AccessSchedule::ask(const TimeZone& zone, WallTime now) const noexcept {
  if (flips_.empty()) return {open_at_first_, std::nullopt};
  sys_seconds from = std::chrono::floor<seconds>(now);
  ZoneOffset here = zone.at(from);
  Place place = place_of(from.time_since_epoch() + here.offset);
  const bool open = place.open;
  for (std::size_t step = 0; step < kMostSteps; ++step) {
    const sys_seconds flip = from + place.to_flip;
    if (!here.until || flip < *here.until) return {open, flip};
    if (*here.until > kLastMoment) break;
    // The clock on the wall jumps before that.
    from = *here.until;
    here = zone.at(from);
    place = place_of(from.time_since_epoch() + here.offset);
    if (place.open != open) return {open, from};
  }
  return {open, std::nullopt};
}

}  // namespace xsd::policy
