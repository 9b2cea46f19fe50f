// SPDX-License-Identifier: Apache-2.0
//
// The keys that say when clients may come, what they are told, and who is banned. See value_decoders.h.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/access_times.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config::decoders {
namespace {

// No machine has more. What has more digits could not be told from its neighbours.
constexpr double kHighestLoad = 1'000'000;
constexpr std::size_t kMostDigits = 15;

/// Digits, and perhaps more of them behind a point.
std::optional<double> parse_decimal(std::string_view text) noexcept {
  const auto point = text.find('.');
  if (!is_digits(text.substr(0, point)) || text.size() > kMostDigits) return std::nullopt;
  if (point != std::string_view::npos && !is_digits(text.substr(point + 1))) return std::nullopt;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

std::vector<AccessWindow> windows_of(DecodeInput& in, const YamlNode& value) {
  std::vector<AccessWindow> windows;
  const auto entries = entries_of(in, value, "a list of times", true);
  if (!entries) return windows;
  for (const YamlNode& entry : *entries) {
    const auto text = entry_of(in, entry);
    if (!text) continue;
    const auto window = parse_access_window(*text);
    if (window) {
      windows.push_back(*window);
    } else {
      in.sink.error(entry.where, "an entry of " + quoted(in.key) + ": " + window.error().text());
    }
  }
  return windows;
}

}  // namespace

// An empty list is never open; without one it is always.
void access_times(DecodeInput& in, const YamlNode& value) {
  std::vector<AccessWindow> windows = windows_of(in, value);
  auto& list = in.draft->clients.edit().access_times;
  if (in.edit == ListEdit::Replace) {
    list = std::move(windows);
    return;
  }
  if (!list) list.emplace();
  for (const AccessWindow& window : windows) {
    const auto same = std::find(list->begin(), list->end(), window);
    if (in.edit == ListEdit::Add) {
      if (same == list->end()) list->push_back(window);
    } else if (same != list->end()) {
      list->erase(same);
    } else {
      not_inherited(in, value.where, to_string(window));
    }
  }
}

void timezone(DecodeInput& in, const YamlNode& value) {
  const auto name = scalar_of(in, value, "the name of a time zone");
  if (!name) return;
  in.draft->clients.edit().timezone = equals_ignoring_case(*name, "local") ? std::string_view() : *name;
}

void max_load(DecodeInput& in, const YamlNode& value) {
  auto& load = in.draft->clients.edit().max_load;
  load.reset();
  const std::string_view text = value.is_scalar() ? std::string_view(value.scalar) : std::string_view();
  if (equals_ignoring_case(text, "unlimited")) return;
  const auto number = parse_decimal(text);
  if (!number || *number <= 0 || *number > kHighestLoad)
    return refuse_value(in, value, "a number above 0, such as 4.5, or unlimited");
  load = number;
}

// In minutes if there is no unit, as xinetd has it.
void deny_time(DecodeInput& in, const YamlNode& value) {
  auto& time = in.draft->clients.edit().deny_time;
  time.reset();
  const std::string_view text = value.is_scalar() ? std::string_view(value.scalar) : std::string_view();
  if (equals_ignoring_case(text, "forever")) {
    time = Duration::max();
    return;
  }
  if (equals_ignoring_case(text, "never")) {
    time = Duration::zero();
    return;
  }
  constexpr std::uint64_t kMostMinutes = kLongestDuration / std::chrono::minutes(1);
  if (const auto minutes = parse_unsigned(text); minutes && *minutes <= kMostMinutes) {
    time = std::chrono::minutes(*minutes);
    return;
  }
  time = parse_duration(text);
  if (!time) refuse_value(in, value, "minutes, a duration, FOREVER or NEVER");
}

void banner_path(DecodeInput& in, const YamlNode& value, std::string Banners::*which) {
  std::string& path_of = in.draft->clients.edit().banners.*which;
  if (!value.is_scalar() || !value.scalar.empty()) return path(in, value, path_of);
  path_of.clear();  // none, whatever `defaults` say
}

}  // namespace xsd::config::decoders
