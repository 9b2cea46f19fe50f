// SPDX-License-Identifier: Apache-2.0
//
// Verdict: may this connection in, and if not, why not, in one word that is the same in log, metric and
// status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "xsd/config/definitions.h"

namespace xsd::policy {

/// interface.md section 6. All words are fixed; those that nothing gives yet belong to policies that come
/// later.
enum class Reason : std::uint8_t {
  Address,
  Time,
  Instances,
  PerSource,
  Processes,
  Rate,
  SourceRate,
  Load,
  Libwrap,
  Banned,
  Paused,
  Draining,
  Spawn,
  Ident,
  Protocol,
  Timeout,
  Resources,
};
inline constexpr std::size_t kReasonCount = 17;

std::string_view reason_word(Reason reason) noexcept;

/// Counts of refusals, one for each reason.
using RefusalCounters = std::array<std::uint64_t, kReasonCount>;

/// What is known when a connection asks to be let in.
struct AdmissionState {
  std::uint64_t active = 0;     ///< connections or instances of the service now
  config::Limit instances;      ///< of the service
  std::uint64_t processes = 0;  ///< children of the whole daemon now
  config::Limit max_processes;  ///< of the daemon; looked at if `starts_process`
  bool starts_process = false;
};

/// Nothing: admitted. Cheapest check first.
std::optional<Reason> decide(const AdmissionState& state) noexcept;

}  // namespace xsd::policy
