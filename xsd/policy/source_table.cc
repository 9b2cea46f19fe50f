// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/source_table.h"

#include "xsd/base/assert.h"

namespace xsd::policy {

SourceTable::Admission SourceTable::begin(const net::SocketAddress& peer, MonotonicTime now) {
  const auto key = SourceKey::of(peer, limits_.prefix);
  if (!key) return {};
  forget_full(now);
  Map::Slot slot = sources_.find(*key);
  const std::uint64_t active = slot == kNone ? 0 : sources_[slot].active;
  if (!limits_.per_source.is_unlimited() && active >= limits_.per_source.value)
    return {Reason::PerSource, {}};
  if (slot == kNone) {
    slot = sources_.insert(*key, {});
  } else if (active == 0) {
    take_idle(slot);
  }
  Source& source = sources_[slot];
  if (limits_.source_rate && !source.bucket.take(*limits_.source_rate, now)) {
    if (active == 0) put_idle(slot);
    return {Reason::SourceRate, {}};
  }
  ++source.active;
  return {std::nullopt, SourceTicket(slot)};
}

void SourceTable::end(SourceTicket ticket) noexcept {
  if (ticket.slot_ == kNone) return;
  Source& source = sources_[ticket.slot_];
  XSD_ASSERT(source.active > 0);
  if (--source.active > 0) return;
  if (!limits_.source_rate) {
    sources_.erase(ticket.slot_);
    return;
  }
  put_idle(ticket.slot_);
}

void SourceTable::forget_full(MonotonicTime now) noexcept {
  // More than one, so that there are fewer of them in the end.
  for (int i = 0; i < 2 && oldest_ != kNone; ++i) {
    const Map::Slot slot = oldest_;
    if (limits_.source_rate && !sources_[slot].bucket.is_full(*limits_.source_rate, now)) return;
    take_idle(slot);
    sources_.erase(slot);
  }
}

void SourceTable::put_idle(Map::Slot slot) noexcept {
  Source& source = sources_[slot];
  source.newer = kNone;
  source.older = newest_;
  if (newest_ != kNone) sources_[newest_].newer = slot;
  newest_ = slot;
  if (oldest_ == kNone) oldest_ = slot;
  if (++idle_ <= kMaxIdleSources) return;
  const Map::Slot oldest = oldest_;
  take_idle(oldest);
  sources_.erase(oldest);
}

void SourceTable::take_idle(Map::Slot slot) noexcept {
  Source& source = sources_[slot];
  (source.newer == kNone ? newest_ : sources_[source.newer].older) = source.older;
  (source.older == kNone ? oldest_ : sources_[source.older].newer) = source.newer;
  source.newer = source.older = kNone;
  --idle_;
}

}  // namespace xsd::policy
