// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/xinetd_reader.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config {
namespace {

using Edit = XinetdAttribute::Edit;
using Words = std::vector<XinetdWord>;

/// How the words behind the operator become a value.
enum class Shape : std::uint8_t {
  Word,      ///< one
  List,      ///< any number
  Set,       ///< the same; += and -= edit what is inherited
  Args,      ///< any number, as they stand, comments too
  Env,       ///< NAME=value, any number; += adds
  Pair,      ///< two
  Redirect,  ///< host and port
};

struct Rule {
  std::string_view name;
  Shape shape = Shape::Word;
  bool in_defaults = false;
  bool in_service = true;
};

constexpr Rule kRules[] = {
    {"access_times", Shape::List},
    {"banner", Shape::Word, true},
    {"banner_fail", Shape::Word, true},
    {"banner_success", Shape::Word, true},
    {"bind", Shape::Word, true},
    {"cps", Shape::Pair, true},
    {"deny_time", Shape::Word},
    {"disable", Shape::Word},
    {"disabled", Shape::Set, true, false},
    {"enabled", Shape::Set, true, false},
    {"env", Shape::Env},
    {"flags", Shape::List},
    {"group", Shape::Word},
    {"groups", Shape::Word, true},
    {"id", Shape::Word},
    {"instances", Shape::Word, true},
    {"interface", Shape::Word, true},
    {"libwrap", Shape::Word},
    {"log_on_failure", Shape::Set, true},
    {"log_on_success", Shape::Set, true},
    {"log_type", Shape::List, true},
    {"max_load", Shape::Word, true},
    {"nice", Shape::Word},
    {"no_access", Shape::Set, true},
    {"only_from", Shape::Set, true},
    {"passenv", Shape::Set, true},
    {"per_source", Shape::Word, true},
    {"port", Shape::Word},
    {"protocol", Shape::Word},
    {"redirect", Shape::Redirect},
    {"rlimit_as", Shape::Word},
    {"rlimit_cpu", Shape::Word},
    {"rlimit_data", Shape::Word},
    {"rlimit_files", Shape::Word},
    {"rlimit_rss", Shape::Word},
    {"rlimit_stack", Shape::Word},
    {"rpc_number", Shape::Word},
    {"rpc_version", Shape::Word},
    {"server", Shape::Word},
    {"server_args", Shape::Args},
    {"socket_type", Shape::Word},
    {"type", Shape::List},
    {"umask", Shape::Word, true},
    {"user", Shape::Word},
    {"v6only", Shape::Word, true},
    {"wait", Shape::Word},
};

const Rule* find_rule(std::string_view name) noexcept {
  const auto* const found =
      std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& rule) { return rule.name == name; });
  return found == std::end(kRules) ? nullptr : found;
}

std::string_view nearest_attribute(std::string_view name) noexcept {
  std::string_view names[std::size(kRules)];
  std::transform(std::begin(kRules), std::end(kRules), std::begin(names),
                 [](const Rule& rule) { return rule.name; });
  return nearest_word(name, names);
}

using config::scalar;
YamlNode scalar(const XinetdWord& word, bool quoted = false) {
  // The only word of xinetd's that is not written in one case.
  return scalar(equals_ignoring_case(word.text, "unlimited") ? "unlimited" : word.text, word.where, quoted);
}

YamlNode& list_of(YamlNode& map, std::string_view key, Position where) {
  if (YamlNode* const list = find_member(map, key)) return *list;
  put(map, key, where, container(YamlNode::Kind::List, where));
  return map.members.back().value;
}

/// One block to a map.
class Translator {
 public:
  Translator(const XinetdItem& item, DiagnosticSink& sink)
      : item_(item), sink_(sink), map_(container(YamlNode::Kind::Map, item.where)) {}

  YamlNode translate() {
    if (!is_defaults() && !item_.argument.text.empty())
      put(map_, "service", item_.where, scalar(item_.argument, true));
    for (const XinetdAttribute& attribute : item_.attributes)
      take(attribute);
    if (!is_defaults()) add_group();
    return std::move(map_);
  }

 private:
  bool is_defaults() const noexcept { return item_.kind == XinetdItem::Kind::Defaults; }

  void take(const XinetdAttribute& attribute) {
    const Rule* const rule = find_rule(attribute.name);
    if (rule == nullptr) return unknown(attribute);
    if (is_defaults() ? !rule->in_defaults : !rule->in_service) {
      return ignore(attribute, is_defaults() ? "belongs into a service" : "belongs into 'defaults'");
    }
    const bool edits = rule->shape == Shape::Set || rule->shape == Shape::Env;
    if (attribute.edit != Edit::Set && !edits)
      return ignore(attribute, "is no set, nothing can be added to it or removed from it");
    if (!edits && find_member(map_, rule->name) != nullptr)
      return ignore(attribute, "is set already, and the first one counts");
    for (const XinetdWord& word : attribute.values) {
      if (std::string why = fault_of_word(word.text); !why.empty())
        return sink_.error(word.where, std::move(why));
    }
    Words values = attribute.values;
    if (rule->shape != Shape::Args && rule->shape != Shape::Env && rule->name != "passenv")
      cut_comment(*rule, values);
    take_values(*rule, attribute, values);
  }

  void take_values(const Rule& rule, const XinetdAttribute& attribute, Words& values) {
    const Position end = attribute.where;
    switch (rule.shape) {
      case Shape::Word:
        if (!has_count(attribute, values, 1)) return;
        return put(map_, rule.name, attribute.where, scalar(values.front()));
      case Shape::Pair:
      case Shape::Redirect:
        if (!has_count(attribute, values, 2)) return;
        return rule.shape == Shape::Pair ? take_pair(attribute, values) : take_redirect(attribute, values);
      case Shape::List:
      case Shape::Args: {
        YamlNode list = container(YamlNode::Kind::List, values.empty() ? end : values.front().where);
        for (const XinetdWord& word : values) {
          YamlNode entry = scalar(word, rule.shape == Shape::Args);
          if (rule.shape == Shape::Args) entry.scalar = literal_argument(word.text);
          list.items.push_back(std::move(entry));
        }
        return put(map_, rule.name, attribute.where, std::move(list));
      }
      case Shape::Set:
        return take_set(rule, attribute, values);
      case Shape::Env:
        return take_env(attribute, values);
    }
  }

  // What was meant to be a comment. Where one word is wanted, two slashes after it begin one too.
  void cut_comment(const Rule& rule, Words& values) {
    const auto begins_comment = [&](const XinetdWord& word) {
      return word.text.starts_with('#') || (word.text.starts_with("//") && &word != values.data());
    };
    const auto comment = std::find_if(values.begin(), values.end(), begins_comment);
    if (comment == values.end()) return;
    sink_.warning(comment->where,
                  "a comment wants a line of its own: xinetd takes these words for values of " +
                      quoted(rule.name) +
                      (rule.shape == Shape::List || rule.shape == Shape::Set
                           ? std::string()
                           : std::string(" and drops it, here it applies")));
    values.erase(comment, values.end());
  }

  bool has_count(const XinetdAttribute& attribute, const Words& values, std::size_t wanted) {
    if (values.size() == wanted) return true;
    ignore(attribute, "wants " + std::string(wanted == 1 ? "one value" : "two values") + ", not " +
                          (values.empty() ? std::string("none") : std::to_string(values.size())));
    return false;
  }

  void take_pair(const XinetdAttribute& attribute, const Words& values) {
    YamlNode list = container(YamlNode::Kind::List, values.front().where);
    for (const XinetdWord& word : values)
      list.items.push_back(scalar(word));
    put(map_, attribute.name, attribute.where, std::move(list));
  }

  void take_redirect(const XinetdAttribute& attribute, const Words& values) {
    const std::string& host = values[0].text;
    const bool is_v6 = host.find(':') != std::string::npos && !host.starts_with('[');
    put(map_, attribute.name, attribute.where,
        scalar((is_v6 ? "[" + host + "]" : host) + ":" + values[1].text, values[0].where, true));
  }

  // One key each for what a service replaces, adds and removes.
  void take_set(const Rule& rule, const XinetdAttribute& attribute, const Words& values) {
    const std::string key(rule.name);
    YamlNode* const replaced = find_member(map_, key);
    if (attribute.edit == Edit::Remove) {
      if (replaced != nullptr) return remove_from(*replaced, values);
      if (is_defaults()) return ignore(attribute, "has nothing yet that could be removed");
      return append_to(key + "-", attribute, values);
    }
    // In `defaults` xinetd adds, whatever the operator.
    if (attribute.edit == Edit::Set && !is_defaults()) {
      std::erase_if(map_.members, [&](const YamlNode::Member& member) {
        return member.key == key || member.key == key + "+" || member.key == key + "-";
      });
      return append_to(key, attribute, values);
    }
    append_to(replaced != nullptr || is_defaults() ? key : key + "+", attribute, values);
  }

  void append_to(const std::string& key, const XinetdAttribute& attribute, const Words& values) {
    YamlNode* list = find_member(map_, key);
    if (list == nullptr) {
      const Position where = values.empty() ? attribute.where : values.front().where;
      put(map_, key, attribute.where, container(YamlNode::Kind::List, where));
      list = &map_.members.back().value;
    }
    for (const XinetdWord& word : values)
      list->items.push_back(scalar(word, true));
  }

  static void remove_from(YamlNode& list, const Words& values) {
    std::unordered_set<std::string> removed;
    for (const XinetdWord& word : values)
      removed.insert(to_lower(word.text));
    std::erase_if(list.items,
                  [&](const YamlNode& entry) { return removed.contains(to_lower(entry.scalar)); });
  }

  void take_env(const XinetdAttribute& attribute, const Words& values) {
    if (attribute.edit == Edit::Remove)
      return sink_.error(attribute.where, "'env' can be set and added to, nothing can be removed from it");
    YamlNode* map = find_member(map_, "env");
    if (map == nullptr) {
      put(map_, "env", attribute.where, container(YamlNode::Kind::Map, attribute.where));
      map = &map_.members.back().value;
    }
    for (const XinetdWord& word : values) {
      if (map->members.size() > kMaxVariables) return;  // they are refused whatever else they hold
      take_variable(*map, word);
    }
  }

  void take_variable(YamlNode& map, const XinetdWord& word) {
    std::string_view text = word.text;
    if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
      text = text.substr(1, text.size() - 2);
      sink_.warning(
          word.where,
          "quotes mean nothing in xinetd's files, where they are part of the name; here they are left out");
    }
    const std::size_t sign = text.find('=');
    if (sign == std::string_view::npos || sign == 0)
      return sink_.error(word.where, "'env' wants NAME=value, not " + quoted(word.text));
    const std::string name(text.substr(0, sign));
    YamlNode value = scalar(std::string(text.substr(sign + 1)), word.where, true);
    if (YamlNode* const known = find_member(map, name)) {
      *known = std::move(value);
    } else {
      put(map, name, word.where, std::move(value));
    }
  }

  // The group of a user that is a number has the same number (xinetd asks nobody about it).
  void add_group() {
    const YamlNode* const user = map_.find("user");
    if (user == nullptr || map_.find("group") != nullptr || !is_digits(user->scalar)) return;
    put(map_, "group", user->where, scalar(user->scalar, user->where));
  }

  void unknown(const XinetdAttribute& attribute) {
    const std::string_view nearest = nearest_attribute(attribute.name);
    ignore(attribute, nearest.empty() ? "is no attribute of xinetd's"
                                      : "is no attribute of xinetd's, did you mean " + quoted(nearest) + "?");
  }

  void ignore(const XinetdAttribute& attribute, const std::string& why) {
    sink_.warning(attribute.where, quoted(attribute.name) + " " + why + "; the line has no effect");
  }

  const XinetdItem& item_;
  DiagnosticSink& sink_;
  YamlNode map_;
};

void put_unless_there(YamlNode& map, std::string_view key, YamlNode value) {
  if (map.find(key) == nullptr) put(map, key, {}, std::move(value));
}

void add_xinetd_defaults(YamlNode& map) {
  put_unless_there(map, "instances", scalar("unlimited", {}));
  put_unless_there(map, "cps", text_list({"50", "10"}));
  put_unless_there(map, "passenv", text_list({"*"}));
  put_unless_there(map, "no_new_privs", scalar("false", {}));
  if (map.find("rlimit_files") == nullptr) put_unless_there(map, "rlimit_nofile", scalar("hard", {}));
  put_unless_there(map, "log_on_success", text_list({}));
  put_unless_there(map, "log_on_failure", text_list({}));
}

}  // namespace

YamlNode xinetd_defaults() {
  YamlNode map = container(YamlNode::Kind::Map, {});
  add_xinetd_defaults(map);
  return map;
}

void name_programs(YamlNode& services) {
  for (YamlNode& service : services.items) {
    const YamlNode* const server = service.find("server");
    if (server == nullptr || has_word(service, "flags", "NAMEINARGS")) continue;
    const Position where = server->where;
    YamlNode name =
        scalar(literal_argument(server->scalar.substr(server->scalar.rfind('/') + 1)), where, true);
    if (name.scalar.empty()) continue;  // a folder, which is refused
    list_of(service, "flags", where).items.push_back(scalar("NAMEINARGS", where));
    auto& arguments = list_of(service, "server_args", where).items;
    arguments.insert(arguments.begin(), std::move(name));
  }
}

bool ask_libwrap(YamlNode& service) {
  const auto is_word = [](const YamlNode* node, std::string_view word) {
    return node != nullptr && equals_ignoring_case(node->scalar, word);
  };
  if (!service.is_map() || service.find("libwrap") != nullptr || has_word(service, "flags", "SENSOR") ||
      has_word(service, "flags", "NOLIBWRAP"))
    return false;
  const bool is_datagram =
      is_word(service.find("socket_type"), "dgram") || is_word(service.find("protocol"), "udp");
  const bool waits = is_word(service.find("wait"), "yes");
  const bool is_internal = has_word(service, "type", "INTERNAL");
  if (is_internal ? is_datagram : waits && !is_datagram) return false;
  put(service, "libwrap", {}, scalar("true", {}));
  return true;
}

XinetdFile read_xinetd_file(std::string_view text, DiagnosticSink& sink) {
  XinetdFile file;
  file.root = container(YamlNode::Kind::Map, {1, 1});
  YamlNode services = container(YamlNode::Kind::List, {1, 1});
  bool has_service = false;
  for (const XinetdItem& item : read_xinetd(text, sink)) {
    switch (item.kind) {
      case XinetdItem::Kind::Include:
      case XinetdItem::Kind::IncludeFolder:
        if (!item.faulty) {
          file.includes.push_back(
              {item.argument.text, item.kind == XinetdItem::Kind::IncludeFolder, item.argument.where});
        }
        break;
      case XinetdItem::Kind::Defaults: {
        if (std::exchange(file.has_defaults, true)) {
          sink.warning(item.where, "a second 'defaults' has no effect");
          break;
        }
        if (has_service) {
          sink.warning(item.where,
                       "'defaults' stands behind services, to which xinetd gives only some of it; here it "
                       "holds for all");
        }
        const std::size_t errors = sink.error_count();
        YamlNode defaults = Translator(item, sink).translate();
        file.has_passenv = defaults.find("passenv") != nullptr;
        add_xinetd_defaults(defaults);
        file.faulty = item.faulty || sink.error_count() > errors;
        put(file.root, "defaults", item.where, std::move(defaults));
        break;
      }
      case XinetdItem::Kind::Service: {
        has_service = true;
        const std::size_t errors = sink.error_count();
        services.items.push_back(Translator(item, sink).translate());
        file.faulty_services.push_back(item.faulty || sink.error_count() > errors);
        break;
      }
    }
  }
  put(file.root, "services", {1, 1}, std::move(services));
  return file;
}

}  // namespace xsd::config
