// SPDX-License-Identifier: Apache-2.0
//
// What a plugin may make for a service besides connections: timers (xsd_timer) and counters (xsd_metric).
// Both sets belong to the PluginInstance.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/plugin.h"
#include "xsd/reactor/event_loop.h"

struct xsd_timer {};
struct xsd_metric {};

namespace xsd::plugin {

struct PluginInstance;
class TimerSet;

class PluginTimer : public ::xsd_timer {
 public:
  using Fire = void (*)(void*);
  PluginTimer(TimerSet& set, Fire fire, void* argument);
  PluginTimer(const PluginTimer&) = delete;
  PluginTimer& operator=(const PluginTimer&) = delete;

  void set(Duration delay) noexcept;
  void cancel() noexcept { timer_.cancel(); }
  /// Ends it, also from its own `fire`.
  void free() noexcept;

 private:
  friend class TimerSet;
  void on_timer() noexcept;

  TimerSet& set_;
  Fire fire_;
  void* argument_;
  std::list<PluginTimer>::iterator place_;
  reactor::Timer timer_;
};

class TimerSet {
 public:
  explicit TimerSet(PluginInstance& instance) noexcept : instance_(instance) {}

  PluginTimer& make(PluginTimer::Fire fire, void* argument);
  /// From now on none runs out, and none can be set.
  void stop() noexcept;

 private:
  friend class PluginTimer;
  PluginInstance& instance_;
  std::list<PluginTimer> timers_;
  bool stopped_ = false;
};

/// A counter. Its cell has one writer, this process, and may lie in memory that others read.
class Metric : public ::xsd_metric {
 public:
  void add(std::int64_t number) noexcept {
    // One writer: nobody comes in between.
    const std::atomic_ref<std::uint64_t> cell(*cell_);
    cell.store(cell.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(number),
               std::memory_order_relaxed);
  }

 private:
  friend class MetricSet;
  std::string name_;
  std::uint64_t own_ = 0;
  std::uint64_t* cell_ = &own_;
};

class MetricSet {
 public:
  using MakeCell = std::function<std::uint64_t*(std::string_view name)>;

  /// The one of this name, made if it is new; nullptr if the name is none, or there is no room.
  Metric* find_or_make(std::string_view name, const MakeCell& make_cell);
  /// The cells of others are not touched any more.
  void detach() noexcept;
  std::vector<std::pair<std::string_view, std::uint64_t>> values() const;

 private:
  std::list<Metric> metrics_;  ///< stay at their address
};

}  // namespace xsd::plugin
