// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/number.h"

#include <charconv>
#include <limits>

#include "xsd/base/text.h"

namespace xsd {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Durations in nanoseconds; longest factor first, so that formatting takes the largest unit that divides.
constexpr Unit kDurationUnits[] = {
    {"d", 86'400'000'000'000ULL}, {"h", 3'600'000'000'000ULL}, {"m", 60'000'000'000ULL},
    {"s", 1'000'000'000ULL},      {"ms", 1'000'000ULL},
};

constexpr Unit kSizeUnits[] = {{"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}};

// Splits "10ms" into 10 and "ms"; nullopt if it does not begin with a number of the strict form.
std::optional<std::pair<std::uint64_t, std::string_view>> split_number(std::string_view text) noexcept {
  const std::size_t end = text.find_first_not_of("0123456789");
  const auto number = parse_unsigned(text.substr(0, end));
  if (!number) return std::nullopt;
  return std::pair{*number, end == std::string_view::npos ? std::string_view{} : text.substr(end)};
}

}  // namespace

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_signed(std::string_view text) noexcept {
  const bool negative = text.starts_with('-');
  const auto magnitude = parse_unsigned(negative ? text.substr(1) : text);
  if (!magnitude || *magnitude > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return negative ? -static_cast<std::int64_t>(*magnitude) : static_cast<std::int64_t>(*magnitude);
}

std::optional<unsigned> parse_octal(std::string_view text) noexcept {
  unsigned value = 0;
  if (text.empty() || text.size() > 5) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (error != std::errc{} || end != text.data() + text.size() || value > 07777) return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) noexcept {
  if (equals_ignoring_case(text, "true") || equals_ignoring_case(text, "yes")) return true;
  if (equals_ignoring_case(text, "false") || equals_ignoring_case(text, "no")) return false;
  return std::nullopt;
}

std::optional<Duration> parse_duration(std::string_view text) noexcept {
  const auto parts = split_number(text);
  if (!parts) return std::nullopt;
  for (const Unit& unit : kDurationUnits) {
    if (parts->second != unit.name) continue;
    if (parts->first > static_cast<std::uint64_t>(kLongestDuration.count()) / unit.factor)
      return std::nullopt;
    return Duration(static_cast<Duration::rep>(parts->first * unit.factor));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  const auto parts = split_number(text);
  if (!parts) return std::nullopt;
  std::string_view unit_text = parts->second;
  if (unit_text.empty()) return parts->first;
  if (unit_text.size() == 3 && equals_ignoring_case(unit_text.substr(1), "iB"))
    unit_text = unit_text.substr(0, 1);
  for (const Unit& unit : kSizeUnits) {
    if (!equals_ignoring_case(unit_text, unit.name)) continue;
    if (parts->first > std::numeric_limits<std::uint64_t>::max() / unit.factor) return std::nullopt;
    return parts->first * unit.factor;
  }
  return std::nullopt;
}

std::string format_duration(Duration duration) {
  const auto nanoseconds = static_cast<std::uint64_t>(duration.count());
  if (nanoseconds == 0) return "0s";
  for (const Unit& unit : kDurationUnits) {
    if (nanoseconds % unit.factor == 0) return std::to_string(nanoseconds / unit.factor).append(unit.name);
  }
  return std::to_string(nanoseconds / 1'000'000).append("ms");
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (bytes != 0 && bytes % unit.factor == 0) return std::to_string(bytes / unit.factor).append(unit.name);
  }
  return std::to_string(bytes);
}

}  // namespace xsd
