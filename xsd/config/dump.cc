// SPDX-License-Identifier: Apache-2.0
//
// --dump-config: the effective configuration as one main file that holds all services, each value with its
// origin.
#include "xsd/base/text.h"
#include "xsd/config/encoders.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/loader.h"
#include "xsd/config/redirect_target.h"
#include "xsd/config/settings_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

namespace xsd::config {
namespace {

bool is_alphanumeric(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Nothing that any reader of YAML could take for a number, a boolean, null or an indicator.
bool is_plain(std::string_view text) noexcept {
  static constexpr std::string_view kOtherMeaning[] = {"null", "true", "false", "yes", "no",
                                                       "on",   "off",  "y",     "n"};
  if (text.empty() || text.back() == ':') return false;
  if (!is_alphanumeric(text.front()) && text.front() != '/' && text.front() != '_') return false;
  if (text.front() >= '0' && text.front() <= '9') return false;
  const auto is_safe = [](char c) {
    return is_alphanumeric(c) || std::string_view("_./-+@:%").find(c) != std::string_view::npos;
  };
  if (!std::all_of(text.begin(), text.end(), is_safe)) return false;
  return std::none_of(std::begin(kOtherMeaning), std::end(kOtherMeaning),
                      [&](std::string_view word) { return equals_ignoring_case(word, text); });
}

std::string octal(unsigned value) {
  std::string out;
  do {
    out.insert(out.begin(), static_cast<char>('0' + (value & 7U)));
    value >>= 3U;
  } while (value != 0);
  return std::string(out.size() < 3 ? 3 - out.size() : 0, '0') + out;
}

std::string limit_text(rlim_t value, bool is_size) {
  if (value == RLIM_INFINITY) return "unlimited";
  if (value == kHardLimit) return "hard";
  return is_size ? format_size(value) : std::to_string(value);
}

std::string settings_text(const SettingsNode& node) {
  std::string out;
  switch (node.kind) {
    case SettingsNode::Kind::Null:
      return "~";
    case SettingsNode::Kind::Scalar:
      return yaml_scalar(node.scalar);
    case SettingsNode::Kind::List:
      for (const SettingsNode& item : node.items)
        out += (out.empty() ? "" : ", ") + settings_text(item);
      return "[" + out + "]";
    case SettingsNode::Kind::Map:
      for (const auto& [key, value] : node.members) {
        out += (out.empty() ? "" : ", ") + yaml_scalar(key) + ": " + settings_text(value);
      }
      return "{" + out + "}";
  }
  return out;
}

std::string time_limit(const std::optional<Duration>& time) {
  return time ? format_duration(*time) : "unlimited";
}

// Text for a comment: it must stay on its line.
std::string comment_text(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

std::string place(std::string_view file, Position where) {
  return comment_text(file) + ":" + std::to_string(where.line);
}

constexpr std::string_view kOnlyIfWritten[] = {"user", "pid_file", "control_socket", "workers",
                                               "plugin_dirs"};

void dump_daemon(const DaemonSettings& daemon, std::string& out) {
  out += "daemon:\n";
  for (const SettingsRow& row : settings_table()) {
    if (row.scope != Scope::Daemon) continue;
    const bool nested = row.name.starts_with("log.");
    const std::string_view name = nested ? row.name.substr(4) : row.name;
    const ValueOrigin* const origin = origin_of(daemon.origins, row.name);
    if (row.name == "log") {
      out += "  log:\n";
      continue;
    }
    const auto value = row.encode_daemon(daemon);
    if (!value) continue;
    // To write these down is to ask for them: a default stays a comment.
    const bool commented =
        origin == nullptr &&
        std::find(std::begin(kOnlyIfWritten), std::end(kOnlyIfWritten), row.name) != std::end(kOnlyIfWritten);
    out.append(nested ? "    " : "  ").append(commented ? "# " : "").append(name).append(": ").append(*value);
    out += "  # " + (origin == nullptr ? std::string("default") : place(daemon.file, origin->where)) + "\n";
  }
}

std::string origin_text(const ServiceDefinition& definition, const SettingsRow& row,
                        const DaemonSettings& daemon) {
  const ValueOrigin* origin = origin_of(definition.origins, row.name);
  if (origin != nullptr && origin->from_defaults && origin->where.line == 0) return "default of xinetd";
  if (origin != nullptr && origin->from_defaults) {
    const std::string& file = daemon.defaults_file.empty() ? daemon.file : daemon.defaults_file;
    return place(file, origin->where) + " (defaults)";
  }
  if (origin != nullptr) return place(definition.file, origin->where);
  if (row.name == "listen" && !definition.listen.empty())
    return place(definition.file, definition.listen.front().where);
  if (row.name == "plugin" || row.name == "redirect") return place(definition.file, definition.server_where);
  if (row.name == "disable" && definition.disabled)
    return "by the lists in 'defaults' of " + comment_text(daemon.file);
  if (row.name == "stop_timeout") {
    if (const ValueOrigin* const from = origin_of(daemon.origins, row.name))
      return place(daemon.file, from->where) + " (daemon)";
  }
  return "default";
}

void dump_service(const ServiceDefinition& definition, const DaemonSettings& daemon, std::string& out) {
  std::string_view indent = "  - ";
  for (const SettingsRow& row : settings_table()) {
    if (row.encode == nullptr || !applies(row, definition)) continue;
    const auto value = row.encode(definition);
    if (!value) continue;
    out.append(indent).append(row.name).append(": ").append(*value).append("  # ");
    out += origin_text(definition, row, daemon) + "\n";
    indent = "    ";
  }
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string out;
  append_json_string(out, text);  // YAML 1.2 reads a JSON string as JSON does
  return out;
}

namespace encoders {

std::string limit(const Limit& limit) {
  return limit.is_unlimited() ? "unlimited" : std::to_string(limit.value);
}

std::string word_set(unsigned bits, std::span<const Word> known) {
  std::string out;
  for (const Word& word : known) {
    if ((bits & word.bits) != 0) out.append(out.empty() ? "" : ", ").append(word.text);
  }
  return "[" + out + "]";
}

std::string text_list(std::span<const std::string> texts) {
  std::string out;
  for (const std::string& text : texts)
    out += (out.empty() ? "" : ", ") + yaml_scalar(text);
  return "[" + out + "]";
}

Encoded resource_limit(const ServiceDefinition& definition, std::string_view key) {
  static constexpr std::string_view kNumbers[] = {"rlimit_cpu", "rlimit_nofile", "rlimit_files",
                                                  "rlimit_nproc", "rlimit_sigpending"};
  const bool is_size = std::find(std::begin(kNumbers), std::end(kNumbers), key) == std::end(kNumbers);
  for (const ResourceLimit& entry : definition.rlimits) {
    if (entry.key != key) continue;
    const std::string soft = limit_text(entry.soft, is_size);
    return entry.soft == entry.hard ? soft : soft + ":" + limit_text(entry.hard, is_size);
  }
  return std::nullopt;
}

Encoded type(const ServiceDefinition& definition) {
  if (definition.mux == MuxKind::None) return std::nullopt;
  return definition.mux == MuxKind::Mux ? "[TCPMUX]" : "[TCPMUXPLUS]";
}

Encoded listen(const ServiceDefinition& definition) {
  if (definition.listen.empty()) return std::nullopt;
  std::string out;
  for (const ListenSpec& spec : definition.listen)
    out += (out.empty() ? "" : ", ") + yaml_scalar(to_string(spec));
  return "[" + out + "]";
}

Encoded server(const ServiceDefinition& definition) {
  return definition.server.empty() ? Encoded{} : yaml_scalar(definition.server);
}

Encoded plugin(const ServiceDefinition& definition) {
  return definition.plugin.empty() || redirect_target_of(definition) ? Encoded{}
                                                                     : yaml_scalar(definition.plugin);
}

Encoded redirect(const ServiceDefinition& definition) {
  const auto target = redirect_target_of(definition);
  return target ? Encoded(yaml_scalar(to_string(*target))) : std::nullopt;
}

Encoded settings(const ServiceDefinition& definition) {
  const SettingsNode written = settings_but_target(definition);
  return written.kind == SettingsNode::Kind::Null ? Encoded{} : settings_text(written);
}

Encoded programs(const ServiceDefinition& definition) {
  std::string out;
  for (const DeclaredProgram& program : definition.programs) {
    const std::string command =
        program.command.size() == 1 ? yaml_scalar(program.command.front()) : text_list(program.command);
    out += (out.empty() ? "" : ", ") + yaml_scalar(program.name) + ": " + command;
  }
  return out.empty() ? Encoded{} : "{" + out + "}";
}

Encoded hand_over(const ServiceDefinition& definition) {
  return definition.hand_over.empty() ? Encoded{} : text_list(definition.hand_over);
}

Encoded server_args(const ServiceDefinition& definition) {
  return text_list(definition.server_args);
}

Encoded wait(const ServiceDefinition& definition) {
  if (definition.kind != ServiceKind::Program) return std::nullopt;
  return definition.wait ? "true" : "false";
}

Encoded umask(const ServiceDefinition& definition) {
  return definition.umask ? Encoded(octal(*definition.umask)) : std::nullopt;
}

Encoded nice(const ServiceDefinition& definition) {
  return definition.nice ? Encoded(std::to_string(*definition.nice)) : std::nullopt;
}

namespace {

std::string bucket(const RateLimit& limit) {
  return "limit: " + to_string(limit.rate) + ", burst: " + std::to_string(limit.burst);
}

std::string address_list(const std::vector<AddressRule>& rules) {
  std::vector<std::string> texts;
  std::transform(rules.begin(), rules.end(), std::back_inserter(texts),
                 [](const AddressRule& rule) { return to_string(rule); });
  return text_list(texts);
}

}  // namespace

Encoded only_from(const ServiceDefinition& definition) {
  return definition.clients->only_from ? Encoded(address_list(*definition.clients->only_from)) : std::nullopt;
}

Encoded no_access(const ServiceDefinition& definition) {
  return address_list(definition.clients->no_access);
}

Encoded source_prefix(const ServiceDefinition& definition) {
  const SourcePrefix& prefix = definition.clients->source_prefix;
  return "{v4: " + std::to_string(prefix.v4) + ", v6: " + std::to_string(prefix.v6) + "}";
}

Encoded source_rate(const ServiceDefinition& definition) {
  if (!definition.clients->source_rate) return std::nullopt;
  return "{" + bucket(*definition.clients->source_rate) + "}";
}

// A name that is one of the words is what the word would give.
Encoded libwrap(const ServiceDefinition& definition) {
  const std::string& name = definition.clients->libwrap;
  return name.empty() ? "false" : yaml_scalar(name);
}

Encoded rate(const ServiceDefinition& definition) {
  if (!definition.clients->rate) return std::nullopt;
  return "{" + bucket(definition.clients->rate->limit) +
         ", action: " + (definition.clients->rate->refuses ? "refuse" : "delay") + "}";
}

Encoded cps(const ServiceDefinition& definition) {
  if (!definition.clients->cps) return std::nullopt;
  return "[" + std::to_string(definition.clients->cps->connections) + ", " +
         format_duration(definition.clients->cps->wait) + "]";
}

Encoded access_times(const ServiceDefinition& definition) {
  const auto& windows = definition.clients->access_times;
  if (!windows) return std::nullopt;
  std::vector<std::string> texts;
  std::transform(windows->begin(), windows->end(), std::back_inserter(texts),
                 [](const AccessWindow& window) { return to_string(window); });
  return text_list(texts);
}

Encoded timezone(const ServiceDefinition& definition) {
  const std::string& name = definition.clients->timezone;
  return name.empty() ? Encoded{} : yaml_scalar(name);
}

Encoded max_load(const ServiceDefinition& definition) {
  if (!definition.clients->max_load) return std::nullopt;
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), *definition.clients->max_load,
                                 std::chars_format::fixed);
  return std::string(text.data(), end.ptr);  // the decoder takes fewer digits than there is room for
}

Encoded deny_time(const ServiceDefinition& definition) {
  const auto& time = definition.clients->deny_time;
  if (!time) return std::nullopt;
  if (*time == Duration::max()) return "FOREVER";
  return *time == Duration::zero() ? "NEVER" : format_duration(*time);
}

Encoded env(const ServiceDefinition& definition) {
  std::string out;
  for (const auto& [name, value] : definition.env) {
    out += (out.empty() ? "" : ", ") + yaml_scalar(name) + ": " + yaml_scalar(value);
  }
  return "{" + out + "}";
}

Encoded idle_timeout(const ServiceDefinition& definition) {
  if (definition.kind == ServiceKind::Sensor) return std::nullopt;
  return time_limit(definition.idle_timeout);
}

Encoded max_duration(const ServiceDefinition& definition) {
  return time_limit(definition.times->max_duration);
}

Encoded start_timeout(const ServiceDefinition& definition) {
  return time_limit(definition.times->start_timeout);
}

Encoded lingering(const ServiceDefinition& definition) {
  return format_duration(definition.times->lingering);
}

Encoded workers(const DaemonSettings& daemon) {
  return daemon.workers == WorkersMode::Auto ? "auto" : "0";
}

Encoded log_target(const DaemonSettings& daemon) {
  switch (daemon.log.target) {
    case LogSettings::Target::Stderr:
      return "stderr";
    case LogSettings::Target::Syslog:
      return "syslog";
    case LogSettings::Target::Journal:
      return "journal";
    case LogSettings::Target::Udp: {
      const bool is_v6 = daemon.log.host.find(':') != std::string::npos;
      return "{udp: " +
             yaml_scalar((is_v6 ? "[" + daemon.log.host + "]" : daemon.log.host) + ":" +
                         std::to_string(daemon.log.port)) +
             "}";
    }
    case LogSettings::Target::File:
      return "{file: " + yaml_scalar(daemon.log.path) + "}";
  }
  return std::nullopt;
}

Encoded log_level(const DaemonSettings& daemon) {
  return daemon.log.level;
}

Encoded log_format(const DaemonSettings& daemon) {
  return daemon.log.json ? "json" : "text";
}

}  // namespace encoders

std::string dump_config(const Snapshot& snapshot) {
  std::string out = "# the effective configuration of xsd";
  if (!snapshot.daemon.file.empty()) out += ", from " + comment_text(snapshot.daemon.file);
  out += "\n";
  dump_daemon(snapshot.daemon, out);
  out += "include: []  # all services stand below\nservices:\n";
  for (std::size_t i = 0; i < snapshot.services.size(); ++i) {
    const LoadedService& service = snapshot.services[i];
    if (i == 0 || snapshot.services[i - 1].file != service.file) {
      out += "  # --- " + comment_text(service.file) + "\n";
      // What is wrong in this file, before its services.
      for (std::size_t j = i; j < snapshot.services.size() && snapshot.services[j].file == service.file;
           ++j) {
        const LoadedService& other = snapshot.services[j];
        if (!other.error.empty())
          out += "  # faulty: " + comment_text(other.id) + ": " + comment_text(other.error) + "\n";
      }
    }
    if (service.definition != nullptr) dump_service(*service.definition, snapshot.daemon, out);
  }
  return out;
}

}  // namespace xsd::config
