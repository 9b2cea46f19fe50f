// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/clock.h"

#include <ctime>

namespace xsd {

MonotonicTime SystemClock::monotonic() const noexcept {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

WallTime SystemClock::wall() const noexcept {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

void append_rfc3339(std::string& out, WallTime time) {
  using std::chrono::milliseconds;
  const auto since_epoch = std::chrono::floor<milliseconds>(time).time_since_epoch().count();
  auto seconds = since_epoch / 1000;
  auto millis = since_epoch % 1000;
  if (millis < 0) {
    millis += 1000;
    --seconds;
  }
  // Records of one second share everything but the milliseconds, and gmtime costs more than the rest of a
  // record.
  static thread_local std::time_t cached_second = -1;
  static thread_local char cached[32];
  const auto second = static_cast<std::time_t>(seconds);
  if (second != cached_second) {
    std::tm parts{};
    gmtime_r(&second, &parts);
    std::strftime(cached, sizeof cached, "%Y-%m-%dT%H:%M:%S.", &parts);
    cached_second = second;
  }
  out += cached;
  out += static_cast<char>('0' + millis / 100);
  out += static_cast<char>('0' + millis / 10 % 10);
  out += static_cast<char>('0' + millis % 10);
  out += 'Z';
}

}  // namespace xsd
