// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/name_cache.h"

#include <utility>

namespace xsd::policy {

const NameCache::Names* NameCache::find(const net::SocketAddress& peer, MonotonicTime now) const noexcept {
  const auto key = SourceKey::whole(peer);
  const Map::Slot slot = key ? entries_.find(*key) : Map::kNone;
  return slot != Map::kNone && now < entries_[slot].until ? &entries_[slot].names : nullptr;
}

void NameCache::put(const net::SocketAddress& peer, Names names, MonotonicTime now) {
  const auto key = SourceKey::whole(peer);
  if (!key) return;
  if (const Map::Slot slot = entries_.find(*key); slot != Map::kNone) erase(slot);
  if (entries_.size() == kMostPeers) erase(oldest_);
  const Duration lasts = !names.are_known ? kUnknownLasts : names.names.empty() ? kNoneLasts : kNamesLast;
  const Map::Slot slot = entries_.insert(*key, {std::move(names), now + lasts, newest_, Map::kNone});
  (newest_ == Map::kNone ? oldest_ : entries_[newest_].newer) = slot;
  newest_ = slot;
}

void NameCache::erase(Map::Slot slot) noexcept {
  const Entry& entry = entries_[slot];
  (entry.older == Map::kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == Map::kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  entries_[slot].names = {};
  entries_.erase(slot);
}

}  // namespace xsd::policy
