// SPDX-License-Identifier: Apache-2.0
//
// AccessWindow: one entry of `access_times`, a value, and its written form:
//
//   [DAYS] H:MM-H:MM       8:00-18:00   Mon-Fri 08:00-18:00   Sat,Sun 10:00-12:00   22:00-06:00
//
// Both ends are in it to the minute, as with xinetd: 18:00:59 is before the end of 8:00-18:00. 24:00 as the
// end is midnight itself, so that 0:00-24:00 is the day and no minute more. A window whose end is before its
// beginning goes over midnight and belongs to the day on which it begins. DAYS is a list of days and ranges,
// `Fri-Mon` included; names have three letters or all, in any case. Without DAYS it is every day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/result.h"

namespace xsd::config {

inline constexpr unsigned kMinutesOfDay = 24 * 60;
inline constexpr unsigned kDaysOfWeek = 7;
inline constexpr std::uint8_t kEveryDay = (1U << kDaysOfWeek) - 1;

struct AccessWindow {
  std::uint8_t days = kEveryDay;  ///< a set; bit 0 is Monday
  std::uint16_t begin = 0;        ///< minute of the day, below kMinutesOfDay
  std::uint16_t end = 0;          ///< the last minute that is in, or kMinutesOfDay; never equal to `begin`

  /// How many minutes it is open; at most a day.
  unsigned length() const noexcept {
    const unsigned after = end == kMinutesOfDay ? end : end + 1U;
    return after > begin ? after - begin : after + kMinutesOfDay - begin;
  }
  friend bool operator==(const AccessWindow&, const AccessWindow&) = default;
};

/// The error is the whole message and names what is wrong.
Result<AccessWindow> parse_access_window(std::string_view text);

/// The text that parse_access_window reads back to the same.
std::string to_string(const AccessWindow& window);

}  // namespace xsd::config
