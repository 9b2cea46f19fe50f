// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/sender_names.h"

#include <utility>

namespace xsd::service {

using policy::NameCache;

const NameCache::Names* SenderNames::find(const net::SocketAddress& peer, MonotonicTime now) {
  const NameCache::Names* const known = names_.find(peer, now);
  const bool has_names = known != nullptr && !known->names.empty();
  const bool is_old = has_names && names_.find(peer, now + NameCache::kNamesLast / 2) == nullptr &&
                      failures_.find(peer, now) == nullptr;
  if (known == nullptr || is_old) ask_about(peer, now);
  return known;
}

void SenderNames::ask_about(const net::SocketAddress& peer, MonotonicTime now) {
  const auto key = policy::SourceKey::whole(peer);
  if (!key || asked_.find(*key) != asked_.kNone) return;
  if (asked_.size() == kMostAsked || !bucket_.take(kPace, now)) return;
  const auto slot = asked_.insert(*key, {});
  asked_[slot] = ask_(peer);
}

void SenderNames::learn(const net::SocketAddress& peer, NameCache::Names names, MonotonicTime now) {
  const auto key = policy::SourceKey::whole(peer);
  if (!key) return;
  if (const auto slot = asked_.find(*key); slot != asked_.kNone) {
    asked_[slot] = {};
    asked_.erase(slot);
  }
  const bool holds = !names.are_known && names_.find(peer, now) != nullptr;
  (holds ? failures_ : names_).put(peer, std::move(names), now);
}

}  // namespace xsd::service
