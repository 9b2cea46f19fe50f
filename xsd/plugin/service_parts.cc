// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/service_parts.h"

#include <algorithm>
#include <iterator>

#include "xsd/plugin/plugin_instance.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

constexpr std::size_t kLongestMetricName = 31;

}  // namespace

bool is_metric_name(std::string_view name) noexcept {
  const auto is_allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= kLongestMetricName &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

PluginTimer::PluginTimer(TimerSet& set, Fire fire, void* argument)
    : set_(set), fire_(fire), argument_(argument), timer_(set.instance_.loop, [this] { on_timer(); }) {}

void PluginTimer::set(Duration delay) noexcept {
  if (!set_.stopped_) timer_.arm(delay);
}

void PluginTimer::free() noexcept {
  set_.timers_.erase(place_);
}

void PluginTimer::on_timer() noexcept {
  const StreamSet::Entry entry(set_.instance_.streams);
  fire_(argument_);  // may end this object
}

PluginTimer& TimerSet::make(PluginTimer::Fire fire, void* argument) {
  PluginTimer& timer = timers_.emplace_back(*this, fire, argument);
  timer.place_ = std::prev(timers_.end());
  return timer;
}

void TimerSet::stop() noexcept {
  stopped_ = true;
  for (PluginTimer& timer : timers_)
    timer.cancel();
}

Metric* MetricSet::find_or_make(std::string_view name, const MakeCell& make_cell) {
  if (!is_metric_name(name)) return nullptr;
  for (Metric& metric : metrics_) {
    if (metric.name_ == name) return &metric;
  }
  if (metrics_.size() >= kMaxMetrics) return nullptr;
  std::uint64_t* const cell = make_cell ? make_cell(name) : nullptr;
  if (make_cell && cell == nullptr) return nullptr;
  Metric& metric = metrics_.emplace_back();
  metric.name_ = name;
  if (cell != nullptr) metric.cell_ = cell;
  return &metric;
}

void MetricSet::detach() noexcept {
  for (Metric& metric : metrics_)
    metric.cell_ = &metric.own_;
}

std::vector<std::pair<std::string_view, std::uint64_t>> MetricSet::values() const {
  std::vector<std::pair<std::string_view, std::uint64_t>> values;
  for (const Metric& metric : metrics_) {
    values.emplace_back(metric.name_,
                        std::atomic_ref<std::uint64_t>(*metric.cell_).load(std::memory_order_relaxed));
  }
  return values;
}

}  // namespace xsd::plugin
