// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/access_list.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "xsd/base/assert.h"

namespace xsd::policy {
namespace {

// The map keeps the lowest number of equal networks: that of no_access before that of only_from, then the
// first of a list.
constexpr std::uint32_t kOfOnlyFrom = AccessList::kMaxEntry + 1;

void append(std::vector<net::PrefixMap::Entry>& entries, const config::AddressSet& set, std::uint32_t mark) {
  for (const auto& [prefix, entry] : set.networks()) {
    XSD_ASSERT(entry <= AccessList::kMaxEntry);
    entries.push_back({prefix, entry | mark});
  }
}

}  // namespace

AccessList::AccessList(const std::optional<config::AddressSet>& only_from,
                       const config::AddressSet& no_access)
    : names_(only_from ? &*only_from : nullptr, no_access),
      has_only_from_(only_from.has_value()),
      has_no_access_(no_access.size() > 0) {
  std::vector<net::PrefixMap::Entry> entries;
  entries.reserve(no_access.networks().size() + (only_from ? only_from->networks().size() : 0));
  append(entries, no_access, 0);
  if (only_from) append(entries, *only_from, kOfOnlyFrom);
  networks_ = net::PrefixMap(std::move(entries));
}

AccessList::ByAddress AccessList::by_address(const net::SocketAddress& peer) const noexcept {
  ByAddress answer;
  AccessDecision& decision = answer.decision;
  if (peer.family() == AF_UNIX) {
    decision.basis = AccessBasis::UnixSocket;
    return answer;
  }
  const auto address = net::Prefix::of(peer);
  if (!address) {
    decision.basis = AccessBasis::NoAddress;
    if (has_only_from_ || has_no_access_) decision.access = Access::Refuse;
    return answer;
  }
  for (const File& one : files_) {
    if (one.file->rules) continue;
    decision = {Access::Refuse, AccessBasis::FileUnread, one.list, 0};
    return answer;
  }
  const Longest longest = find_longest(*address);
  if (longest.is_any) {
    decision = longest.decision;
  } else if (has_only_from_) {
    decision.access = Access::Refuse;
  }
  if (decision.access == Access::Allow) {
    answer.can_be_refused = has_names(AccessListKind::NoAccess, false);
  } else if (!longest.is_any) {
    answer.can_be_let_in = has_names(AccessListKind::OnlyFrom, false);
  } else {
    answer.needs_host = true;
    answer.can_be_let_in = longest.bits < net::Prefix::kV6Bits && has_names(AccessListKind::OnlyFrom, true);
  }
  return answer;
}

AccessList::Longest AccessList::find_longest(const net::Prefix& address) const noexcept {
  Longest longest;
  // Of the same network no_access counts, whichever of them has it.
  const auto take = [&longest](AccessListKind list, const net::PrefixMap::Match& match, std::uint32_t entry) {
    const bool is_better = !longest.is_any || match.bits > longest.bits ||
                           (match.bits == longest.bits && longest.decision.list == AccessListKind::OnlyFrom &&
                            list == AccessListKind::NoAccess);
    if (!is_better) return;
    const Access access = list == AccessListKind::OnlyFrom ? Access::Allow : Access::Refuse;
    longest = {{access, AccessBasis::Network, list, entry}, match.bits, true};
  };
  if (const auto match = networks_.find(address)) {
    const bool is_allowed = (match->value & kOfOnlyFrom) != 0;
    take(is_allowed ? AccessListKind::OnlyFrom : AccessListKind::NoAccess, *match,
         match->value & ~kOfOnlyFrom);
  }
  for (const File& one : files_) {
    if (const auto match = one.file->rules->find(address)) take(one.list, *match, match->value);
  }
  return longest;
}

bool AccessList::has_names(AccessListKind list, bool hosts_only) const noexcept {
  const bool has_own = list == AccessListKind::NoAccess ? names_.has_no_access()
                       : hosts_only                     ? names_.has_only_from_hosts()
                                                        : names_.has_only_from();
  return has_own || std::any_of(files_.begin(), files_.end(), [list](const File& one) {
           return one.list == list && one.file->rules->has_names();
         });
}

std::optional<NameRules::Match> AccessList::find_in_files(AccessListKind list,
                                                          std::string_view name) const noexcept {
  std::optional<NameRules::Match> found;
  for (const File& one : files_) {
    if (one.list != list) continue;
    const auto match = one.file->rules->find_name(name);
    if (match && (!found || (match->is_host && !found->is_host))) found = match;
  }
  return found;
}

void AccessList::add_file(AccessListKind list, std::shared_ptr<const AddressFile> file) {
  files_.push_back({list, std::move(file)});
  (list == AccessListKind::OnlyFrom ? has_only_from_ : has_no_access_) = true;
}

AccessDecision AccessList::decide(const net::SocketAddress& peer) const noexcept {
  ByAddress answer = by_address(peer);
  if (answer.can_be_let_in || answer.can_be_refused) answer.decision.access = Access::AskName;
  return answer.decision;
}

AccessDecision AccessList::decide(const net::SocketAddress& peer, const PeerNames& names) const noexcept {
  const ByAddress answer = by_address(peer);
  if (!answer.can_be_let_in && !answer.can_be_refused) return answer.decision;
  if (!names.are_known) {
    if (answer.needs_host) return answer.decision;  // it is an entry that refuses
    return {Access::Refuse, AccessBasis::NameUnknown, AccessListKind::OnlyFrom, 0};
  }
  const auto of_entry = [](Access access, AccessListKind list, const NameRules::Match& match) {
    return AccessDecision{access, match.is_host ? AccessBasis::Host : AccessBasis::Domain, list, match.entry};
  };
  AccessDecision decision = answer.decision;
  bool is_let_in = !answer.can_be_let_in;  // or was by its address
  for (const std::string& name : names.names) {
    auto [only_from, no_access] = names_.find(name);
    if (!no_access) no_access = find_in_files(AccessListKind::NoAccess, name);
    if (!only_from || !only_from->is_host) {
      if (const auto other = find_in_files(AccessListKind::OnlyFrom, name)) only_from = other;
    }
    if (no_access) return of_entry(Access::Refuse, AccessListKind::NoAccess, *no_access);
    if (is_let_in || !only_from || (answer.needs_host && !only_from->is_host)) continue;
    decision = of_entry(Access::Allow, AccessListKind::OnlyFrom, *only_from);
    is_let_in = true;
  }
  return decision;
}

}  // namespace xsd::policy
