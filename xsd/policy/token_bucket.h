// SPDX-License-Identifier: Apache-2.0
//
// TokenBucket: the state of one `rate` or `source_rate`: full to begin with, `burst` at most, and `count`
// more in each period. What it holds is counted exactly: in whole tokens and the part of the next one, which
// grows by `count` a nanosecond and is a token at one period, so that nothing is rounded and nothing drifts.
//
// The limit is passed in at every call, so that a table of buckets has it once, and a reload may change it:
// what is above the new burst is lost. A clock that went back gives nothing until it has gone on again from
// there; one that jumped ahead fills the bucket, no more.
#pragma once

#include <cstdint>
#include <limits>

#include "xsd/base/clock.h"
#include "xsd/config/rate.h"

namespace xsd::policy {

class TokenBucket {
 public:
  /// Takes a token if there is one.
  bool take(const config::RateLimit& limit, MonotonicTime now) noexcept {
    advance(limit, now);
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

  /// How long until there is a token: zero if there is one, at most the period otherwise.
  Duration until_next(const config::RateLimit& limit, MonotonicTime now) noexcept {
    advance(limit, now);
    if (tokens_ > 0) return Duration::zero();
    const std::uint64_t missing = period_of(limit) - part_;
    return Duration(static_cast<Duration::rep>((missing + limit.rate.count - 1) / limit.rate.count));
  }

  /// As one that was never used.
  bool is_full(const config::RateLimit& limit, MonotonicTime now) noexcept {
    advance(limit, now);
    return tokens_ == limit.burst;
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static std::uint64_t period_of(const config::RateLimit& limit) noexcept {
    return static_cast<std::uint64_t>(limit.rate.period.count());
  }

  void advance(const config::RateLimit& limit, MonotonicTime now) noexcept {
    const std::uint64_t period = period_of(limit);
    if (part_ >= period) part_ = period - 1;  // the period was a longer one
    if (tokens_ >= limit.burst) {
      tokens_ = limit.burst;
      part_ = 0;
    } else if (now > last_) {
      // The difference of any two times fits when taken without a sign.
      const std::uint64_t passed = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(last_.time_since_epoch().count());
      std::uint64_t sum = 0;
      std::uint64_t gained = 0;
      if (!__builtin_mul_overflow(passed, std::uint64_t{limit.rate.count}, &sum) &&
          !__builtin_add_overflow(sum, part_, &sum)) {
        gained = sum / period;
        part_ = sum % period;
      } else {
        const Wide wide = Wide{passed} * limit.rate.count + part_;
        const Wide whole = wide / period;
        gained = whole < limit.burst ? static_cast<std::uint64_t>(whole) : limit.burst;
        part_ = static_cast<std::uint64_t>(wide % period);
      }
      if (gained >= limit.burst - tokens_) {
        tokens_ = limit.burst;
        part_ = 0;
      } else {
        tokens_ += static_cast<std::uint32_t>(gained);
      }
    }
    last_ = now;
  }

  MonotonicTime last_{};
  std::uint64_t part_ = 0;                                            ///< of the next token, below the period
  std::uint32_t tokens_ = std::numeric_limits<std::uint32_t>::max();  ///< as many as fit
};

}  // namespace xsd::policy
