// SPDX-License-Identifier: Apache-2.0
//
// One grammar each for what configuration and command line write as scalars. Every function takes the whole
// text, accepts nothing around it, and answers nullopt for whatever it does not accept; ranges are the
// caller's business unless stated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/base/clock.h"

namespace xsd {

/// At least one, and nothing but decimal digits.
bool is_digits(std::string_view text) noexcept;
/// Decimal digits only, no sign, no leading zero (but "0"): `022` is refused since it means 18 to some
/// readers.
std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept;
/// The same with an optional minus sign.
std::optional<std::int64_t> parse_signed(std::string_view text) noexcept;
/// Octal digits with or without a leading zero, at most 07777: a file mode or umask.
std::optional<unsigned> parse_octal(std::string_view text) noexcept;
/// true, false, yes, no, in any case.
std::optional<bool> parse_boolean(std::string_view text) noexcept;
inline constexpr Duration kLongestDuration = std::chrono::hours(24 * 10'000);

/// A number and a unit without a blank between: ms s m h d. `1h`, `250ms`. At most kLongestDuration. A bare
/// number is not a duration.
std::optional<Duration> parse_duration(std::string_view text) noexcept;
/// Bytes: a number with an optional K M G T (powers of 1024; `KiB` and `KB`-less forms: K, KiB, in any case).
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// The shortest exact form that parse_duration reads back: 10s, 250ms, 5m.
std::string format_duration(Duration duration);
/// The shortest exact form that parse_size reads back: 64K, 1G, 1000.
std::string format_size(std::uint64_t bytes);

}  // namespace xsd
