// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/xinetd_service.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/settings_table.h"

namespace xsd::config {
namespace {

void drop_word(YamlNode& service, std::string_view key, std::string_view word) {
  YamlNode* const list = find_member(service, key);
  if (list == nullptr) return;
  std::erase_if(list->items, [&](const YamlNode& item) { return equals_ignoring_case(item.scalar, word); });
  if (list->items.empty()) drop_member(service, key);
}

bool is_true(const YamlNode* value) {
  return value != nullptr && parse_boolean(value->scalar).value_or(false);
}

class Adapter {
 public:
  Adapter(YamlNode& service, DiagnosticSink& sink) : service_(service), sink_(sink) {}

  bool adapt() {
    if (!has_equivalent()) return false;
    drop_second_of_twins();
    check_v6only();
    drop_what_has_no_effect();
    tell_of_pause(service_, sink_);
    if (!is_true(service_.find("disable"))) check_what_is_missing();
    return true;
  }

  static void tell_of_pause(const YamlNode& map, DiagnosticSink& sink) {
    for (const YamlNode::Member& member : map.members) {
      const auto& limit = member.value.items;
      const bool is_off = !limit.empty() && parse_unsigned(limit.front().scalar) == 0U;
      if (member.key == "cps" && member.where != Position{} && !is_off) {
        sink.note(member.where,
                  "in the pause of 'cps' the port stays open here: clients wait instead of being "
                  "turned away");
      }
    }
  }

 private:
  bool has_equivalent() {
    const YamlNode* const internal = find_word(service_, "type", "INTERNAL");
    if (internal == nullptr || is_sensor()) return true;
    const YamlNode* const name = service_.find("service");
    if (name != nullptr && is_internal_service(name->scalar)) return true;
    sink_.error(internal->where,
                quoted(name == nullptr ? std::string() : name->scalar) + " is no internal service of xsd");
    return false;
  }

  bool is_sensor() const { return has_word(service_, "flags", "SENSOR"); }

  // `interface` is another name of `bind`.
  void drop_second_of_twins() {
    const auto is_one = [](const YamlNode::Member& member) {
      return member.key == "bind" || member.key == "interface";
    };
    auto& members = service_.members;
    const auto first = std::find_if(members.begin(), members.end(), is_one);
    if (first == members.end()) return;
    const auto second = std::find_if(first + 1, members.end(), is_one);
    if (second == members.end()) return;
    sink_.warning(second->where, quoted(second->key) + " is the same as " + quoted(first->key) +
                                     ", and the first one counts");
    members.erase(second);
  }

  void check_v6only() {
    const YamlNode* const v6only = service_.find("v6only");
    if (v6only == nullptr || parse_boolean(v6only->scalar) != false) return;
    sink_.warning(v6only->where,
                  "with any value of 'v6only' xinetd listens on IPv6 alone; here 'no' means no");
  }

  void drop_what_has_no_effect() {
    if (is_sensor()) {
      drop_word(service_, "type", "INTERNAL");
      drop_with_note("server", "a SENSOR starts nothing");
      drop_with_note("server_args", "a SENSOR starts nothing");
    }
    if (service_.find("redirect") != nullptr) {
      drop_with_note("server", "the service is redirected");
      drop_with_note("server_args", "the service is redirected");
    }
    if (starts_program(service_)) return;
    std::erase_if(service_.members, [&](const YamlNode::Member& member) {
      if (is_for_all_services(member.key)) return false;
      sink_.note(member.where, quoted(member.key) + " is left out: no program is started for this service");
      return true;
    });
    for (const std::string_view flag : {"NAMEINARGS", "NORETRY"})
      drop_word(service_, "flags", flag);
  }

  void drop_with_note(std::string_view key, const std::string& why) {
    for (const YamlNode::Member& member : service_.members) {
      if (member.key == key) sink_.note(member.where, quoted(key) + " is left out: " + why);
    }
    drop_member(service_, key);
  }

  void check_what_is_missing() {
    const YamlNode* const protocol = service_.find("protocol");
    const bool is_udp = protocol != nullptr && equals_ignoring_case(protocol->scalar, "udp");
    if (service_.find("socket_type") == nullptr) tell_of_missing("socket_type", is_udp ? "dgram" : "stream");
    const YamlNode* const type = service_.find("socket_type");
    const bool is_datagram = type == nullptr ? is_udp : equals_ignoring_case(type->scalar, "dgram");
    if (service_.find("wait") == nullptr) tell_of_missing("wait", is_datagram ? "yes" : "no");
  }

  void tell_of_missing(std::string_view key, std::string_view instead) {
    sink_.warning(
        service_.where,
        quoted(key) + " is missing, so xinetd does not take this service; here it is " + quoted(instead));
  }

  YamlNode& service_;
  DiagnosticSink& sink_;
};

void tell_of_both_lists(const YamlNode& map, DiagnosticSink& sink) {
  const YamlNode* const no_access = map.find("no_access");
  if (map.find("only_from") == nullptr || no_access == nullptr || no_access->items.empty()) return;
  sink.note(no_access->where,
            "of both lists the longest network that holds a client counts; xinetd refuses who is in both");
}

}  // namespace

bool starts_program(const YamlNode& service) {
  return !has_word(service, "type", "INTERNAL") && !has_word(service, "flags", "SENSOR") &&
         service.find("redirect") == nullptr;
}

bool is_for_all_services(std::string_view key) {
  const SettingsRow* const row = find_service_row(key);
  return row == nullptr || (row->applies_to != AppliesTo::Programs && row->applies_to != AppliesTo::Started);
}

bool adapt_xinetd_service(YamlNode& service, DiagnosticSink& sink) {
  return Adapter(service, sink).adapt();
}

void adapt_xinetd_defaults(YamlNode& defaults, DiagnosticSink& sink) {
  std::erase_if(defaults.members, [&](const YamlNode::Member& member) {
    if (member.key != "v6only") return false;
    sink.warning(member.where, "'v6only' has no effect in 'defaults' of xinetd; it is left out");
    return true;
  });
  Adapter::tell_of_pause(defaults, sink);
  tell_of_both_lists(defaults, sink);
}

void finish_xinetd_service(YamlNode& service, DiagnosticSink& sink) {
  const auto is_own = [&](std::string_view key) {
    const YamlNode* const value = service.find(key);
    return value != nullptr && value->where != service.where;
  };
  if (is_own("only_from") || is_own("no_access")) tell_of_both_lists(service, sink);
  // xinetd does not take a service that inherits this word without a meaning for it.
  const bool has_bytes = service.find("redirect") != nullptr || has_word(service, "type", "INTERNAL");
  if (has_bytes || is_own("log_on_success") || !has_word(service, "log_on_success", "TRAFFIC")) return;
  sink.warning(service.where,
               "'TRAFFIC' in 'defaults' is for services that are redirected: xinetd does not take this one, "
               "here it is left out");
  std::erase_if(find_member(service, "log_on_success")->items,
                [](const YamlNode& item) { return equals_ignoring_case(item.scalar, "TRAFFIC"); });
}

}  // namespace xsd::config
