// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/mux_targets.h"

#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "xsd/base/text.h"

namespace xsd::manager {
namespace {

bool is_mux(const config::LoadedService& loaded) noexcept {
  return loaded.definition != nullptr && loaded.definition->kind == config::ServiceKind::Plugin &&
         loaded.definition->plugin == config::kMuxPlugin;
}

// Case makes no difference to who asks; of two with the same name the first one counts.
class Targets {
 public:
  void add(const config::ServiceDefinition& definition) {
    if (definition.mux == config::MuxKind::None || definition.disabled) return;
    by_name_.try_emplace(to_lower(definition.service),
                         config::MuxTarget{definition.service, definition.id, definition.mux});
  }
  std::vector<config::MuxTarget> list() const {
    std::vector<config::MuxTarget> all;
    for (const auto& [name, target] : by_name_)
      all.push_back(target);
    return all;
  }

 private:
  std::map<std::string, config::MuxTarget> by_name_;
};

}  // namespace

void add_mux_targets(config::Snapshot& snapshot, const std::map<std::string, RunningEntry>& running) {
  bool is_wanted = false;
  Targets targets;
  std::unordered_set<std::string_view> good;
  std::unordered_set<std::string_view> faulty;
  for (const config::LoadedService& loaded : snapshot.services) {
    is_wanted = is_wanted || is_mux(loaded);
    if (loaded.definition != nullptr) {
      targets.add(*loaded.definition);
      good.insert(loaded.id);
    } else {
      faulty.insert(loaded.id);
    }
  }
  if (!is_wanted) return;
  const FaultyFiles faulty_files(running, snapshot);
  for (const auto& [id, entry] : running) {
    const bool goes_on = !good.contains(id) && (faulty.contains(id) || faulty_files.keep(entry));
    if (entry.serving && goes_on) targets.add(*entry.definition);
  }
  const std::vector<config::MuxTarget> list = targets.list();
  if (list.empty()) return;
  for (config::LoadedService& loaded : snapshot.services) {
    if (!is_mux(loaded)) continue;
    auto completed = std::make_shared<config::ServiceDefinition>(*loaded.definition);
    completed->mux_targets.edit() = list;
    loaded.definition = std::move(completed);
  }
}

}  // namespace xsd::manager
