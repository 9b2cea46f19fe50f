// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/verdict.h"

namespace xsd::policy {

std::string_view reason_word(Reason reason) noexcept {
  static constexpr std::array<std::string_view, kReasonCount> kWords = {
      "address",     "time",  "instances", "per_source", "processes", "rate",
      "source_rate", "load",  "libwrap",   "banned",     "paused",    "draining",
      "spawn",       "ident", "protocol",  "timeout",    "resources",
  };
  return kWords[static_cast<std::size_t>(reason)];
}

std::optional<Reason> decide(const AdmissionState& state) noexcept {
  if (!state.instances.is_unlimited() && state.active >= state.instances.value) return Reason::Instances;
  if (state.starts_process && !state.max_processes.is_unlimited() &&
      state.processes >= state.max_processes.value) {
    return Reason::Processes;
  }
  return std::nullopt;
}

}  // namespace xsd::policy
