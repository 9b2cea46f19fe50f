// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/ban_list.h"

#include <algorithm>

namespace xsd::policy {

BanChange BanList::add(const Ban& ban, MonotonicTime now) {
  BanChange change;
  if (ban.until <= now) return change;
  drop_expired(now, 2);
  if (const Map::Slot known = bans_.find(ban.source); known != Map::kNone) {
    if (bans_[known].until > now) return change;
    erase(known);
  }
  if (bans_.size() == kMaxBans) {
    const Map::Slot soonest = heap_.front();
    if (ban.until < bans_[soonest].until) return change;
    change.removed = bans_.key(soonest);
    erase(soonest);
  }
  const Map::Slot slot = bans_.insert(ban.source, {.until = ban.until, .number = next_number_++});
  heap_.push_back(slot);
  sift_up(heap_.size() - 1);
  Lengths& of = lengths(ban.source.v4);
  if (of.counts[ban.source.bits]++ == 0) of.used.push_back(ban.source.bits);
  change.added = true;
  return change;
}

bool BanList::remove(const SourceKey& source) noexcept {
  const Map::Slot slot = bans_.find(source);
  if (slot == Map::kNone) return false;
  erase(slot);
  return true;
}

bool BanList::is_banned(const net::SocketAddress& peer, MonotonicTime now) noexcept {
  const auto key = SourceKey::whole(peer);
  if (!key) return false;
  drop_expired(now, 1);
  for (const std::uint8_t bits : lengths(key->v4).used) {
    const Map::Slot slot = bans_.find(key->cut(bits));
    if (slot != Map::kNone && bans_[slot].until > now) return true;
  }
  return false;
}

std::vector<Ban> BanList::list(MonotonicTime now) const {
  std::vector<Ban> out;
  out.reserve(heap_.size());
  for (const Map::Slot slot : heap_) {
    if (bans_[slot].until > now) out.push_back({bans_.key(slot), bans_[slot].until});
  }
  return out;
}

void BanList::drop_expired(MonotonicTime now, int most) noexcept {
  for (; most > 0 && !heap_.empty() && bans_[heap_.front()].until <= now; --most)
    erase(heap_.front());
}

void BanList::erase(Map::Slot slot) noexcept {
  const std::size_t at = bans_[slot].place;
  const Map::Slot last = heap_.back();
  heap_.pop_back();
  if (last != slot) {
    place(at, last);
    sift_up(at);
    sift_down(bans_[last].place);
  }
  const SourceKey source = bans_.key(slot);
  Lengths& of = lengths(source.v4);
  if (--of.counts[source.bits] == 0) std::erase(of.used, source.bits);
  bans_.erase(slot);
}

bool BanList::ends_before(Map::Slot a, Map::Slot b) const noexcept {
  const Entry& first = bans_[a];
  const Entry& second = bans_[b];
  return first.until != second.until ? first.until < second.until : first.number < second.number;
}

void BanList::place(std::size_t at, Map::Slot slot) noexcept {
  heap_[at] = slot;
  bans_[slot].place = static_cast<std::uint32_t>(at);
}

void BanList::sift_up(std::size_t at) noexcept {
  const Map::Slot slot = heap_[at];
  while (at > 0 && ends_before(slot, heap_[(at - 1) / 2])) {
    place(at, heap_[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  place(at, slot);
}

void BanList::sift_down(std::size_t at) noexcept {
  const Map::Slot slot = heap_[at];
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && ends_before(heap_[child + 1], heap_[child])) ++child;
    if (!ends_before(heap_[child], slot)) break;
    place(at, heap_[child]);
    at = child;
  }
  place(at, slot);
}

}  // namespace xsd::policy
