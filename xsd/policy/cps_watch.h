// SPDX-License-Identifier: Apache-2.0
//
// CpsWatch: `cps`. One connection more than the limit within a second trips it, and the service is to pause.
// Exactly so: of the last second every time is kept, in a ring that grows to what really comes, never beyond
// the limit. After it tripped it counts from nothing again. What else is counted about the service (its
// active connections, its sources) has nothing to do with it. A value; the pause itself is the caller's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/config/rate.h"

namespace xsd::policy {

class CpsWatch {
 public:
  explicit CpsWatch(config::CpsLimit limit) : limit_(limit) {}

  /// Counts a connection that came. Nothing: within the limit. Otherwise it trips it: pause until then.
  std::optional<MonotonicTime> count(MonotonicTime now) {
    // Times that are still to come are of a clock that was set back since.
    if (!times_.empty() && now < newest()) clear();
    if (times_.size() == room_ && now - times_[oldest_] < std::chrono::seconds(1)) {
      if (room_ == limit_.connections) {
        clear();
        return now + limit_.wait;
      }
      straighten();
      room_ = room_ > limit_.connections / 2 ? limit_.connections : room_ * 2;
    }
    if (times_.size() < room_) {
      times_.push_back(now);
    } else {
      times_[oldest_] = now;
      oldest_ = oldest_ + 1 == times_.size() ? 0 : oldest_ + 1;
    }
    return std::nullopt;
  }

  /// Of a reload; what came in the last second counts on.
  void set_limit(config::CpsLimit limit) {
    limit_ = limit;
    straighten();
    if (times_.size() > limit.connections)
      times_.erase(times_.begin(), times_.end() - static_cast<std::ptrdiff_t>(limit.connections));
    room_ = std::min<std::size_t>(std::max(kLeastRoom, times_.size()), limit.connections);
  }

 private:
  static constexpr std::size_t kLeastRoom = 16;

  MonotonicTime newest() const noexcept { return oldest_ == 0 ? times_.back() : times_[oldest_ - 1]; }
  void straighten() noexcept {
    std::rotate(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(oldest_), times_.end());
    oldest_ = 0;
  }
  void clear() noexcept {
    times_.clear();
    oldest_ = 0;
  }

  config::CpsLimit limit_;
  std::vector<MonotonicTime> times_;  ///< a ring once it has `room_` of them
  std::size_t oldest_ = 0;
  std::size_t room_ = std::min<std::size_t>(kLeastRoom, limit_.connections);
};

}  // namespace xsd::policy
