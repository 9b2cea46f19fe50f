// SPDX-License-Identifier: Apache-2.0
//
// TimeZone: what the clock on the wall is ahead of UTC at any moment. From a TZif file (RFC 8536, versions 1
// to 4), or from a TZ string (zone_rule.h). The C library keeps one zone for the whole process, behind an
// environment variable; a service may have its own. A value; after it was made it asks nobody.
//
// A file is bounded (kMaxZoneFile, kMaxZoneChanges) and checked before anything is taken from it. One that
// counts leap seconds ("right/...") is refused: the clock of the system does not.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/base/zone_rule.h"

namespace xsd {

inline constexpr std::size_t kMaxZoneFile = std::size_t{64} << 10;
/// As the reference implementation has it.
inline constexpr std::size_t kMaxZoneChanges = 2000;

class TimeZone {
 public:
  /// UTC.
  TimeZone() noexcept = default;

  /// The bytes of a TZif file. The error is the whole message, without a name.
  static Result<TimeZone> from_tzif(std::string_view bytes);
  /// A TZ string: CET-1CEST,M3.5.0,M10.5.0/3.
  static Result<TimeZone> from_rule(std::string_view text);
  /// By its name in the zone database, "Europe/Berlin": a file below $TZDIR, or else /usr/share/zoneinfo.
  /// Reads one file.
  static Result<TimeZone> load(std::string_view name);
  /// What the C library would take: by the variable TZ, else /etc/localtime, else UTC. Reads at most one
  /// file.
  static TimeZone local();

  // The same in two steps, for who reads files and who uses the zone are not always one process.
  /// TZif, a TZ string, or nothing for UTC.
  static Result<TimeZone> from_text(std::string_view text);
  /// What from_text makes `load(name)` of; the error is the one of `load`.
  static Result<std::string> read(std::string_view name);
  /// What from_text makes `local()` of.
  static std::string read_local();

  /// `until` is later than `moment`; the offset is not always another one there.
  ZoneOffset at(std::chrono::sys_seconds moment) const noexcept;

 private:
  struct Change {
    std::chrono::sys_seconds at;
    std::chrono::seconds offset;
  };
  std::chrono::seconds first_offset_{};  ///< before the first change
  std::vector<Change> changes_;          ///< ascending
  std::optional<ZoneRule> rule_;         ///< from the last change on
};

}  // namespace xsd
