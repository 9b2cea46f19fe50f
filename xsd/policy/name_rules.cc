// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/name_rules.h"

#include <algorithm>
#include <bit>

#include "xsd/base/text.h"

namespace xsd::policy {
namespace {

// FNV-1a, from the last byte to the first. Who may write the lists is trusted not to choose what collides.
constexpr std::uint32_t kHashStart = 2166136261U;
constexpr std::uint32_t kHashFactor = 16777619U;

std::uint32_t hashed(std::uint32_t hash, char c) noexcept {
  const auto lower = static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return (hash ^ lower) * kHashFactor;
}

bool is_domain(std::string_view name) noexcept {
  return name.starts_with('.');
}

}  // namespace

NameRules::NameRules(const config::AddressSet* only_from, const config::AddressSet& no_access) {
  const std::size_t count = no_access.names().size() + (only_from != nullptr ? only_from->names().size() : 0);
  if (count == 0) return;
  places_.resize(std::bit_ceil(2 * count));
  for (const auto& name : no_access.names())
    add(no_access.text_of(name), name.entry, true);
  if (only_from == nullptr) return;
  for (const auto& name : only_from->names()) {
    const std::string_view text = only_from->text_of(name);
    if (search(text).no_access == nullptr) add(text, name.entry, false);
  }
}

// A name that is there already is of the same list: the other one would hold it.
void NameRules::add(std::string_view text, std::uint32_t entry, bool is_no_access) {
  std::uint32_t hash = kHashStart;
  for (auto c = text.rbegin(); c != text.rend(); ++c)
    hash = hashed(hash, *c);
  const std::size_t mask = places_.size() - 1;
  std::size_t at = hash & mask;
  for (; places_[at].rule != 0; at = (at + 1) & mask) {
    Rule& rule = rules_[places_[at].rule - 1];
    if (text_of(rule) != text) continue;
    rule.entry = std::min(rule.entry, entry);
    return;
  }
  rules_.push_back({text_.size(), entry, static_cast<std::uint8_t>(text.size()), is_no_access});
  text_ += text;
  places_[at] = {hash, static_cast<std::uint32_t>(rules_.size())};
  ++(is_no_access ? no_access_ : is_domain(text) ? only_from_domains_ : only_from_hosts_);
}

const NameRules::Rule* NameRules::rule_at(std::string_view text, std::uint32_t hash) const noexcept {
  const std::size_t mask = places_.size() - 1;
  for (std::size_t at = hash & mask; places_[at].rule != 0; at = (at + 1) & mask) {
    if (places_[at].hash != hash) continue;
    const Rule& rule = rules_[places_[at].rule - 1];
    if (equals_ignoring_case(text_of(rule), text)) return &rule;
  }
  return nullptr;
}

NameRules::Rules NameRules::search(std::string_view name) const noexcept {
  Rules found;
  if (places_.empty()) return found;
  std::uint32_t hash = kHashStart;
  for (std::size_t i = name.size(); i-- > 0;) {
    hash = hashed(hash, name[i]);
    if (i > 0 && name[i] != '.') continue;
    const Rule* rule = rule_at(name.substr(i), hash);
    if (rule != nullptr) (rule->is_no_access ? found.no_access : found.only_from) = rule;
  }
  return found;
}

NameRules::Matches NameRules::find(std::string_view name) const noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (is_domain(name)) return {};  // no host has such a name
  const Rules found = search(name);
  const auto match = [this](const Rule* rule) -> std::optional<Match> {
    if (rule == nullptr) return std::nullopt;
    return Match{rule->entry, !is_domain(text_of(*rule))};
  };
  return {match(found.only_from), match(found.no_access)};
}

}  // namespace xsd::policy
