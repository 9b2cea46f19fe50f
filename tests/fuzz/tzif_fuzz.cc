// SPDX-License-Identifier: Apache-2.0
//
// A TZif file, or a TZ string: any bytes. What is accepted answers for any moment, in order, with an offset
// that a clock can have; what is not has a message on one line.
#include <cstdint>
#include <limits>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/base/time_zone.h"
#include "xsd/config/access_times.h"
#include "xsd/policy/access_times.h"

using namespace xsd;
using std::chrono::hours;
using std::chrono::seconds;
using std::chrono::sys_seconds;

namespace {

void walk(const TimeZone& zone, std::int64_t from) {
  sys_seconds moment{seconds(from)};
  for (int step = 0; step < 100; ++step) {
    const ZoneOffset here = zone.at(moment);
    XSD_ASSERT(here.offset > -hours(26) && here.offset < hours(26));
    if (!here.until) return;
    XSD_ASSERT(*here.until > moment);
    XSD_ASSERT(zone.at(*here.until - seconds(1)).offset == here.offset);
    moment = *here.until;
  }
}

void check(const Result<TimeZone>& zone) {
  if (!zone) {
    XSD_ASSERT(!zone.error().text().empty());
    XSD_ASSERT(zone.error().text().find('\n') == std::string::npos);
    return;
  }
  for (const std::int64_t from :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-2'000'000'000}, std::int64_t{0},
        std::int64_t{2'000'000'000}, std::int64_t{4'000'000'000}, std::numeric_limits<std::int64_t>::max()}) {
    walk(*zone, from);
  }
  static const policy::AccessSchedule kSchedule(
      std::vector{config::parse_access_window("Mon-Fri 8:00-18:00").value()});
  for (const WallTime now : {WallTime::min(), WallTime{}, WallTime(hours(500'000)), WallTime::max()}) {
    const auto answer = kSchedule.ask(*zone, now);
    if (answer.until) XSD_ASSERT(*answer.until > std::chrono::floor<seconds>(now));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(TimeZone::from_tzif(bytes));
  check(TimeZone::from_rule(bytes));
  return 0;
}
