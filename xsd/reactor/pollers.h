// SPDX-License-Identifier: Apache-2.0
//
// The three pollers, one a source file, for Poller::create only; and the conversions that they share.
#pragma once

#include <algorithm>
#include <ctime>
#include <memory>

#include "xsd/reactor/poller.h"

namespace xsd::reactor {

Result<std::unique_ptr<Poller>> create_epoll_poller();
Result<std::unique_ptr<Poller>> create_poll_poller();
Result<std::unique_ptr<Poller>> create_select_poller();

inline constexpr Events kAskable = kReadable | kWritable | kPriority;

/// poll(2) and select(2) call a regular file always ready where epoll_ctl(2) refuses it with EPERM, and
/// accept numbers that are not open. This makes them say the same as epoll.
Status check_waitable(int fd);

/// What the wait calls take; never negative.
inline timespec to_timespec(Duration duration) noexcept {
  duration = std::max(duration, Duration::zero());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = (duration - seconds).count();
  return result;
}

/// An error or hang-up wakes whoever reads or writes, so that the call meets it.
inline Events with_hangup(Events seen, Events interest) noexcept {
  return seen | kHangup | (interest & (kReadable | kWritable));
}

}  // namespace xsd::reactor
