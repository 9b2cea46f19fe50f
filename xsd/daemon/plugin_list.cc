// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/plugin_list.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "xsd/base/text.h"
#include "xsd/config/loader.h"
#include "xsd/config/name_service.h"
#include "xsd/daemon/daemon.h"
#include "xsd/daemon/exit_status.h"
#include "xsd/manager/inquiry.h"
#include "xsd/plugin/library.h"
#include "xsd/plugin/registry.h"

namespace xsd::daemon {
namespace {

struct Line {
  std::string name;
  std::string path;  ///< empty: built-in
  std::string version{};
  bool streams = false;
  bool datagrams = false;
  std::string description{};
  std::string fault{};
};

std::vector<Line> builtin_lines() {
  std::vector<Line> lines;
  for (const plugin::PluginEntry& entry : plugin::builtin_plugins()) {
    lines.push_back({.name = std::string(entry.name),
                     .path = {},
                     .version = std::string(entry.version),
                     .streams = entry.streams(),
                     .datagrams = entry.datagrams(),
                     .description = std::string(entry.description)});
  }
  return lines;
}

// A built-in plugin of the same name wins, so that library is not one that a service could use.
void add_library_lines(const config::PluginRules& rules, const process::Inheritance& inheritance,
                       std::vector<Line>& lines) {
  config::Answers answers;
  for (const std::string& name : plugin::list_libraries(rules)) {
    if (plugin::find_plugin(name) == nullptr) answers.plugins.add(name);
  }
  if (answers.empty()) return;
  answers.plugins.rules = rules;
  if (rules.as_root) {
    config::add_role_user_questions(rules.user, answers.names);
    config::ask_all(*config::make_system_name_service(), answers.names);
  }
  manager::PluginCache cache;
  manager::ask_plugins_now(answers, inheritance, cache);
  for (std::size_t i = 0; i < answers.plugins.questions().size(); ++i) {
    const config::PluginAnswer& answer = answers.plugins.answer(i);
    Line line{.name = answers.plugins.questions()[i].plugin, .path = answer.path, .fault = answer.fault};
    if (answer.is_missing) continue;  // it went meanwhile
    if (const auto& image = answer.image) {
      line.version = image->version;
      line.streams = image->streams;
      line.datagrams = image->datagrams;
      line.description = image->description;
    }
    lines.push_back(std::move(line));
  }
}

std::string place_of(const Line& line) {
  return line.path.empty() ? "built-in" : line.path;
}

std::string_view transports_of(const Line& line) {
  if (line.streams && line.datagrams) return "tcp udp";
  return line.streams ? "tcp" : "udp";
}

void print_text(const std::vector<Line>& lines) {
  std::size_t name = 0;
  std::size_t place = 0;
  std::size_t version = 1;
  for (const Line& line : lines) {
    name = std::max(name, line.name.size());
    place = std::max(place, place_of(line).size());
    version = std::max(version, line.version.size());
  }
  for (const Line& line : lines) {
    std::string text = fmt::format("{:<{}}  {:<{}}  ", line.name, name, place_of(line), place);
    if (!line.fault.empty()) {
      text += "error: " + line.fault;
    } else {
      text += fmt::format("{:<{}}  {:<7}  {}", line.version.empty() ? "-" : line.version, version,
                          transports_of(line), line.description);
    }
    (void)std::fputs((text + "\n").c_str(), stdout);
  }
}

std::string json_of(const Line& line) {
  std::string out = "{";
  const auto put_key = [&out](std::string_view key) {
    if (out.size() > 1) out += ',';
    append_json_string(out, key);
    out += ':';
  };
  const auto put = [&](std::string_view key, const std::string& value) {
    put_key(key);
    append_json_string(out, value);
  };
  put("name", line.name);
  put_key("builtin");
  out += line.path.empty() ? "true" : "false";
  if (!line.path.empty()) put("path", line.path);
  if (!line.fault.empty()) {
    put("error", line.fault);
  } else {
    if (!line.version.empty()) put("version", line.version);
    put_key("transports");
    out += line.streams && line.datagrams ? R"(["tcp","udp"])" : line.streams ? R"(["tcp"])" : R"(["udp"])";
    put("description", line.description);
  }
  return out + "}\n";
}

}  // namespace

int list_plugins(const Options& options, const process::Inheritance& inheritance) {
  manager::PluginCache cache;
  config::Loader loader(make_load_options(options, inheritance, cache));
  config::PluginRules rules = loader.plugin_rules();
  // Without a main file in its usual place there are the usual folders.
  if (options.config_given || access(options.config.c_str(), F_OK) == 0) {
    const config::Snapshot snapshot = loader.load_main();
    if (snapshot.rejected) {
      print_diagnostics(snapshot, options.log_json.value_or(false), stderr);
      return kExitConfig;
    }
    rules = loader.plugin_rules();
  }
  std::vector<Line> lines = builtin_lines();
  add_library_lines(rules, inheritance, lines);
  if (!options.log_json.value_or(false)) {
    print_text(lines);
    return kExitSuccess;
  }
  for (const Line& line : lines)
    (void)std::fputs(json_of(line).c_str(), stdout);
  return kExitSuccess;
}

}  // namespace xsd::daemon
