// SPDX-License-Identifier: Apache-2.0
//
// The rules of AccessList as they are written down, by looking at every entry, to hold the real one against.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/base/text.h"
#include "xsd/config/address_rules.h"
#include "xsd/policy/access_list.h"

namespace xsd::policy::slow {

using config::AddressRule;
using Rules = std::vector<AddressRule>;

inline config::AddressSet to_set(const Rules& rules) {
  config::AddressSet set;
  for (std::size_t i = 0; i < rules.size(); ++i)
    config::add_rule(rules[i], static_cast<std::uint32_t>(i), set);
  return set;
}

struct Lists {
  std::optional<Rules> only_from;
  Rules no_access;

  const Rules& allowed() const {
    static const Rules kNone;
    return only_from ? *only_from : kNone;
  }
  AccessList build() const {
    std::optional<config::AddressSet> set;
    if (only_from) set = to_set(*only_from);
    return {set, to_set(no_access)};
  }
};

inline bool is_domain(const AddressRule& rule) {
  return rule.kind == AddressRule::Kind::Domain;
}

inline bool holds(const AddressRule& rule, std::string_view name) {
  std::string lower = to_lower(name);
  if (lower.ends_with('.')) lower.pop_back();
  if (rule.kind == AddressRule::Kind::Network || lower.starts_with('.')) return false;
  if (!is_domain(rule)) return lower == rule.text;
  return lower.size() > rule.text.size() && lower.ends_with(rule.text);
}

/// The entry that a name finds: hosts first, then the longest domain, then the first.
inline std::optional<std::size_t> find(const Rules& rules, std::string_view name, bool hosts_only = false) {
  std::optional<std::size_t> best;
  const auto weight = [&](std::size_t i) { return is_domain(rules[i]) ? rules[i].text.size() : 1000; };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!holds(rules[i], name) || (hosts_only && is_domain(rules[i]))) continue;
    if (!best || weight(i) > weight(*best)) best = i;
  }
  return best;
}

/// The longest network that holds `address`, and the entry that it stands in.
struct Longest {
  int bits = -1;
  std::uint32_t entry = 0;
};
inline Longest longest(const Rules& rules, const net::Prefix& address) {
  Longest best;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (const net::Prefix& prefix : rules[i].prefixes) {
      if (prefix.contains(address) && static_cast<int>(prefix.bits()) > best.bits)
        best = {static_cast<int>(prefix.bits()), static_cast<std::uint32_t>(i)};
    }
  }
  return best;
}

/// As access_list.h says it, for names that are known.
inline Access outcome(const Lists& lists, const net::Prefix& address, const std::vector<std::string>& names) {
  int allowed = longest(lists.allowed(), address).bits;
  const int refused = longest(lists.no_access, address).bits;
  bool in_domain = false;
  for (const std::string& name : names) {
    if (find(lists.no_access, name)) return Access::Refuse;
    if (find(lists.allowed(), name, true)) allowed = 128;
    in_domain = in_domain || find(lists.allowed(), name);
  }
  if (allowed >= 0 || refused >= 0) return allowed > refused ? Access::Allow : Access::Refuse;
  return in_domain || !lists.only_from ? Access::Allow : Access::Refuse;
}

/// Whether there is a name that leads to another answer than none. '*' is in no name of an entry.
inline bool can_matter(const Lists& lists, const net::Prefix& address) {
  const Access without = outcome(lists, address, {});
  for (const Rules* rules : {&lists.allowed(), &lists.no_access}) {
    for (const AddressRule& rule : *rules) {
      if (rule.kind == AddressRule::Kind::Network) continue;
      const std::string name = is_domain(rule) ? "*" + rule.text : rule.text;
      if (outcome(lists, address, {name}) != without) return true;
    }
  }
  return false;
}

inline AccessDecision by_address(const Lists& lists, const net::Prefix& address) {
  const Longest allowed = longest(lists.allowed(), address);
  const Longest refused = longest(lists.no_access, address);
  AccessDecision decision;
  decision.access = outcome(lists, address, {});
  if (allowed.bits < 0 && refused.bits < 0) return decision;
  decision.basis = AccessBasis::Network;
  decision.list = decision.access == Access::Allow ? AccessListKind::OnlyFrom : AccessListKind::NoAccess;
  decision.entry = decision.access == Access::Allow ? allowed.entry : refused.entry;
  return decision;
}

inline AccessDecision decide(const Lists& lists, const net::Prefix& address) {
  AccessDecision decision = by_address(lists, address);
  if (can_matter(lists, address)) decision.access = Access::AskName;
  return decision;
}

inline AccessDecision decide(const Lists& lists, const net::Prefix& address, bool are_known,
                             const std::vector<std::string>& names) {
  const AccessDecision plain = by_address(lists, address);
  if (!can_matter(lists, address)) return plain;
  if (!are_known) {
    if (plain.access == Access::Refuse && plain.basis == AccessBasis::Network) return plain;
    return {Access::Refuse, AccessBasis::NameUnknown, AccessListKind::OnlyFrom, 0};
  }
  const auto of_entry = [](Access access, AccessListKind list, const Rules& rules, std::size_t entry) {
    return AccessDecision{access, is_domain(rules[entry]) ? AccessBasis::Domain : AccessBasis::Host, list,
                          static_cast<std::uint32_t>(entry)};
  };
  for (const std::string& name : names) {
    if (const auto entry = find(lists.no_access, name))
      return of_entry(Access::Refuse, AccessListKind::NoAccess, lists.no_access, *entry);
  }
  if (outcome(lists, address, names) == plain.access) return plain;
  for (const std::string& name : names) {
    if (const auto entry = find(lists.allowed(), name, plain.basis == AccessBasis::Network))
      return of_entry(Access::Allow, AccessListKind::OnlyFrom, lists.allowed(), *entry);
  }
  return plain;
}

}  // namespace xsd::policy::slow
