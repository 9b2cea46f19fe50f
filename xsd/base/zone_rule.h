// SPDX-License-Identifier: Apache-2.0
//
// ZoneRule: a time zone as the TZ variable of POSIX writes it, with the extensions of RFC 8536 section 3.3.1:
//
//   STD OFFSET [DST [OFFSET] [,BEGIN[/TIME],END[/TIME]]]      CET-1CEST,M3.5.0,M10.5.0/3
//
// A name is three letters or more, or anything of letters, digits, + and - between < and >. BEGIN and END are
// Mm.w.d, Jn (1 to 365, no leap days) or n (0 to 365); TIME is 2:00 unless written and may be from -167 to
// 167 hours. Without BEGIN and END they are M3.2.0 and M11.1.0, as in glibc. A value; pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace xsd {

/// What a local clock is ahead of UTC, and until when that is known to hold; nothing: for ever.
struct ZoneOffset {
  std::chrono::seconds offset{};
  std::optional<std::chrono::sys_seconds> until;
};

class ZoneRule {
 public:
  /// nullopt if `text` is not wholly of this form.
  static std::optional<ZoneRule> parse(std::string_view text) noexcept;

  /// Moments outside the years -9999 to 9999 are taken for the nearest of these.
  ZoneOffset at(std::chrono::sys_seconds moment) const noexcept;

 private:
  /// A day of any year, and how long after its midnight.
  struct Date {
    enum class Form : std::uint8_t { Month, Julian, Numbered };
    Form form = Form::Month;
    std::uint16_t day = 0;     ///< of Julian and Numbered
    std::uint8_t month = 1;    ///< of Month, as the two below
    std::uint8_t week = 1;     ///< 5 is the last
    std::uint8_t weekday = 0;  ///< 0 is Sunday
    std::chrono::seconds time = std::chrono::hours(2);
    /// On the local clock of that moment.
    std::chrono::sys_seconds in(std::chrono::year year) const noexcept;
  };
  struct Daylight {
    std::chrono::seconds offset{};
    Date begin;  ///< on the clock of standard time
    Date end;    ///< on the clock of daylight time
  };
  class Parser;

  std::chrono::seconds standard_{};
  std::optional<Daylight> daylight_;
};

}  // namespace xsd
