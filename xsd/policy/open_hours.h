// SPDX-License-Identifier: Apache-2.0
//
// OpenHours: an AccessSchedule in its time zone that is asked for every client. An answer holds from the
// moment that was asked about until the schedule changes, so as a rule a question costs a comparison; a clock
// on the wall that was set in between is followed, since what it shows then is outside of that. Pure: the
// time is passed in.
#pragma once

#include <utility>

#include "xsd/policy/access_times.h"

namespace xsd::policy {

class OpenHours {
 public:
  OpenHours(AccessSchedule schedule, TimeZone zone)
      : schedule_(std::move(schedule)), zone_(std::move(zone)) {}

  bool is_open(WallTime now) noexcept {
    if (now < asked_ || now >= until_) ask(now);
    return open_;
  }
  /// How long it stays as it is, if nobody sets the clock.
  Duration time_left(WallTime now) noexcept {
    (void)is_open(now);
    return until_ - now;
  }

 private:
  void ask(WallTime now) noexcept {
    const AccessSchedule::Answer answer = schedule_.ask(zone_, now);
    // WallTime has room for some 290 years; a change later than that is as good as none.
    constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(WallTime::max());
    open_ = answer.open;
    asked_ = now;
    until_ = answer.until && *answer.until < kLast ? WallTime(*answer.until) : WallTime::max();
  }

  AccessSchedule schedule_;
  TimeZone zone_;
  bool open_ = false;
  WallTime asked_ = WallTime::max();  ///< not asked yet
  WallTime until_{};
};

}  // namespace xsd::policy
