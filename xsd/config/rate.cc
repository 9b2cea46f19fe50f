// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/rate.h"

#include "xsd/base/number.h"
#include "xsd/base/text.h"

namespace xsd::config {
namespace {

struct Period {
  std::string_view unit;
  Duration length;
};
constexpr Period kPeriods[] = {
    {"s", std::chrono::seconds(1)},
    {"m", std::chrono::minutes(1)},
    {"h", std::chrono::hours(1)},
    {"d", std::chrono::hours(24)},
};

}  // namespace

Result<Rate> parse_rate(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return Error(quoted(text) + " is no rate: write " +
                 (is_digits(text) ? quoted(std::string(text) + "/s") : std::string("one as 50/s")) +
                 ", or with /m, /h or /d");
  }
  const std::string_view number = text.substr(0, slash);
  const std::string_view unit = text.substr(slash + 1);
  const Period* period = nullptr;
  for (const Period& known : kPeriods) {
    if (known.unit == unit) period = &known;
  }
  if (period == nullptr) return Error(quoted(unit) + " is no period of a rate: write /s, /m, /h or /d");
  const auto count = parse_unsigned(number);
  if (!count || *count == 0 || *count > kMaxRateCount)
    return Error(quoted(number) + " is no count of a rate: write a number from 1 to 1000000000");
  return Rate{static_cast<std::uint32_t>(*count), period->length};
}

std::string to_string(const Rate& rate) {
  std::string out = std::to_string(rate.count) + "/";
  for (const Period& known : kPeriods) {
    if (known.length == rate.period) out += known.unit;
  }
  return out;
}

}  // namespace xsd::config
