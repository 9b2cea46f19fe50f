// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/decode.h"

#include "xsd/base/text.h"
#include "xsd/config/finish_service.h"
#include "xsd/config/settings_table.h"

#include <algorithm>
#include <array>
#include <utility>

namespace xsd::config {
namespace {

constexpr std::array<std::string_view, 4> kMainKeys{"daemon", "defaults", "include", "services"};

constexpr const char* kNoEnable = "a service runs unless it says 'disable: true': leave this line out";

std::string line_text(Position where) {
  return "line " + std::to_string(where.line);
}

bool contains(std::span<const std::string_view> words, std::string_view word) noexcept {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void note_origin(std::vector<ValueOrigin>& origins, const SettingsRow& row, Position where,
                 bool from_defaults) {
  const ValueOrigin origin{row_index(row), from_defaults, where};
  const auto same =
      std::find_if(origins.begin(), origins.end(), [&](const auto& o) { return o.row == origin.row; });
  if (same == origins.end()) {
    origins.push_back(origin);
  } else {
    *same = origin;
  }
}

// Decodes the keys of one service, or of `defaults`.
class KeyDecoder {
 public:
  KeyDecoder(Draft& draft, Defaults* defaults, DiagnosticSink& sink)
      : in_{.sink = sink,
            .key = {},
            .edit = ListEdit::Replace,
            .key_where = {},
            .base_folder = {},
            .draft = &draft,
            .defaults = defaults,
            .daemon = nullptr},
        draft_(draft),
        sink_(sink),
        in_defaults_(defaults != nullptr) {}

  void decode(const YamlNode& map) {
    for (const YamlNode::Member& member : map.members)
      decode(member);
  }

 private:
  void decode(const YamlNode::Member& member) {
    in_.key = member.key;
    in_.key_where = member.where;
    in_.edit = ListEdit::Replace;
    if (member.key.size() > 1 && (member.key.back() == '+' || member.key.back() == '-')) {
      in_.edit = member.key.back() == '+' ? ListEdit::Add : ListEdit::Remove;
      in_.key.remove_suffix(1);
    }
    const SettingsRow* const row = find_service_row(in_.key);
    if (row == nullptr) return unknown_key(member);
    if (!may_stand_here(*row, member)) return;
    if (in_.edit != ListEdit::Replace && !may_edit(*row, member)) return;
    if (!is_said_once(*row, member)) return;
    note_origin(draft_.origins, *row, member.where, in_defaults_);
    if (in_.key == "user") draft_.user_where = member.value.where;
    if (in_.key == "group") draft_.group_where = member.value.where;
    if (in_.key == "server" || in_.key == "plugin" || in_.key == "redirect")
      draft_.server_where = member.value.where;
    if (in_.key == "type" && draft_.server_where == Position{}) draft_.server_where = member.value.where;
    row->decode(in_, member.value);
  }

  void unknown_key(const YamlNode::Member& member) {
    if (sink_.is_full()) return sink_.error(member.where, {});
    const auto nearest = suggest_service_key(in_.key, in_defaults_);
    if ((in_.key == "enable" || in_.key == "enabled") && !in_defaults_) {
      sink_.error(member.where, kNoEnable);
    } else if (find_daemon_row(in_.key) != nullptr) {
      sink_.error(member.where, quoted(member.key) + " stands below 'daemon' in the main file");
    } else {
      sink_.error(member.where, "unknown key " + quoted(member.key) +
                                    (nearest.empty() ? "" : ", did you mean " + quoted(nearest) + "?"));
    }
  }

  bool may_stand_here(const SettingsRow& row, const YamlNode::Member& member) {
    if (row.availability == Availability::Later) {
      sink_.error(member.where, not_available(row.name));
    } else if (row.availability == Availability::Never) {
      sink_.error(member.where, quoted(row.name) + ": " + std::string(row.reason));
    } else if (in_defaults_ && row.scope == Scope::Service) {
      sink_.error(member.where, quoted(row.name) + " belongs into a service, it cannot hold for all");
    } else if (!in_defaults_ && row.scope == Scope::Defaults) {
      sink_.error(member.where, quoted(row.name) + " belongs into 'defaults' of the main file" +
                                    (row.name == "disabled"  ? "; for this service write 'disable: true'"
                                     : row.name == "enabled" ? std::string("; ") + kNoEnable
                                                             : ""));
    } else {
      return true;
    }
    return false;
  }

  bool may_edit(const SettingsRow& row, const YamlNode::Member& member) {
    if (!row.is_list && row.scope == Scope::Service) {
      sink_.error(
          member.where,
          quoted(row.name) + " is never inherited, so there is nothing to edit: write " + quoted(row.name));
    } else if (!row.is_list) {
      sink_.error(member.where,
                  quoted(row.name) + " is no list, nothing can be added to it or removed from it");
    } else if (in_defaults_) {
      sink_.error(member.where, quoted(member.key) + " edits what a service inherits: in 'defaults' write " +
                                    quoted(row.name));
    } else if (plain_keys_.contains(row)) {
      sink_.error(member.where, quoted(member.key) + " edits the inherited list, but " + quoted(row.name) +
                                    " in this service replaces it: write one of them");
    } else {
      edited_keys_.add(row);
      return true;
    }
    return false;
  }

  bool is_said_once(const SettingsRow& row, const YamlNode::Member& member) {
    if (in_.edit == ListEdit::Replace) {
      if (edited_keys_.contains(row)) {
        sink_.error(member.where, quoted(member.key) + " replaces the inherited list that " +
                                      quoted(member.key + "+") + " or " + quoted(member.key + "-") +
                                      " in this service edits: write one of them");
        return false;
      }
      plain_keys_.add(row);
    }
    const std::string_view twin = row.name == "bind" ? "interface" : row.name == "interface" ? "bind" : "";
    if (twin.empty()) return true;
    const ValueOrigin* const other = origin_of(draft_.origins, twin);
    if (other == nullptr || other->from_defaults != in_defaults_) return true;
    sink_.error(member.where, quoted(row.name) + " means the same as " + quoted(twin) + " in " +
                                  line_text(other->where) + ": write one of them");
    return false;
  }

  struct RowSet {
    std::vector<std::uint16_t> rows;
    void add(const SettingsRow& row) { rows.push_back(row_index(row)); }
    bool contains(const SettingsRow& row) const {
      return std::find(rows.begin(), rows.end(), row_index(row)) != rows.end();
    }
  };

  DecodeInput in_;
  Draft& draft_;
  DiagnosticSink& sink_;
  bool in_defaults_;
  RowSet plain_keys_;
  RowSet edited_keys_;
};

bool is_before(Position a, Position b) noexcept {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

// The first error, by its place, of those in [from, to) of the sink that stand in [begin, end); a position
// without a line stands everywhere.
const Diagnostic* first_error(const DiagnosticSink& sink, std::size_t from, std::size_t to, Position begin,
                              Position end) {
  const Diagnostic* first = nullptr;
  for (std::size_t i = from; i < to && i < sink.all().size(); ++i) {
    const Diagnostic& diagnostic = sink.all()[i];
    if (diagnostic.severity != Severity::Error) continue;
    const Position where = diagnostic.where;
    const bool is_inside = !is_before(where, begin) && (end.line == 0 || is_before(where, end));
    if (where.line != 0 && !is_inside) continue;
    if (first == nullptr || is_before(where, first->where)) first = &diagnostic;
  }
  return first;
}

bool is_plain_name(const YamlNode* node) {
  if (node == nullptr || !node->is_scalar() || node->scalar.empty() || node->scalar.size() > 64) return false;
  return std::all_of(node->scalar.begin(), node->scalar.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

// `end`: where the next service of the file begins, {} if there is none. `yaml_errors`: how many diagnostics
// the reader left.
DecodedService decode_service(const YamlNode& map, Position end, std::size_t yaml_errors,
                              std::string_view stem, const Inherited& inherited, const DecodeRules& rules,
                              DiagnosticSink& sink) {
  const std::size_t before = sink.all().size();
  const std::size_t errors_before = sink.error_count();
  DecodedService decoded;
  decoded.where = map.where;
  Draft draft = inherited.defaults.draft;
  if (!map.is_map()) {
    sink.error(map.where, "a service is a map that begins with 'service: NAME', not " + describe(map));
  } else {
    KeyDecoder(draft, nullptr, sink).decode(map);
    for (const YamlNode::Member& member : map.members) {
      if (member.key == "service") draft.where = member.where;
    }
    if (map.find("service") == nullptr) sink.error(map.where, "'service: NAME' is missing");
    finish_service(draft, map, inherited, rules, sink, errors_before);
  }
  const YamlNode* const id = is_plain_name(map.find("id")) ? map.find("id") : map.find("service");
  decoded.id_known = is_plain_name(id);
  decoded.id = decoded.id_known ? id->scalar : std::string(stem);
  if (decoded.id_known) decoded.where = id->where;

  const Diagnostic* error = first_error(sink, 0, yaml_errors, map.where, end);
  if (error == nullptr && sink.error_count() > errors_before) {
    error = first_error(sink, before, sink.all().size(), {}, {});
    if (error == nullptr) decoded.error = std::string(rules.file) + ": too many errors";
  }
  if (error != nullptr) decoded.error = one_line(*error);
  if (decoded.error.empty()) {
    draft.file = rules.file;
    draft.origins.shrink_to_fit();
    decoded.definition =
        std::make_shared<const ServiceDefinition>(std::move(static_cast<ServiceDefinition&>(draft)));
  }
  return decoded;
}

void decode_service_list(const YamlNode& list, std::size_t yaml_errors, std::string_view stem,
                         const Inherited& inherited, const DecodeRules& rules, DiagnosticSink& sink,
                         std::vector<DecodedService>& out) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Position end = i + 1 < list.items.size() ? list.items[i + 1].where : Position{};
    const std::string name = std::string(stem) + "#" + std::to_string(i + 1);
    out.push_back(decode_service(list.items[i], end, yaml_errors, name, inherited, rules, sink));
  }
}

void decode_daemon(const YamlNode& map, const DecodeRules& rules, DiagnosticSink& sink,
                   DaemonSettings& daemon, const std::string& prefix = {}) {
  if (map.is_null()) return;
  if (!map.is_map()) {
    sink.error(map.where, quoted(prefix.empty() ? "daemon" : "log") + " wants a map, not " + describe(map));
    return;
  }
  for (const YamlNode::Member& member : map.members) {
    const std::string name = prefix + member.key;
    const SettingsRow* const row =
        member.key.find('.') == std::string::npos ? find_daemon_row(name) : nullptr;
    if (row == nullptr && sink.is_full()) {
      sink.error(member.where, {});
      continue;
    }
    if (row == nullptr) {
      const auto nearest = suggest_daemon_key(member.key, prefix);
      const SettingsRow* const service_row = find_service_row(member.key);
      std::string hint;
      if (!nearest.empty()) {
        hint = ", did you mean " + quoted(nearest) + "?";
      } else if (service_row != nullptr && prefix.empty()) {
        hint = " below 'daemon': it belongs into a service or into 'defaults'";
      }
      sink.error(member.where, "unknown key " + quoted(member.key) + hint);
      continue;
    }
    note_origin(daemon.origins, *row, member.where, false);
    if (row->decode == nullptr) {
      decode_daemon(member.value, rules, sink, daemon, name + ".");
      continue;
    }
    DecodeInput in{.sink = sink,
                   .key = member.key,
                   .edit = ListEdit::Replace,
                   .key_where = member.where,
                   .base_folder = rules.base_folder,
                   .draft = nullptr,
                   .defaults = nullptr,
                   .daemon = &daemon};
    row->decode(in, member.value);
    if (row->no_effect_yet) daemon.without_effect_yet.emplace_back(row->name);
    if (row->name == "pid_file") daemon.pid_file_written = true;
  }
}

void decode_defaults(const YamlNode& map, DiagnosticSink& sink, Defaults& defaults) {
  if (map.is_null()) return;
  if (!map.is_map())
    return sink.error(map.where, "'defaults' wants a map of service keys, not " + describe(map));
  KeyDecoder(defaults.draft, &defaults, sink).decode(map);
  const auto by_id = [](const ListedId& a, const ListedId& b) { return a.id < b.id; };
  std::stable_sort(defaults.disabled.begin(), defaults.disabled.end(), by_id);
  if (defaults.enabled) std::stable_sort(defaults.enabled->begin(), defaults.enabled->end(), by_id);
}

std::string_view trim_slash(std::string_view path) noexcept {
  while (path.size() > 1 && path.ends_with('/'))
    path.remove_suffix(1);
  return path;
}

void decode_include(const YamlNode& value, DiagnosticSink& sink, std::vector<IncludePattern>& out) {
  DecodeInput in{.sink = sink,
                 .key = "include",
                 .edit = ListEdit::Replace,
                 .key_where = value.where,
                 .base_folder = {},
                 .draft = nullptr,
                 .defaults = nullptr,
                 .daemon = nullptr};
  const auto entries = entries_of(in, value, "a pattern such as conf.d/*.yaml, or a list of them", true);
  if (!entries) return;
  for (const YamlNode& entry : *entries) {
    const auto pattern = entry_of(in, entry);
    if (!pattern) continue;
    const auto slash = pattern->rfind('/');
    const std::string_view folder = slash == std::string_view::npos ? "" : pattern->substr(0, slash);
    const std::string_view name = slash == std::string_view::npos ? *pattern : pattern->substr(slash + 1);
    if (folder.find_first_of("*?[") != std::string_view::npos) {
      sink.error(entry.where,
                 "the folder in " + quoted(*pattern) + " holds a wildcard: only the file name may");
    } else if (name.empty() || (!name.ends_with(".yaml") && name.find_last_of("*?]") != name.size() - 1)) {
      // A folder, or the files of another ending.
      const auto dot = name.rfind('.');
      const bool is_folder = name.find_first_of("*?[") == std::string_view::npos;
      std::string guess(is_folder ? trim_slash(*pattern)
                                  : pattern->substr(0, dot == std::string_view::npos
                                                           ? pattern->size()
                                                           : pattern->size() - (name.size() - dot)));
      guess += is_folder ? "/*.yaml" : ".yaml";
      sink.error(entry.where, quoted(*pattern) +
                                  " names no file that ends in .yaml, and only those are read: write " +
                                  quoted(guess));
    } else {
      out.push_back({std::string(*pattern), entry.where});
    }
  }
}

}  // namespace

DecodedMain decode_main(const YamlNode& root, const DecodeRules& rules, DiagnosticSink& sink,
                        Inherited inherited) {
  DecodedMain main;
  main.inherited = std::move(inherited);
  const std::size_t yaml_errors = sink.all().size();
  const YamlNode* services = nullptr;
  main.daemon.file = rules.file;
  bool includes = false;
  bool is_service_file = false;
  if (!root.is_map() && !root.is_null()) {
    sink.error(root.where,
               "the main file is a map with 'daemon', 'defaults' and 'include', not " + describe(root));
  }
  for (const YamlNode::Member& member : root.members) {
    if (member.key == "daemon") {
      decode_daemon(member.value, rules, sink, main.daemon);
    } else if (member.key == "defaults") {
      decode_defaults(member.value, sink, main.inherited.defaults);
    } else if (member.key == "include") {
      decode_include(member.value, sink, main.include);
      includes = true;
    } else if (member.key == "services") {
      services = &member.value;
    } else if (find_service_row(member.key) != nullptr) {
      // One word about it is enough.
      if (is_service_file) continue;
      is_service_file = true;
      sink.error(member.where,
                 quoted(member.key) +
                     " makes no sense at the top of the main file: services stand in files of their own (" +
                     std::string(kDefaultInclude) + ") or below 'services'");
    } else {
      const auto nearest = nearest_word(member.key, kMainKeys);
      sink.error(member.where, "unknown key " + quoted(member.key) +
                                   (nearest.empty() ? ", known are daemon, defaults, include and services"
                                                    : ", did you mean " + quoted(nearest) + "?"));
    }
  }
  if (services != nullptr && !services->is_list() && !services->is_null()) {
    sink.error(services->where, "'services' wants a list of services, not " + describe(*services));
    services = nullptr;
  }
  if (!includes) main.include.push_back({std::string(kDefaultInclude), {}});
  main.inherited.stop_timeout = main.daemon.stop_timeout;
  main.faulty = sink.error_count() > rules.errors_of_services;
  if (services != nullptr) {
    decode_service_list(*services, yaml_errors, "main", main.inherited, rules, sink, main.services);
  }
  return main;
}

std::vector<DecodedService> decode_service_file(const YamlNode& root, std::string_view stem,
                                                const Inherited& inherited, const DecodeRules& rules,
                                                DiagnosticSink& sink) {
  std::vector<DecodedService> out;
  const std::size_t yaml_errors = sink.all().size();
  const YamlNode* const list = root.find("services");
  if (root.is_null() && !sink.has_errors()) return out;
  if (!root.is_map()) {
    const bool is_xinetd =
        root.is_scalar() && root.scalar.starts_with("service ") && root.scalar.find('{') != std::string::npos;
    sink.error(root.where,
               is_xinetd ? "this is a file of xinetd's: translate it with 'xsd --import xinetd FILE'"
                         : "a service file is a map that begins with 'service: NAME' or 'services:', not " +
                               describe(root));
  } else if (list != nullptr) {
    for (const YamlNode::Member& member : root.members) {
      if (member.key == "services") continue;
      sink.error(member.where, "unknown key " + quoted(member.key) +
                                   " beside 'services': it belongs into one of the services");
    }
    if (!list->is_list() && !list->is_null()) {
      sink.error(list->where, "'services' wants a list of services, not " + describe(*list));
    }
    // What stands outside of the services is nobody's own fault: the services are good or not by themselves.
    decode_service_list(*list, yaml_errors, stem, inherited, rules, sink, out);
  } else {
    bool is_main = false;
    for (const YamlNode::Member& member : root.members) {
      const bool belongs_there = contains(kMainKeys, member.key);
      is_main = is_main || belongs_there;
      if (belongs_there)
        sink.error(member.where, quoted(member.key) + " belongs into the main file, not into a service file");
    }
    if (!is_main) {
      out.push_back(decode_service(root, {}, yaml_errors, stem, inherited, rules, sink));
      return out;
    }
  }
  if (sink.has_errors() && out.empty()) {
    DecodedService faulty;
    faulty.id = stem;
    faulty.id_known = false;
    const Diagnostic* const error = first_error(sink, 0, sink.all().size(), {}, {});
    faulty.error = error != nullptr ? one_line(*error) : std::string(rules.file) + ": too many errors";
    out.push_back(std::move(faulty));
  }
  return out;
}

}  // namespace xsd::config
