// SPDX-License-Identifier: Apache-2.0
//
// What is counted of a service. Plain numbers without pointers: in a worker they live in memory that the
// master reads (worker/page.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "xsd/plugin/hosted_service.h"
#include "xsd/policy/verdict.h"

namespace xsd::service {

struct Counters {
  std::uint64_t started = 0;  ///< connections and instances
  std::uint64_t active = 0;   ///< of those, the connections of a plugin service that are open
  std::uint64_t paused = 0;   ///< 1: for `cps`, nobody is taken
  policy::RefusalCounters refused{};
  plugin::DatagramCounters datagrams;

  /// But for `active` and `paused`, which are of now.
  Counters& operator+=(const Counters& more) noexcept {
    started += more.started;
    for (std::size_t i = 0; i < refused.size(); ++i)
      refused[i] += more.refused[i];
    datagrams.received += more.datagrams.received;
    datagrams.answered += more.datagrams.answered;
    datagrams.refused += more.datagrams.refused;
    datagrams.bytes_in += more.datagrams.bytes_in;
    datagrams.bytes_out += more.datagrams.bytes_out;
    return *this;
  }
};

}  // namespace xsd::service
