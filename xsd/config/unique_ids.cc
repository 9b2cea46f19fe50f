// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/unique_ids.h"

#include <algorithm>
#include <string_view>

#include "xsd/base/text.h"
#include "xsd/config/foreign_tree.h"

namespace xsd::config {
namespace {

constexpr std::size_t kLongestId = 64;

bool says(const YamlNode* value, std::string_view word) {
  return value != nullptr && equals_ignoring_case(value->scalar, word);
}

/// IPv4 alone is nothing special.
std::string kind_of_socket(const YamlNode& service) {
  const YamlNode* const listen = service.find("listen");
  if (listen != nullptr && !listen->items.empty()) {
    const std::string& text = listen->items.front().scalar;
    const std::string scheme = text.substr(0, text.find("://"));
    return scheme == "tcp4" ? "tcp" : scheme == "udp4" ? "udp" : scheme;
  }
  const bool is_udp = says(service.find("socket_type"), "dgram") || says(service.find("protocol"), "udp");
  const bool is_v6 = has_word(service, "flags", "IPv6") && !has_word(service, "flags", "IPv4");
  return is_v6 ? (is_udp ? "udp6" : "tcp6") : (is_udp ? "udp" : "tcp");
}

std::string with_suffix(const std::string& id, const std::string& suffix) {
  return id.substr(0, kLongestId - suffix.size() - 1) + "-" + suffix;
}

}  // namespace

void UniqueIds::claim(YamlNode& service, DiagnosticSink& sink) {
  YamlNode* const own = find_member(service, "id");
  const YamlNode* const name = own != nullptr ? own : service.find("service");
  if (name == nullptr || !name->is_scalar()) return;
  const std::string kind = kind_of_socket(service);
  const std::string id = name->scalar;
  if (take(id, kind)) return;
  Owner& owner = taken_.at(id);  // stays where it is whatever is added
  std::string other = owner.kind == kind ? id : with_suffix(id, kind);
  while (!take(other, kind))
    other = with_suffix(id, std::to_string(++owner.last));
  sink.note(service.where, "the id " + quoted(id) + " is taken, this service gets " + quoted(other));
  if (own != nullptr) {
    own->scalar = other;
    return;
  }
  YamlNode::Member member{"id", service.where, scalar(other, service.where, true)};
  const auto place = std::find_if(service.members.begin(), service.members.end(),
                                  [](const YamlNode::Member& one) { return one.key == "service"; });
  service.members.insert(place + 1, std::move(member));
}

}  // namespace xsd::config
