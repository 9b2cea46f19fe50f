// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/clock.h"

#include <gtest/gtest.h>

namespace xsd {
namespace {

std::string format(std::int64_t milliseconds) {
  std::string out;
  append_rfc3339(out, WallTime(std::chrono::milliseconds(milliseconds)));
  return out;
}

TEST(AppendRfc3339, writes_utc_with_milliseconds) {
  EXPECT_EQ(format(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format(951782400123), "2000-02-29T00:00:00.123Z");
  EXPECT_EQ(format(951782400999), "2000-02-29T00:00:00.999Z");
  EXPECT_EQ(format(951782401000), "2000-02-29T00:00:01.000Z");
}

TEST(AppendRfc3339, rounds_down_also_before_1970) {
  EXPECT_EQ(format(-1), "1969-12-31T23:59:59.999Z");
}

TEST(SystemClock, never_goes_back_in_monotonic_time) {
  const SystemClock clock;
  MonotonicTime last = clock.monotonic();
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime now = clock.monotonic();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace xsd
