// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/fold_defaults.h"

#include <algorithm>
#include <utility>

#include "xsd/base/text.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config {
namespace {

bool is_edit(std::string_view key) noexcept {
  return key.ends_with('+') || key.ends_with('-');
}

/// The other name of the same key.
std::string_view twin_of(std::string_view key) noexcept {
  constexpr std::pair<std::string_view, std::string_view> kTwins[] = {{"bind", "interface"},
                                                                      {"rlimit_nofile", "rlimit_files"}};
  for (const auto& [one, other] : kTwins) {
    if (key == one) return other;
    if (key == other) return one;
  }
  return key;
}

YamlNode moved_to(YamlNode node, Position where) {
  node.where = where;
  for (YamlNode& item : node.items)
    item = moved_to(std::move(item), where);
  for (YamlNode::Member& member : node.members) {
    member.where = where;
    member.value = moved_to(std::move(member.value), where);
  }
  return node;
}

std::vector<YamlNode>::iterator place_of(YamlNode& list, std::string_view word) {
  return std::find_if(list.items.begin(), list.items.end(),
                      [&](const YamlNode& item) { return equals_ignoring_case(item.scalar, word); });
}

/// Whether there is a list to edit. What is written nowhere (xinetd's whole environment) is none.
bool is_inherited(const YamlNode& defaults, std::string_view key) {
  const YamlNode* const inherited = defaults.find(key);
  return inherited != nullptr && inherited->where != Position{};
}

YamlNode inherited_list(const YamlNode& defaults, std::string_view key, Position where) {
  if (!is_inherited(defaults, key)) return container(YamlNode::Kind::List, where);
  return moved_to(*defaults.find(key), where);
}

}  // namespace

void fold_defaults(YamlNode& service, const YamlNode& defaults,
                   const std::function<bool(std::string_view)>& wants, DiagnosticSink& sink) {
  YamlNode out = container(YamlNode::Kind::Map, service.where);
  for (YamlNode::Member& member : service.members) {
    if (!is_edit(member.key)) {
      out.members.push_back(std::move(member));
      continue;
    }
    const std::string key = member.key.substr(0, member.key.size() - 1);
    const bool adds = member.key.ends_with('+');
    YamlNode* list = find_member(out, key);
    if (list == nullptr && (adds || is_inherited(defaults, key))) {
      put(out, key, member.where, inherited_list(defaults, key, member.value.where));
      list = find_member(out, key);
    }
    for (YamlNode& word : member.value.items) {
      if (list != nullptr && list->items.size() > kMaxEntries) break;  // it is refused whatever else it holds
      const bool is_there = list != nullptr && place_of(*list, word.scalar) != list->items.end();
      if (adds) {
        if (!is_there) list->items.push_back(std::move(word));
      } else if (is_there) {
        list->items.erase(place_of(*list, word.scalar));
      } else {
        sink.note(word.where, quoted(word.scalar) + " is not in what " + quoted(key) +
                                  " inherits, so there is nothing to remove");
      }
    }
  }
  for (const YamlNode::Member& member : defaults.members) {
    if (find_member(out, member.key) != nullptr || find_member(out, twin_of(member.key)) != nullptr) continue;
    if (wants(member.key)) put(out, member.key, service.where, moved_to(member.value, service.where));
  }
  service = std::move(out);
}

}  // namespace xsd::config
