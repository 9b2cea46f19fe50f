// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/value_decoders.h"

#include <algorithm>
#include <utility>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/listen_spec.h"

namespace xsd::config {
namespace {

constexpr std::size_t kLongestName = 64;

constexpr std::string_view kWantsDuration = "a duration such as 250ms, 10s, 5m, 1h or 1d";
constexpr std::string_view kWantsList = "a list";

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+-@:/").find(c) != std::string_view::npos;
}

bool all_digits(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What keeps a text of digits from being a number here.
std::string_view number_hint(std::string_view text) noexcept {
  if (all_digits(text) && text.size() > 1 && text.front() == '0') return "numbers have no leading zeros";
  return {};
}

std::string listed(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

void not_inherited(DecodeInput& in, Position where, std::string_view what) {
  in.sink.warning(where, quoted(what) + " is not in the inherited " + quoted(in.key) + ", nothing to remove");
}

}  // namespace

std::string not_available(std::string_view what) {
  return quoted(what) + " is not available yet in this version";
}

void refuse_value(DecodeInput& in, const YamlNode& value, std::string_view wanted, std::string_view hint) {
  std::string message = quoted(in.key);
  if (value.is_null()) {
    message.append(" has no value, it wants ").append(wanted);
  } else {
    message.append(" wants ").append(wanted).append(", not ").append(describe(value));
  }
  if (!hint.empty()) message.append(": ").append(hint);
  in.sink.error(value.where, std::move(message));
}

std::optional<std::string_view> scalar_of(DecodeInput& in, const YamlNode& value, std::string_view wanted) {
  if (!value.is_scalar() || value.scalar.empty()) {
    refuse_value(in, value, wanted);
    return std::nullopt;
  }
  if (value.scalar.find('\0') != std::string::npos) {
    in.sink.error(value.where, quoted(in.key) + " holds a NUL character");
    return std::nullopt;
  }
  return value.scalar;
}

std::optional<std::span<const YamlNode>> entries_of(DecodeInput& in, const YamlNode& value, std::string_view wanted,
                                                    bool single) {
  if (value.is_list()) return std::span(value.items);
  if (value.is_scalar() && single) return std::span(&value, 1);
  const bool plain = value.is_scalar() && !value.scalar.empty() && value.scalar.find_first_of(",'\"\n") == std::string::npos;
  if (!plain) {
    refuse_value(in, value, wanted);
    return std::nullopt;
  }
  std::string hint = "write [";
  for (std::string_view rest = trim(value.scalar); !rest.empty();) {
    const auto end = rest.find_first_of(" \t");
    hint.append(hint.ends_with('[') ? "" : ", ").append(rest.substr(0, end));
    rest = trim(end == std::string_view::npos ? std::string_view{} : rest.substr(end));
  }
  refuse_value(in, value, wanted, hint + "]");
  return std::nullopt;
}

const Word* known_word(DecodeInput& in, Position where, std::string_view text, std::span<const Word> known) {
  const auto word =
      std::find_if(known.begin(), known.end(), [&](const Word& w) { return equals_ignoring_case(w.text, text); });
  if (word == known.end()) {
    std::vector<std::string_view> texts;
    for (const Word& w : known) {
      if (w.availability != Availability::Never) texts.push_back(w.text);
    }
    const auto nearest = nearest_word(text, texts);
    in.sink.error(where, "unknown word " + quoted(text) + " in " + quoted(in.key) +
                             (nearest.empty() ? ", known are " + listed(texts) : ", did you mean " + quoted(nearest) + "?"));
    return nullptr;
  }
  if (word->availability == Availability::Later) {
    in.sink.error(where, not_available(word->text));
    return nullptr;
  }
  if (word->availability == Availability::Never) {
    in.sink.error(where, quoted(word->text) + ": " + std::string(word->reason));
    return nullptr;
  }
  return &*word;
}

namespace decoders {

void text(DecodeInput& in, const YamlNode& value, std::string& out) {
  if (value.is_scalar() && value.scalar.empty()) {
    out.clear();
  } else if (const auto scalar = scalar_of(in, value, "a text")) {
    out = *scalar;
  }
}

void account(DecodeInput& in, const YamlNode& value, std::string& out) {
  const auto scalar = scalar_of(in, value, "a name or a number");
  if (!scalar) return;
  const auto is_bad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == ':' || c == '/' || c == ','; };
  if (std::any_of(scalar->begin(), scalar->end(), is_bad)) return refuse_value(in, value, "a name or a number");
  if (scalar->find_first_not_of("-0123456789") == std::string_view::npos) {
    const auto number = parse_unsigned(*scalar);
    if (!number || *number >= 0xFFFF'FFFFU) return refuse_value(in, value, "a name or a number", number_hint(*scalar));
  }
  out = *scalar;
}

void path(DecodeInput& in, const YamlNode& value, std::string& out) {
  const auto scalar = scalar_of(in, value, "an absolute path");
  if (!scalar) return;
  if (!scalar->starts_with('/')) return refuse_value(in, value, "an absolute path");
  if (scalar->size() >= 4096) return in.sink.error(value.where, "the path in " + quoted(in.key) + " is too long");
  out = *scalar;
}

void boolean(DecodeInput& in, const YamlNode& value, bool& out) {
  const auto scalar = scalar_of(in, value, "true or false (or yes, no)");
  if (!scalar) return;
  const auto parsed = parse_boolean(*scalar);
  if (!parsed) return refuse_value(in, value, "true or false (or yes, no)");
  out = *parsed;
}

void duration(DecodeInput& in, const YamlNode& value, Duration& out) {
  const auto scalar = scalar_of(in, value, kWantsDuration);
  if (!scalar) return;
  const auto parsed = parse_duration(*scalar);
  if (!parsed) return refuse_value(in, value, kWantsDuration, all_digits(*scalar) ? "the unit is missing" : "");
  out = *parsed;
}

std::optional<std::uint64_t> unsigned_number(DecodeInput& in, const YamlNode& value, std::uint64_t lowest,
                                             std::uint64_t highest) {
  const std::string wanted = "a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return std::nullopt;
  const auto parsed = parse_unsigned(*scalar);
  if (!parsed || *parsed < lowest || *parsed > highest) {
    refuse_value(in, value, wanted, number_hint(*scalar));
    return std::nullopt;
  }
  return parsed;
}

void limit(DecodeInput& in, const YamlNode& value, Limit& out, std::uint64_t lowest, std::uint64_t highest) {
  const std::string wanted = "a number from " + std::to_string(lowest) + " on or unlimited";
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return;
  if (equals_ignoring_case(*scalar, "unlimited")) {
    out = Limit{};
    return;
  }
  const auto parsed = parse_unsigned(*scalar);
  if (!parsed || *parsed < lowest) return refuse_value(in, value, wanted, number_hint(*scalar));
  if (*parsed > highest) {
    return refuse_value(in, value, "a number up to " + std::to_string(highest) + " or unlimited");
  }
  out = Limit{*parsed};
}

void word_set(DecodeInput& in, const YamlNode& value, unsigned& out, std::span<const Word> known, bool single) {
  const auto entries = entries_of(in, value, "a list of words", single);
  if (!entries) return;
  unsigned bits = 0;
  for (const YamlNode& entry : *entries) {
    const auto scalar = scalar_of(in, entry, "words");
    if (!scalar) continue;
    const Word* const word = known_word(in, entry.where, *scalar, known);
    if (word == nullptr) continue;
    if (in.edit == ListEdit::Remove && (out & word->bits) == 0) not_inherited(in, entry.where, word->text);
    bits |= word->bits;
  }
  if (in.edit == ListEdit::Replace) {
    out = bits;
  } else if (in.edit == ListEdit::Add) {
    out |= bits;
  } else {
    out &= ~bits;
  }
}

std::optional<std::size_t> enum_index(DecodeInput& in, const YamlNode& value, std::span<const std::string_view> known) {
  const std::string wanted = listed(known);
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return std::nullopt;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (equals_ignoring_case(known[i], *scalar)) return i;
  }
  const auto nearest = nearest_word(*scalar, known);
  refuse_value(in, value, wanted, nearest.empty() ? "" : "did you mean " + quoted(nearest) + "?");
  return std::nullopt;
}

void resource_limit(DecodeInput& in, const YamlNode& value, int resource, LimitUnit unit) {
  std::string_view wanted = "a number, SOFT:HARD or unlimited";
  if (unit == LimitUnit::Size) wanted = "a size such as 64M, SOFT:HARD or unlimited";
  if (unit == LimitUnit::Seconds) wanted = "a number of seconds, a duration, SOFT:HARD or unlimited";
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return;
  const auto one = [&](std::string_view part) -> std::optional<rlim_t> {
    if (equals_ignoring_case(part, "unlimited")) return RLIM_INFINITY;
    auto number = unit == LimitUnit::Size ? parse_size(part) : parse_unsigned(part);
    if (!number && unit == LimitUnit::Seconds) {
      const auto parsed = parse_duration(part);
      if (parsed && *parsed % std::chrono::seconds(1) == Duration::zero()) {
        number = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(*parsed).count());
      }
    }
    if (!number || *number >= RLIM_INFINITY) return std::nullopt;
    return *number;
  };
  const auto colon = scalar->find(':');
  const auto soft = one(scalar->substr(0, colon));
  const auto hard = colon == std::string_view::npos ? soft : one(scalar->substr(colon + 1));
  if (!soft || !hard) return refuse_value(in, value, wanted, number_hint(*scalar));
  if (*soft > *hard) return in.sink.error(value.where, quoted(in.key) + ": the soft limit is above the hard one");
  auto& limits = in.draft->rlimits;
  const auto same = std::find_if(limits.begin(), limits.end(), [&](const auto& l) { return l.resource == resource; });
  ResourceLimit entry{resource, std::string(in.key), *soft, *hard, value.where};
  if (same == limits.end()) {
    limits.push_back(std::move(entry));
    return;
  }
  const ValueOrigin* const origin = origin_of(in.draft->origins, same->key);
  if (same->key != in.key && origin != nullptr && origin->from_defaults == (in.defaults != nullptr)) {
    return in.sink.error(in.key_where, quoted(in.key) + " means the same as " + quoted(same->key) + " in line " +
                                           std::to_string(origin->where.line) + ": write one of them");
  }
  *same = std::move(entry);
}

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
    in.sink.error(value.where, "seqpacket sockets are unix sockets here: write 'listen: unix-seqpacket:///PATH'");
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
  if (entries->empty()) return in.sink.error(value.where, "'listen' is empty: nobody could reach the service");
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
  if (auto status = parse_listen_host(*scalar, true, spec); !status) return in.sink.error(value.where, status.error().text());
  in.draft->bind = *scalar;
}

void backlog(DecodeInput& in, const YamlNode& value) {
  if (const auto number = unsigned_number(in, value, 1, 65535)) in.draft->backlog = static_cast<std::uint32_t>(*number);
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
    case YamlNode::Kind::Null: break;
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
      for (const YamlNode& item : value.items) node.items.push_back(to_settings(in, item));
      break;
    case YamlNode::Kind::Map:
      node.kind = SettingsNode::Kind::Map;
      node.members.reserve(value.members.size());
      for (const YamlNode::Member& member : value.members) {
        if (member.key.find('\0') != std::string::npos) {
          in.sink.error(member.where, quoted(in.key) + " holds a NUL character");
        }
        node.members.emplace_back(member.key, to_settings(in, member.value));
      }
      break;
  }
  return node;
}

// A list of texts with the three edits.
void text_list(DecodeInput& in, const YamlNode& value, std::vector<std::string>& out,
               const std::function<bool(const YamlNode&, std::string_view)>& accepts) {
  const auto entries = entries_of(in, value, kWantsList, false);
  if (!entries) return;
  if (in.edit == ListEdit::Replace) out.clear();
  for (const YamlNode& entry : *entries) {
    const auto scalar = scalar_of(in, entry, "texts");
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
  return !name.empty() && name.find('=') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace

void settings(DecodeInput& in, const YamlNode& value) {
  if (!value.is_map() && !value.is_null()) return refuse_value(in, value, "a map");
  in.draft->settings = to_settings(in, value);
}

void server_args(DecodeInput& in, const YamlNode& value) {
  static constexpr std::string_view kNames[] = {"remote_addr", "remote_port", "server_port", "service"};
  const auto entries = entries_of(in, value, "a list of arguments", false);
  if (!entries) return;
  in.draft->server_args.clear();
  for (const YamlNode& entry : *entries) {
    if (!entry.is_scalar() || !entry.scalar.empty()) {
      if (!scalar_of(in, entry, "texts")) continue;
    }
    const std::string_view argument = entry.scalar;  // an argument may be empty
    for (auto start = argument.find("%{"); start != std::string_view::npos; start = argument.find("%{", start + 2)) {
      const auto end = argument.find('}', start);
      const std::string_view name = argument.substr(start + 2, end == std::string_view::npos ? end : end - start - 2);
      if (end == std::string_view::npos) {
        in.sink.error(entry.where, "'}' is missing behind " + quoted(argument.substr(start)));
      } else if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) {
        in.sink.error(entry.where, "unknown variable " + quoted(argument.substr(start, end - start + 1)) +
                                       ", known are %{remote_addr} %{remote_port} %{server_port} %{service}");
      }
    }
    in.draft->server_args.emplace_back(argument);
  }
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
      const auto scalar = scalar_of(in, entry, "names");
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
  if (in.edit == ListEdit::Replace) out.clear();
  for (const YamlNode::Member& member : value.members) {
    if (!is_variable_name(member.key)) {
      in.sink.error(member.where, quoted(member.key) + " cannot be the name of an environment variable");
      continue;
    }
    if (!member.value.is_scalar() || member.value.scalar.find('\0') != std::string::npos) {
      in.sink.error(member.value.where, "the environment variable " + quoted(member.key) + " wants a text, not " +
                                            describe(member.value) + (member.value.is_null() ? ": write \"\"" : ""));
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
    if (!is_variable_name(name)) {
      in.sink.error(entry.where, quoted(name) + " cannot be the name of an environment variable");
      return false;
    }
    return true;
  });
}

void idle_timeout(DecodeInput& in, const YamlNode& value) {
  if (value.is_scalar() && equals_ignoring_case(value.scalar, "unlimited")) {
    in.draft->idle_timeout.reset();
    return;
  }
  Duration parsed = std::chrono::seconds(1);
  duration(in, value, parsed);
  if (parsed == Duration::zero()) {
    return in.sink.error(value.where, "'idle_timeout' is zero: for no limit write 'unlimited'");
  }
  in.draft->idle_timeout = parsed;
}

namespace {
std::vector<ListedId> listed_ids(DecodeInput& in, const YamlNode& value) {
  std::vector<ListedId> ids;
  const auto entries = entries_of(in, value, "a list of services", false);
  if (!entries) return ids;
  for (const YamlNode& entry : *entries) {
    if (const auto scalar = scalar_of(in, entry, "names of services")) ids.push_back({std::string(*scalar), entry.where});
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
  out = scalar->starts_with('/') ? std::string(*scalar) : std::string(in.base_folder) + "/" + std::string(*scalar);
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

void log_target(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "stderr, syslog or {file: PATH}";
  LogSettings& log = in.daemon->log;
  if (value.is_map()) {
    if (value.members.size() != 1) return refuse_value(in, value, kWanted);
    const YamlNode::Member& member = value.members.front();
    if (member.key == "udp") return in.sink.error(member.where, not_available("udp"));
    if (member.key != "file") {
      return in.sink.error(member.where, "unknown log target " + quoted(member.key) + ", known are " + std::string(kWanted));
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
    in.sink.error(value.where, not_available("journal"));
  } else {
    refuse_value(in, value, kWanted, scalar->find('/') != std::string_view::npos ? "a file is written {file: PATH}" : "");
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

}  // namespace decoders
}  // namespace xsd::config
