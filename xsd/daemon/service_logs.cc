// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/service_logs.h"

#include <utility>

namespace xsd::daemon {
namespace {

constexpr Duration kRetry = std::chrono::minutes(1);

log::OutletSettings make_settings(const config::ServiceLog& log) {
  log::OutletSettings settings;
  settings.path = log.path;
  settings.full_size = log.hard_limit > 0 ? log.hard_limit : log.soft_limit;
  if (log.soft_limit < settings.full_size) settings.warn_size = log.soft_limit;
  settings.facility = log.facility;
  settings.level = log.level;
  return settings;
}

bool is_own_log(const std::string& name) {
  return log::settings().target == log::TargetKind::File && log::settings().path == name;
}

}  // namespace

ServiceLogs::ServiceLogs(reactor::EventLoop& loop) : retry_(loop, [this] { retry(); }) {}

void ServiceLogs::take(const config::Snapshot& snapshot, const std::set<std::string>& used) {
  std::map<std::string, const config::ServiceDefinition*> wanted;
  std::set<std::string> told;
  for (const config::LoadedService& service : snapshot.services) {
    const config::ServiceDefinition* const definition = service.definition.get();
    if (definition == nullptr || definition->disabled) continue;
    const std::string name = definition->log->place();
    if (name.empty()) continue;
    const auto [first, is_new] = wanted.try_emplace(name, definition);
    if (is_new || definition->log == first->second->log || !told.insert(name).second) continue;
    log::warning("{}: log_type: {} has other limits for {}, and those count", definition->id,
                 first->second->id, name);
  }
  for (auto outlet = outlets_.begin(); outlet != outlets_.end();) {
    const std::string& name = outlet->first;
    if ((wanted.contains(name) || used.contains(name)) && !is_own_log(name)) {
      ++outlet;
      continue;
    }
    log::close_outlet(name);
    if (logger_ != nullptr) logger_->on_outlet(name);
    outlet = outlets_.erase(outlet);
  }
  for (const auto& [name, definition] : wanted) {
    const log::OutletSettings settings = make_settings(*definition->log);
    if (is_own_log(name)) {
      if (settings.full_size > 0)
        log::warning("{}: log_type: {} is the daemon's own log, and no size ends that", definition->id, name);
      continue;
    }
    Outlet& outlet = outlets_[name];
    if (log::outlet_descriptor(name) >= 0 && outlet.settings == settings) continue;
    outlet.settings = settings;
    open(name, outlet);
  }
}

void ServiceLogs::reopen() {
  for (auto& [name, outlet] : outlets_)
    open(name, outlet);
}

void ServiceLogs::retry() {
  for (auto& [name, outlet] : outlets_) {
    if (!outlet.fault.empty()) open(name, outlet);
  }
}

void ServiceLogs::open(const std::string& name, Outlet& outlet) {
  if (Status status = log::open_outlet(name, outlet.settings); !status) {
    if (std::exchange(outlet.fault, status.error().text()) != status.error().text()) {
      log::warning("log {}: {}; {}", name, status.error().text(),
                   log::outlet_descriptor(name) >= 0
                       ? "the old one stays"
                       : "its records go to the daemon's log until it can be opened");
    }
    retry_.arm(kRetry);
    return;
  }
  if (!std::exchange(outlet.fault, {}).empty()) log::info("log {}: it is open", name);
  if (logger_ != nullptr) logger_->on_outlet(name);
}

}  // namespace xsd::daemon
