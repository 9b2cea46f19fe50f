// SPDX-License-Identifier: Apache-2.0
//
// Rate: so many in so long, a value, and its written form: a number and one of /s /m /h /d (50/s, 600/m).
// RateLimit and CpsLimit are the values of the keys that are made of one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/clock.h"
#include "xsd/base/result.h"

namespace xsd::config {

/// Of the number in a rate, and of `burst`.
inline constexpr std::uint32_t kMaxRateCount = 1'000'000'000;

struct Rate {
  std::uint32_t count = 1;                    ///< 1 to kMaxRateCount
  Duration period = std::chrono::seconds(1);  ///< a second, minute, hour or day
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// The error is the whole message and names what is wrong.
Result<Rate> parse_rate(std::string_view text);

/// The text that parse_rate reads back to the same.
std::string to_string(const Rate& rate);

/// `rate` and `source_rate`: a token bucket.
struct RateLimit {
  Rate rate;
  std::uint32_t burst = 1;  ///< 1 to kMaxRateCount
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// `rate`: of all clients of a service together.
struct ServiceRate {
  RateLimit limit;
  bool refuses = false;  ///< clients that come too early; otherwise they wait
  friend bool operator==(const ServiceRate&, const ServiceRate&) = default;
};

/// Of the connections in `cps`; each takes eight bytes while that many come in a second.
inline constexpr std::uint32_t kMaxCps = 1'000'000;

/// `cps`: one more than `connections` within a second is a pause of `wait`.
struct CpsLimit {
  std::uint32_t connections = 1;  ///< 1 to kMaxCps
  Duration wait{};
  friend bool operator==(const CpsLimit&, const CpsLimit&) = default;
};

}  // namespace xsd::config
