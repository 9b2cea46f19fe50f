// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/plan.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "xsd/config/plugins.h"

namespace xsd::manager {

bool is_unchanged(const RunningEntry& running, const config::LoadedService& loaded) noexcept {
  const config::Resolution& now = *running.resolution;
  const config::Resolution& next = *loaded.resolution;
  return running.definition->means_the_same(*loaded.definition) && now.endpoints == next.endpoints &&
         now.change_ids == next.change_ids && now.uid == next.uid && now.gid == next.gid &&
         now.groups == next.groups && now.files == next.files && now.networks == next.networks &&
         config::is_same_image(now.plugin_image.get(), next.plugin_image.get());
}

FaultyFiles::FaultyFiles(const std::map<std::string, RunningEntry>& running,
                         const config::Snapshot& snapshot) {
  constexpr std::uint64_t kNow = std::numeric_limits<std::uint64_t>::max();
  std::unordered_set<std::string_view> good;
  for (const config::LoadedService& loaded : snapshot.services) {
    if (loaded.definition != nullptr) good.insert(loaded.id);
  }
  for (const config::LoadedService& loaded : snapshot.services) {
    // A second one of an id is told of at once, and stays what it is.
    if (loaded.definition != nullptr || (loaded.id_known && good.contains(loaded.id))) continue;
    const auto found = running.find(loaded.id);
    const bool is_known = loaded.id_known && found != running.end() && found->second.faulty_since;
    std::uint64_t& latest = latest_[loaded.file];
    latest = std::max(latest, is_known ? *found->second.faulty_since : kNow);
  }
}

bool FaultyFiles::keep(const RunningEntry& entry) const noexcept {
  const auto found = latest_.find(entry.file);
  return found != latest_.end() && found->second > entry.named_in;
}

std::vector<Action> make_plan(const std::map<std::string, RunningEntry>& running,
                              const config::Snapshot& snapshot) {
  std::vector<Action> actions;
  const FaultyFiles faulty_files(running, snapshot);
  std::unordered_set<std::string_view> named;
  for (const config::LoadedService& loaded : snapshot.services) {
    // The good one of two with the same id comes first, whichever file it is in; the other is a fault of its
    // file only.
    if (loaded.definition != nullptr) named.insert(loaded.id);
  }
  for (const config::LoadedService& loaded : snapshot.services) {
    const auto found = running.find(loaded.id);
    const bool serving = found != running.end() && found->second.serving;
    if (loaded.definition == nullptr) {
      if (named.contains(loaded.id))
        continue;  // a second one of this id: told of already, and nobody is hurt
      named.insert(loaded.id);
      actions.push_back({ActionKind::Fault, loaded.id, &loaded});
    } else if (loaded.definition->disabled) {
      actions.push_back({ActionKind::Disable, loaded.id, &loaded});
    } else if (loaded.resolution == nullptr) {
      actions.push_back({ActionKind::Fault, loaded.id, &loaded});
    } else if (!serving) {
      actions.push_back({ActionKind::Start, loaded.id, &loaded});
    } else {
      const ActionKind kind = is_unchanged(found->second, loaded) ? ActionKind::Keep : ActionKind::Change;
      actions.push_back({kind, loaded.id, &loaded});
    }
  }
  for (const auto& [id, entry] : running) {
    if (named.contains(id)) continue;
    if (faulty_files.keep(entry)) continue;
    actions.push_back({ActionKind::Stop, id, nullptr});
  }
  std::stable_sort(actions.begin(), actions.end(),
                   [](const Action& a, const Action& b) { return a.kind < b.kind; });
  return actions;
}

}  // namespace xsd::manager
