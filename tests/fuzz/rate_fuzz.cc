// SPDX-License-Identifier: Apache-2.0
//
// A rate: what is accepted can be written and reads back to the same, and a bucket of it holds what it says;
// what is not accepted has a message on one line.
#include <cstdint>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/rate.h"
#include "xsd/policy/token_bucket.h"

using namespace xsd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rate = config::parse_rate(text);
  if (!rate) {
    XSD_ASSERT(!rate.error().text().empty());
    XSD_ASSERT(rate.error().text().find('\n') == std::string::npos);
    return 0;
  }
  const auto again = config::parse_rate(to_string(*rate));
  XSD_ASSERT(again.has_value());
  XSD_ASSERT(*again == *rate);

  const config::RateLimit limit{*rate, 3};
  policy::TokenBucket bucket;
  MonotonicTime now{std::chrono::hours(1)};
  for (int i = 0; i < 3; ++i)
    XSD_ASSERT(bucket.take(limit, now));
  XSD_ASSERT(!bucket.take(limit, now));
  // As many as there are in a period, or a hundred: each comes when it was said to, and not before.
  const MonotonicTime begin = now;
  const std::int64_t some = std::min<std::int64_t>(rate->count, 100);
  for (std::int64_t i = 1; i <= some; ++i) {
    const Duration wait = bucket.until_next(limit, now);
    if (wait > Duration(1)) XSD_ASSERT(!bucket.take(limit, now + wait - Duration(1)));
    now += wait;
    XSD_ASSERT(bucket.take(limit, now));
  }
  const auto exact = static_cast<long double>(rate->period.count()) * some / rate->count;
  XSD_ASSERT(static_cast<long double>((now - begin).count()) >= exact);
  XSD_ASSERT(static_cast<long double>((now - begin).count()) < exact + 1);
  return 0;
}
