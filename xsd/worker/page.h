// SPDX-License-Identifier: Apache-2.0
//
// WorkerPage: what a worker shows of itself without being asked: a SharedPage that the worker writes to and
// the master reads. Both are the same binary, so the layout is a struct. The worker is not trusted: the
// master takes numbers from here for display and nothing else, and never follows an index.
//
// Each service has a cell of its own, whose index the master chose; the worker adds to it in place, so status
// costs nobody a message, and what a worker had counted is there when it has died. The counters that plugins
// make have cells that the worker gives out, marked with the service that has them.
#pragma once

#include <array>
#include <cstdint>

#include "xsd/service/counters.h"

namespace xsd::worker {

/// Services of one worker at a time, those that drain included.
inline constexpr std::uint32_t kMaxCells = 16384;

/// Counters of plugins, of all services of one worker.
inline constexpr std::uint32_t kMaxMetricCells = 4096;

struct MetricCell {
  std::array<char, 32> name{};  ///< with a NUL behind it
  std::uint64_t value = 0;
};

struct WorkerPage {
  /// 1: its own watchdog has ended it.
  std::uint64_t hung = 0;
  /// The number of the service whose plugin is at work, 0 if none is; who is to blame when the worker dies.
  std::uint64_t busy_with = 0;
  std::array<service::Counters, kMaxCells> cells;
  /// The number of the service that has the metric of the same index, 0: nobody.
  std::array<std::uint64_t, kMaxMetricCells> metric_owners;
  std::array<MetricCell, kMaxMetricCells> metrics;
};

}  // namespace xsd::worker
