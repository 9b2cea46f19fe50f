// SPDX-License-Identifier: Apache-2.0
//
// What is counted of a service. Plain numbers without pointers: in a worker they live in memory that the
// master reads (worker/page.h).
#pragma once

#include <array>
#include <cstdint>

#include "xsd/plugin/hosted_service.h"
#include "xsd/policy/verdict.h"

namespace xsd::service {

struct Counters {
  std::uint64_t started = 0;  ///< connections and instances
  std::uint64_t active = 0;   ///< of those, the connections of a plugin service that are open
  policy::RefusalCounters refused{};
  plugin::DatagramCounters datagrams;
};

}  // namespace xsd::service
