// SPDX-License-Identifier: Apache-2.0
//
// Waiting for what gives no event: the only place of the tests that polls.
#pragma once

#include <chrono>
#include <ctime>
#include <functional>

namespace xsd::test {

using Milliseconds = std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

/// For anything that should happen soon; long because the machine may be busy.
inline constexpr Milliseconds kDeadline{15000};

/// Asks every few milliseconds until it is true or the deadline has passed; the last answer.
bool eventually(const std::function<bool()>& predicate, Milliseconds deadline = kDeadline);

/// True if it stays true for so long. For "nothing happens"; keep it short.
bool holds_for(Milliseconds duration, const std::function<bool()>& predicate);

/// Time left, for poll(2): never negative.
int milliseconds_until(SteadyTime end);

/// Milliseconds since `begin`.
Milliseconds elapsed(SteadyTime begin);

/// The wall clock in whole seconds. time(2) may lag behind it by a tick, and at the turn of a second that is
/// one too little.
inline std::time_t wall_seconds() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

}  // namespace xsd::test
