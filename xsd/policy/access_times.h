// SPDX-License-Identifier: Apache-2.0
//
// AccessSchedule: `access_times` made ready to be asked: is a service open now, and when does that change? A
// window is about the clock on the wall as it is shown: where an hour comes twice, it is open (or not) twice,
// and where one is left out, what would be in it is not. A value; pure: time zone and time are passed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/base/time_zone.h"
#include "xsd/config/access_times.h"

namespace xsd::policy {

class AccessSchedule {
 public:
  /// Without any window it is never open.
  explicit AccessSchedule(std::span<const config::AccessWindow> windows);

  struct Answer {
    bool open = false;
    /// The first moment after now at which it is the other way round; nothing: never.
    std::optional<std::chrono::sys_seconds> until;
  };
  Answer ask(const TimeZone& zone, WallTime now) const noexcept;

 private:
  struct Place {
    bool open;
    std::chrono::seconds to_flip;  ///< from the moment asked about
  };
  /// Where there are flips.
  Place place_of(std::chrono::seconds local) const noexcept;

  bool open_at_first_ = false;        ///< before the first flip of the week, and after its last
  std::vector<std::uint16_t> flips_;  ///< minutes of the week, from Monday, at which open and closed change
};

}  // namespace xsd::policy
