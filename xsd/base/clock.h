// SPDX-License-Identifier: Apache-2.0
//
// Clock: where time comes from. Intervals use `monotonic()`, which no administrator can set; `wall()` is for
// the times in records and for the daytime and time services only. Passed in, so that tests own the time.
#pragma once

#include <chrono>
#include <string>

namespace xsd {

using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime monotonic() const noexcept = 0;
  virtual WallTime wall() const noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override;
  WallTime wall() const noexcept override;
};

/// RFC 3339 in UTC with milliseconds: 2026-11-22T02:33:12.123Z (24 characters, appended to `out`).
void append_rfc3339(std::string& out, WallTime time);

}  // namespace xsd
