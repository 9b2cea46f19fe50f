// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/text.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config::decoders {
namespace {

void time_limit(DecodeInput& in, const YamlNode& value, std::optional<Duration>& out) {
  if (value.is_scalar() && equals_ignoring_case(value.scalar, "unlimited")) {
    out.reset();
    return;
  }
  Duration parsed = std::chrono::seconds(1);
  duration(in, value, parsed);
  if (parsed == Duration::zero()) {
    return in.sink.error(value.where, quoted(in.key) + " is zero: for no limit write 'unlimited'");
  }
  out = parsed;
}

}  // namespace

void idle_timeout(DecodeInput& in, const YamlNode& value) {
  time_limit(in, value, in.draft->idle_timeout);
}

void max_duration(DecodeInput& in, const YamlNode& value) {
  time_limit(in, value, in.draft->times.edit().max_duration);
}

void start_timeout(DecodeInput& in, const YamlNode& value) {
  time_limit(in, value, in.draft->times.edit().start_timeout);
}

void lingering(DecodeInput& in, const YamlNode& value) {
  duration(in, value, in.draft->times.edit().lingering);
}

}  // namespace xsd::config::decoders
