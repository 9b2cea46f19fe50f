// SPDX-License-Identifier: Apache-2.0
//
// The keys that say who may connect, and how often. See value_decoders.h.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/address_rules.h"
#include "xsd/config/rate.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config::decoders {
namespace {

/// The number of `value`; a complaint names the member, since the key is a map of several.
std::optional<std::uint32_t> number_of(DecodeInput& in, const YamlNode::Member& member, std::uint32_t lowest,
                                       std::uint32_t highest) {
  const auto number = member.value.is_scalar() ? parse_unsigned(member.value.scalar) : std::nullopt;
  if (number && *number >= lowest && *number <= highest) return static_cast<std::uint32_t>(*number);
  in.sink.error(member.value.where, quoted(member.key) + " in " + quoted(in.key) + " wants a number from " +
                                        std::to_string(lowest) + " to " + std::to_string(highest) + ", not " +
                                        describe(member.value));
  return std::nullopt;
}

void unknown_member(DecodeInput& in, const YamlNode::Member& member, std::string_view known) {
  in.sink.error(member.where, "unknown key " + quoted(member.key) + " in " + quoted(in.key) + ", known are " +
                                  std::string(known));
}

/// A token bucket. `action`: where that is a key of the map, too.
std::optional<RateLimit> bucket(DecodeInput& in, const YamlNode& value, bool has_action) {
  if (!value.is_map()) {
    refuse_value(in, value, "a map", "write {limit: 10/s, burst: 20}");
    return std::nullopt;
  }
  if (value.find("limit") == nullptr) {
    in.sink.error(value.where, quoted(in.key) + " wants a 'limit'");
    return std::nullopt;
  }
  std::optional<RateLimit> limit;
  std::optional<std::uint32_t> burst;
  for (const YamlNode::Member& member : value.members) {
    if (member.key == "limit") {
      const auto rate = parse_rate(member.value.is_scalar() ? member.value.scalar : std::string());
      if (rate) {
        limit = RateLimit{*rate, rate->count};
      } else {
        in.sink.error(member.value.where, "'limit' in " + quoted(in.key) + ": " + rate.error().text());
      }
    } else if (member.key == "burst") {
      burst = number_of(in, member, 1, kMaxRateCount);
    } else if (!has_action || member.key != "action") {
      unknown_member(in, member, has_action ? "limit, burst and action" : "limit and burst");
    }
  }
  if (limit && burst) limit->burst = *burst;
  return limit;
}

bool is_unlimited(const YamlNode& value) noexcept {
  return value.is_scalar() && equals_ignoring_case(value.scalar, "unlimited");
}

std::vector<AddressRule> address_list(DecodeInput& in, const YamlNode& value) {
  std::vector<AddressRule> rules;
  const auto entries = entries_of(in, value, "a list of addresses", true);
  if (!entries) return rules;
  for (const YamlNode& entry : *entries) {
    const auto text = entry_of(in, entry);
    if (!text) continue;
    auto rule = parse_address_rule(*text);
    if (!rule) {
      in.sink.error(entry.where, "an entry of " + quoted(in.key) + ": " + rule.error().text());
      continue;
    }
    if (const std::string doubt = doubt_about(*rule, *text); !doubt.empty())
      in.sink.warning(entry.where, "an entry of " + quoted(in.key) + ": " + doubt);
    rules.push_back(std::move(*rule));
  }
  return rules;
}

/// As `edit` says: what is added comes behind what is inherited.
void edit_list(DecodeInput& in, const YamlNode& value, std::vector<AddressRule>& list) {
  std::vector<AddressRule> rules = address_list(in, value);
  if (in.edit == ListEdit::Replace) {
    list = std::move(rules);
    return;
  }
  for (AddressRule& rule : rules) {
    const auto same = std::find(list.begin(), list.end(), rule);
    if (in.edit == ListEdit::Add) {
      if (same == list.end()) list.push_back(std::move(rule));
    } else if (same != list.end()) {
      list.erase(same);
    } else {
      not_inherited(in, value.where, to_string(rule));
    }
  }
}

}  // namespace

// An empty list lets nobody in; without one everybody is.
void only_from(DecodeInput& in, const YamlNode& value) {
  std::vector<AddressRule> list = in.draft->clients.edit().only_from.value_or(std::vector<AddressRule>());
  edit_list(in, value, list);
  in.draft->clients.edit().only_from = std::move(list);
}

void no_access(DecodeInput& in, const YamlNode& value) {
  edit_list(in, value, in.draft->clients.edit().no_access);
}

void source_prefix(DecodeInput& in, const YamlNode& value) {
  if (!value.is_map()) return refuse_value(in, value, "a map", "write {v4: 32, v6: 64}");
  SourcePrefix prefix;
  for (const YamlNode::Member& member : value.members) {
    if (member.key == "v4") {
      if (const auto bits = number_of(in, member, 0, 32)) prefix.v4 = static_cast<std::uint8_t>(*bits);
    } else if (member.key == "v6") {
      if (const auto bits = number_of(in, member, 0, 128)) prefix.v6 = static_cast<std::uint8_t>(*bits);
    } else {
      unknown_member(in, member, "v4 and v6");
    }
  }
  in.draft->clients.edit().source_prefix = prefix;
}

void source_rate(DecodeInput& in, const YamlNode& value) {
  in.draft->clients.edit().source_rate = is_unlimited(value) ? std::nullopt : bucket(in, value, false);
}

void rate(DecodeInput& in, const YamlNode& value) {
  in.draft->clients.edit().rate.reset();
  if (is_unlimited(value)) return;
  const auto limit = bucket(in, value, true);
  const YamlNode* const action = value.find("action");
  bool refuses = false;
  if (action != nullptr) {
    refuses = action->is_scalar() && equals_ignoring_case(action->scalar, "refuse");
    if (!refuses && !(action->is_scalar() && equals_ignoring_case(action->scalar, "delay"))) {
      return in.sink.error(action->where, "'action' in " + quoted(in.key) + " wants delay or refuse, not " +
                                              describe(*action));
    }
  }
  if (limit) in.draft->clients.edit().rate = ServiceRate{*limit, refuses};
}

// In seconds if there is no unit, as xinetd has it; 0 of both is no limit there.
void cps(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "a number of connections and a pause";
  in.draft->clients.edit().cps.reset();
  if (is_unlimited(value)) return;
  if (!value.is_list() || value.items.size() != 2) return refuse_value(in, value, kWanted, "write [50, 10s]");
  const YamlNode& count_node = value.items[0];
  const YamlNode& pause_node = value.items[1];
  const auto count = count_node.is_scalar() ? parse_unsigned(count_node.scalar) : std::nullopt;
  if (!count || *count > kMaxCps) {
    return in.sink.error(count_node.where, "the connections in 'cps' want a number from 0 to " +
                                               std::to_string(kMaxCps) + ", not " + describe(count_node));
  }
  constexpr Duration kLongest = std::chrono::hours(24);
  const auto seconds = pause_node.is_scalar() ? parse_unsigned(pause_node.scalar) : std::nullopt;
  std::optional<Duration> pause = pause_node.is_scalar() ? parse_duration(pause_node.scalar) : std::nullopt;
  if (seconds && *seconds <= 24 * 3600) pause = std::chrono::seconds(*seconds);
  if (!pause || *pause > kLongest) {
    return in.sink.error(
        pause_node.where,
        "the pause in 'cps' wants seconds or a duration, at most 24h, not " + describe(pause_node));
  }
  if (*count == 0 && *pause == Duration::zero()) return;
  if (*count == 0)
    return in.sink.error(count_node.where,
                         "'cps' of 0 connections lets nobody in: to switch it off write [0, 0]");
  in.draft->clients.edit().cps = CpsLimit{static_cast<std::uint32_t>(*count), *pause};
}

}  // namespace xsd::config::decoders
