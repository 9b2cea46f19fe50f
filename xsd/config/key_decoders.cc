// SPDX-License-Identifier: Apache-2.0
//
// The decoders of single keys; those of kinds of values are in value_decoders.cc.
#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/argument_piece.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/value_decoders.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace xsd::config::decoders {
namespace {

constexpr std::size_t kLongestName = 64;

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+-@:/").find(c) != std::string_view::npos;
}

}  // namespace

void service_name(DecodeInput& in, const YamlNode& value) {
  service_id(in, value);
  if (value.is_scalar()) in.draft->service = value.scalar;
}

void service_id(DecodeInput& in, const YamlNode& value) {
  const auto scalar = scalar_of(in, value, "a name");
  if (!scalar) return;
  if (scalar->size() > kLongestName || !std::all_of(scalar->begin(), scalar->end(), is_name_character)) {
    return refuse_value(in, value, "a name of at most 64 letters, digits and . _ + - @ : /");
  }
  if (in.key == "id") in.draft->id = *scalar;
}

void type(DecodeInput& in, const YamlNode& value) {
  word_set(in, value, in.draft->types, kTypeWords, true);
}

void socket_type(DecodeInput& in, const YamlNode& value) {
  static constexpr std::string_view kWords[] = {"stream", "dgram", "seqpacket", "raw"};
  static constexpr std::string_view kWanted = "stream or dgram";
  const auto scalar = scalar_of(in, value, kWanted);
  if (!scalar) return;
  if (equals_ignoring_case(*scalar, kWords[0])) {
    in.draft->socket_type = net::Transport::Stream;
  } else if (equals_ignoring_case(*scalar, kWords[1])) {
    in.draft->socket_type = net::Transport::Datagram;
  } else if (equals_ignoring_case(*scalar, kWords[2])) {
    in.sink.error(value.where,
                  "seqpacket sockets are unix sockets here: write 'listen: unix-seqpacket:///PATH'");
  } else if (equals_ignoring_case(*scalar, kWords[3])) {
    in.sink.error(value.where, "raw sockets are not supported");
  } else {
    const auto nearest = nearest_word(*scalar, std::span(kWords).first(2));
    refuse_value(in, value, kWanted, nearest.empty() ? "" : "did you mean " + quoted(nearest) + "?");
  }
}

void listen(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "an endpoint such as tcp://127.0.0.1:7, or a list of them";
  const auto entries = entries_of(in, value, kWanted, true);
  if (!entries) return;
  if (entries->empty())
    return in.sink.error(value.where, "'listen' is empty: nobody could reach the service");
  in.draft->listen.clear();
  for (const YamlNode& entry : *entries) {
    if (entry.is_list() || entry.is_map()) {
      refuse_value(in, entry, kWanted, "an address in brackets stands in quotes: \"tcp://[::1]:7\"");
      continue;
    }
    const auto scalar = scalar_of(in, entry, kWanted);
    if (!scalar) continue;
    auto spec = parse_listen(*scalar);
    if (!spec) {
      in.sink.error(entry.where, spec.error().text());
      continue;
    }
    spec->where = entry.where;
    in.draft->listen.push_back(std::move(*spec));
  }
}

void port(DecodeInput& in, const YamlNode& value) {
  const auto scalar = scalar_of(in, value, "a port");
  if (!scalar) return;
  auto checked = parse_listen_port(*scalar);
  if (!checked) return in.sink.error(value.where, checked.error().text());
  in.draft->port = std::move(*checked);
}

void bind(DecodeInput& in, const YamlNode& value) {
  const auto scalar = scalar_of(in, value, "an address or a host name");
  if (!scalar) return;
  ListenSpec spec;
  if (auto status = parse_listen_host(*scalar, true, spec); !status)
    return in.sink.error(value.where, status.error().text());
  in.draft->bind = *scalar;
}

void backlog(DecodeInput& in, const YamlNode& value) {
  if (const auto number = unsigned_number(in, value, 1, 65535))
    in.draft->backlog = static_cast<std::uint32_t>(*number);
}

void shards(DecodeInput& in, const YamlNode& value) {
  if (const auto number = unsigned_number(in, value, 1, kMaxShards))
    in.draft->shards = static_cast<std::uint32_t>(*number);
}

void plugin(DecodeInput& in, const YamlNode& value) {
  const auto scalar = scalar_of(in, value, "the name of a plugin");
  if (!scalar) return;
  const auto is_bad = [](char c) { return !is_name_character(c) || c == '/' || c == ':'; };
  if (scalar->size() > kLongestName || std::any_of(scalar->begin(), scalar->end(), is_bad)) {
    return refuse_value(in, value, "the name of a plugin");
  }
  in.draft->plugin = *scalar;
}

namespace {

SettingsNode to_settings(DecodeInput& in, const YamlNode& value) {
  SettingsNode node;
  node.where = value.where;
  switch (value.kind) {
    case YamlNode::Kind::Null:
      break;
    case YamlNode::Kind::Scalar:
      node.kind = SettingsNode::Kind::Scalar;
      if (value.scalar.find('\0') != std::string::npos) {
        in.sink.error(value.where, quoted(in.key) + " holds a NUL character");
      }
      node.scalar = value.scalar;
      break;
    case YamlNode::Kind::List:
      node.kind = SettingsNode::Kind::List;
      node.items.reserve(value.items.size());
      for (const YamlNode& item : value.items)
        node.items.push_back(to_settings(in, item));
      break;
    case YamlNode::Kind::Map:
      node.kind = SettingsNode::Kind::Map;
      node.members.reserve(value.members.size());
      for (const YamlNode::Member& member : value.members) {
        if (member.key.find('\0') != std::string::npos) {
          in.sink.error(member.where, quoted(in.key) + " holds a NUL character");
        }
        node.members.emplace_back(member.key, to_settings(in, member.value));
        node.members.back().second.key_where = member.where;
      }
      break;
  }
  return node;
}

// A list of texts with the three edits.
void text_list(DecodeInput& in, const YamlNode& value, std::vector<std::string>& out,
               const std::function<bool(const YamlNode&, std::string_view)>& accepts) {
  const auto entries = entries_of(in, value, "a list", false);
  if (!entries) return;
  if (in.edit == ListEdit::Replace) out.clear();
  for (const YamlNode& entry : *entries) {
    const auto scalar = entry_of(in, entry);
    if (!scalar || !accepts(entry, *scalar)) continue;
    const auto found = std::find(out.begin(), out.end(), *scalar);
    if (in.edit == ListEdit::Remove) {
      if (found == out.end()) {
        not_inherited(in, entry.where, *scalar);
      } else {
        out.erase(found);
      }
    } else if (found == out.end()) {
      out.emplace_back(*scalar);
    }
  }
}

bool is_variable_name(std::string_view name) noexcept {
  return !name.empty() && name.find('=') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

void check_pieces(DecodeInput& in, Position where, std::string_view rest) {
  constexpr std::string_view kLiteral = "; a literal %{ is written %%{";
  for (ArgumentPiece piece = next_piece(rest); piece.kind != ArgumentPiece::Kind::End;
       piece = next_piece(rest)) {
    if (piece.kind == ArgumentPiece::Kind::Unclosed) {
      in.sink.error(where, "'}' is missing behind " + quoted(piece.text) + std::string(kLiteral));
    } else if (piece.kind == ArgumentPiece::Kind::Unknown) {
      std::string known;
      for (const std::string_view name : kPlaceholderNames)
        known.append(" %{").append(name).append("}");
      in.sink.error(where, "unknown variable " + quoted("%{" + std::string(piece.text) + "}") +
                               ", known are" + known + std::string(kLiteral));
    }
  }
}

}  // namespace

void settings(DecodeInput& in, const YamlNode& value) {
  if (!value.is_map() && !value.is_null()) return refuse_value(in, value, "a map");
  in.draft->settings = to_settings(in, value);
}

namespace {

constexpr std::size_t kLongestProgramName = 32;

bool is_program_name(std::string_view name) noexcept {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kLongestProgramName &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

// A path, or a list of a path and arguments, which may be empty texts.
void program_command(DecodeInput& in, const YamlNode& value, DeclaredProgram& out) {
  constexpr std::string_view kWanted =
      "an absolute path, or a list of a path and arguments, for each program";
  const bool is_list = value.is_list() && !value.items.empty();
  const YamlNode& first = is_list ? value.items.front() : value;
  const auto path_text = scalar_of(in, first, kWanted);
  if (!path_text) return;
  if (!path_text->starts_with('/')) return refuse_value(in, first, kWanted);
  out.where = first.where;
  out.command.emplace_back(*path_text);
  if (!is_list) return;
  for (const YamlNode& argument : std::span(value.items).subspan(1)) {
    if (!argument.is_scalar() || !argument.scalar.empty()) {
      if (!entry_of(in, argument)) continue;
    }
    out.command.push_back(argument.scalar);
  }
}

}  // namespace

void programs(DecodeInput& in, const YamlNode& value) {
  if (!value.is_map()) return refuse_value(in, value, "a map", "write {NAME: /PATH}");
  if (value.members.size() > kMaxPrograms) {
    return in.sink.error(value.where,
                         "'programs' has more than " + std::to_string(kMaxPrograms) + " programs");
  }
  if (value.members.empty()) return in.sink.error(value.where, "'programs' is empty: leave it out");
  in.draft->programs.clear();
  for (const YamlNode::Member& member : value.members) {
    if (!is_program_name(member.key)) {
      in.sink.error(
          member.where,
          quoted(member.key) + " cannot be the name of a program: at most 32 of a to z, 0 to 9, _ and -");
      continue;
    }
    DeclaredProgram program{member.key, {}, {}};
    program_command(in, member.value, program);
    in.draft->programs.push_back(std::move(program));
  }
}

void hand_over(DecodeInput& in, const YamlNode& value) {
  text_list(in, value, in.draft->hand_over, [&](const YamlNode& entry, std::string_view id) {
    if (id.size() <= kLongestName && std::all_of(id.begin(), id.end(), is_name_character)) return true;
    in.sink.error(entry.where, quoted(id) + " cannot be the id of a service");
    return false;
  });
}

void server_args(DecodeInput& in, const YamlNode& value) {
  const auto entries = entries_of(in, value, "a list of arguments", false);
  if (!entries) return;
  in.draft->server_args.clear();
  for (const YamlNode& entry : *entries) {
    if (!entry.is_scalar() || !entry.scalar.empty()) {
      if (!entry_of(in, entry)) continue;
    }
    const std::string_view argument = entry.scalar;  // an argument may be empty
    check_pieces(in, entry.where, argument);
    in.draft->server_args.emplace_back(argument);
  }
}

void stderr_target(DecodeInput& in, const YamlNode& value) {
  // `null` is a word here, whether or not it stands in quotes.
  if (value.is_null() && equals_ignoring_case(value.scalar, "null")) {
    in.draft->stderr_target = StderrTarget::Null;
    return;
  }
  enum_field<&ServiceDefinition::stderr_target, kStderrWords>(in, value);
}

void umask(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "an octal number from 0 to 777";
  const auto scalar = scalar_of(in, value, kWanted);
  if (!scalar) return;
  const auto parsed = parse_octal(*scalar);
  if (!parsed || *parsed > 0777) return refuse_value(in, value, kWanted);
  in.draft->umask = *parsed;
}

void nice(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "a number from -20 to 19";
  const auto scalar = scalar_of(in, value, kWanted);
  if (!scalar) return;
  const auto parsed = parse_signed(*scalar);
  if (!parsed || *parsed < -20 || *parsed > 19) return refuse_value(in, value, kWanted, number_hint(*scalar));
  in.draft->nice = static_cast<int>(*parsed);
}

void env(DecodeInput& in, const YamlNode& value) {
  auto& out = in.draft->env;
  const auto find = [&](std::string_view name) {
    return std::find_if(out.begin(), out.end(), [&](const auto& variable) { return variable.first == name; });
  };
  if (in.edit == ListEdit::Remove) {
    const auto entries = entries_of(in, value, "a list of names", false);
    if (!entries) return;
    for (const YamlNode& entry : *entries) {
      const auto scalar = entry_of(in, entry);
      if (!scalar) continue;
      if (const auto found = find(*scalar); found != out.end()) {
        out.erase(found);
      } else {
        not_inherited(in, entry.where, *scalar);
      }
    }
    return;
  }
  if (value.is_list() && value.items.empty()) {
    if (in.edit == ListEdit::Replace) out.clear();
    return;
  }
  if (!value.is_map()) return refuse_value(in, value, "a map", "write {NAME: value}");
  if (value.members.size() > kMaxVariables) {
    return in.sink.error(value.where, "'env' has more than " + std::to_string(kMaxVariables) + " variables");
  }
  if (in.edit == ListEdit::Replace) out.clear();
  for (const YamlNode::Member& member : value.members) {
    if (!is_variable_name(member.key)) {
      in.sink.error(member.where, quoted(member.key) + " cannot be the name of an environment variable");
      continue;
    }
    if (!member.value.is_scalar() || member.value.scalar.find('\0') != std::string::npos) {
      in.sink.error(member.value.where, "the environment variable " + quoted(member.key) +
                                            " wants a text, not " + describe(member.value) +
                                            (member.value.is_null() ? ": write \"\"" : ""));
      continue;
    }
    if (const auto found = find(member.key); found != out.end()) {
      found->second = member.value.scalar;
    } else {
      out.emplace_back(member.key, member.value.scalar);
    }
  }
}

void passenv(DecodeInput& in, const YamlNode& value) {
  text_list(in, value, in.draft->passenv, [&](const YamlNode& entry, std::string_view name) {
    if (name != "*" && !is_variable_name(name)) {
      in.sink.error(entry.where,
                    quoted(name) + " cannot be the name of an environment variable: to set one use 'env'");
      return false;
    }
    return true;
  });
}

namespace {
std::vector<ListedId> listed_ids(DecodeInput& in, const YamlNode& value) {
  std::vector<ListedId> ids;
  const auto entries = entries_of(in, value, "a list of services", false);
  if (!entries) return ids;
  for (const YamlNode& entry : *entries) {
    if (const auto scalar = entry_of(in, entry)) ids.push_back({std::string(*scalar), entry.where});
  }
  return ids;
}
}  // namespace

void enabled(DecodeInput& in, const YamlNode& value) {
  in.defaults->enabled = listed_ids(in, value);
}

void disabled(DecodeInput& in, const YamlNode& value) {
  in.defaults->disabled = listed_ids(in, value);
}

void workers(DecodeInput& in, const YamlNode& value) {
  const auto scalar = scalar_of(in, value, "auto or 0");
  if (!scalar) return;
  if (equals_ignoring_case(*scalar, "auto")) {
    in.daemon->workers = WorkersMode::Auto;
  } else if (*scalar == "0") {
    in.daemon->workers = WorkersMode::Zero;
  } else {
    refuse_value(in, value, "auto or 0");
  }
}

void daemon_path(DecodeInput& in, const YamlNode& value, std::string& out) {
  const auto scalar = scalar_of(in, value, "a path");
  if (!scalar) return;
  if (scalar->ends_with('/') && in.key != "plugin_dirs") return refuse_value(in, value, "the path of a file");
  out = scalar->starts_with('/') ? std::string(*scalar)
                                 : std::string(in.base_folder) + "/" + std::string(*scalar);
}

void plugin_dirs(DecodeInput& in, const YamlNode& value) {
  const auto entries = entries_of(in, value, "a list of folders", false);
  if (!entries) return;
  in.daemon->plugin_dirs.clear();
  for (const YamlNode& entry : *entries) {
    std::string folder;
    daemon_path(in, entry, folder);
    if (!folder.empty()) in.daemon->plugin_dirs.push_back(std::move(folder));
  }
}

namespace {
// HOST:PORT, [ADDRESS]:PORT
void udp_target(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "HOST:PORT";
  const auto scalar = scalar_of(in, value, kWanted);
  if (!scalar) return;
  const std::size_t colon = scalar->rfind(':');
  if (colon == std::string_view::npos) return refuse_value(in, value, kWanted, "the port is missing");
  ListenSpec spec;
  if (Status status = parse_listen_host(scalar->substr(0, colon), false, spec); !status)
    return in.sink.error(value.where, std::move(status.error()).text());
  if (spec.host == "*" || !spec.interface_name.empty())
    return refuse_value(in, value, kWanted, "it is one host that the log is sent to");
  const auto port = numeric_ports(scalar->substr(colon + 1));
  if (!port || port->first != port->last || port->first == 0)
    return refuse_value(in, value, kWanted, "the port is a number from 1 to 65535");
  LogSettings& log = in.daemon->log;
  log.target = LogSettings::Target::Udp;
  log.host = spec.host;
  log.port = port->first;
}
}  // namespace

void log_target(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "stderr, syslog, journal, {file: PATH} or {udp: HOST:PORT}";
  LogSettings& log = in.daemon->log;
  if (value.is_map()) {
    if (value.members.size() != 1) return refuse_value(in, value, kWanted);
    const YamlNode::Member& member = value.members.front();
    if (member.key == "udp") return udp_target(in, member.value);
    if (member.key != "file") {
      return in.sink.error(
          member.where, "unknown log target " + quoted(member.key) + ", known are " + std::string(kWanted));
    }
    log.target = LogSettings::Target::File;
    return daemon_path(in, member.value, log.path);
  }
  const auto scalar = scalar_of(in, value, kWanted);
  if (!scalar) return;
  if (equals_ignoring_case(*scalar, "stderr")) {
    log.target = LogSettings::Target::Stderr;
  } else if (equals_ignoring_case(*scalar, "syslog")) {
    log.target = LogSettings::Target::Syslog;
  } else if (equals_ignoring_case(*scalar, "journal")) {
    log.target = LogSettings::Target::Journal;
  } else {
    refuse_value(in, value, kWanted,
                 scalar->find('/') != std::string_view::npos ? "a file is written {file: PATH}" : "");
  }
}

void log_level(DecodeInput& in, const YamlNode& value) {
  static constexpr std::string_view kWords[] = {"error", "warning", "info", "debug"};
  if (const auto index = enum_index(in, value, kWords)) in.daemon->log.level = kWords[*index];
}

void log_format(DecodeInput& in, const YamlNode& value) {
  static constexpr std::string_view kWords[] = {"text", "json"};
  if (const auto index = enum_index(in, value, kWords)) in.daemon->log.json = *index == 1;
}

}  // namespace xsd::config::decoders
