// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/settings_table.h"

#include <set>

#include "config_test.h"

namespace xsd::config {
namespace {

TEST(SettingsTable, has_each_key_once) {
  std::set<std::string> service_keys;
  std::set<std::string> daemon_keys;
  for (const SettingsRow& row : settings_table()) {
    auto& keys = row.scope == Scope::Daemon ? daemon_keys : service_keys;
    EXPECT_TRUE(keys.insert(std::string(row.name)).second) << row.name;
  }
}

TEST(SettingsTable, has_every_key_of_the_contract) {
  constexpr std::string_view kService[] = {"id",
                                           "disable",
                                           "flags",
                                           "socket_type",
                                           "protocol",
                                           "wait",
                                           "user",
                                           "group",
                                           "groups",
                                           "umask",
                                           "nice",
                                           "server",
                                           "server_args",
                                           "instances",
                                           "per_source",
                                           "cps",
                                           "max_load",
                                           "access_times",
                                           "only_from",
                                           "no_access",
                                           "deny_time",
                                           "libwrap",
                                           "bind",
                                           "interface",
                                           "v6only",
                                           "port",
                                           "redirect",
                                           "banner",
                                           "banner_success",
                                           "banner_fail",
                                           "env",
                                           "passenv",
                                           "log_type",
                                           "log_on_success",
                                           "log_on_failure",
                                           "rpc_version",
                                           "rpc_number",
                                           "type",
                                           "mdns",
                                           "enabled",
                                           "disabled",
                                           "rate",
                                           "source_rate",
                                           "source_prefix",
                                           "timezone",
                                           "listen",
                                           "description",
                                           "plugin",
                                           "settings",
                                           "directory",
                                           "chroot",
                                           "stderr",
                                           "no_new_privs",
                                           "idle_timeout",
                                           "max_duration",
                                           "start_timeout",
                                           "min_rate",
                                           "pacing_rate",
                                           "lingering",
                                           "stop_timeout",
                                           "on_remove",
                                           "on_stop",
                                           "backlog",
                                           "tty",
                                           "shards",
                                           "rlimit_as",
                                           "rlimit_core",
                                           "rlimit_cpu",
                                           "rlimit_data",
                                           "rlimit_fsize",
                                           "rlimit_nofile",
                                           "rlimit_files",
                                           "rlimit_nproc",
                                           "rlimit_rss",
                                           "rlimit_sigpending",
                                           "rlimit_stack",
                                           "rlimit_memlock"};
  for (const std::string_view key : kService)
    EXPECT_NE(find_service_row(key), nullptr) << key;
  constexpr std::string_view kDaemon[] = {"user",          "pid_file",     "control_socket", "workers",
                                          "max_processes", "stop_timeout", "watch",          "plugin_dirs",
                                          "log",           "log.target",   "log.level",      "log.format"};
  for (const std::string_view key : kDaemon)
    EXPECT_NE(find_daemon_row(key), nullptr) << key;
  EXPECT_EQ(find_service_row("pid_file"), nullptr);
  EXPECT_EQ(find_daemon_row("listen"), nullptr);
}

TEST(SettingsTable, explains_every_row) {
  for (const SettingsRow& row : settings_table()) {
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_FALSE(row.help.ends_with('.')) << row.name;
    if (row.availability == Availability::Never) {
      EXPECT_FALSE(row.reason.empty()) << row.name;
      continue;
    }
    EXPECT_FALSE(row.kind.empty()) << row.name;
    EXPECT_FALSE(row.example.empty()) << row.name;
    const bool is_decoded = row.availability == Availability::Now && row.name != "log";
    EXPECT_EQ(row.decode != nullptr, is_decoded) << row.name;
  }
}

// An example is copied by people: each must be good, in a service or in `defaults`.
TEST(SettingsTable, knows_what_has_no_effect_yet) {
  std::vector<std::string_view> names;
  for (const SettingsRow& row : settings_table()) {
    if (row.no_effect_yet) names.push_back(row.name);
  }
  EXPECT_THAT(names, testing::ElementsAre("control_socket"));
}

TEST(SettingsTable, has_examples_that_decode) {
  constexpr std::string_view kAddressKeys[] = {"socket_type", "protocol",  "port",
                                               "bind",        "interface", "v6only"};
  for (const SettingsRow& row : settings_table()) {
    if (row.availability != Availability::Now) continue;
    const std::string line = std::string(row.name) + ": " + std::string(row.example) + "\n";
    std::vector<Diagnostic> diagnostics;
    if (row.scope == Scope::Daemon) {
      const auto dot = row.name.find('.');
      const std::string text = dot == std::string_view::npos ? "daemon:\n  " + line
                                                             : "daemon:\n  log:\n    " + line.substr(dot + 1);
      decode_main_text(text, &diagnostics);
    } else if (row.scope == Scope::Defaults) {
      decode_main_text("defaults:\n  " + line, &diagnostics);
    } else {
      const bool is_address =
          std::find(std::begin(kAddressKeys), std::end(kAddressKeys), row.name) != std::end(kAddressKeys);
      std::string text = line;
      if (row.name != "service") text += "service: echo\n";
      if (row.name != "listen" && !is_address) text += "listen: tcp://*:7\n";
      if (row.applies_to == AppliesTo::Programs || row.applies_to == AppliesTo::Started) {
        if (row.name != "server") text += "server: /bin/true\n";
        if (row.name != "user") text += "user: nobody\n";
      } else if (row.name != "plugin" && row.name != "redirect" && row.name != "type" &&
                 row.name != "deny_time") {
        text += "plugin: echo\n";
        if (row.name == "programs") text += "user: nobody\n";
      }
      if (row.name == "deny_time") text += "flags: [SENSOR]\n";
      diagnostics = decode_text(text).diagnostics;
      if (row.scope == Scope::Both) {
        std::vector<Diagnostic> in_defaults;
        decode_main_text("defaults:\n  " + line, &in_defaults);
        EXPECT_EQ(shown(in_defaults, ""), "") << line;
      }
    }
    EXPECT_EQ(shown(diagnostics, ""), "") << line;
  }
}

TEST(SettingsTable, suggests_the_nearest_key_of_the_place) {
  EXPECT_EQ(suggest_service_key("per_sorce", false), "per_source");
  EXPECT_EQ(suggest_service_key("Server", false), "server");
  EXPECT_EQ(suggest_service_key("server-args", false), "server_args");
  EXPECT_EQ(suggest_service_key("listn", false), "listen");
  EXPECT_EQ(suggest_service_key("listn", true), "");
  EXPECT_EQ(suggest_service_key("enable", true), "enabled");
  EXPECT_EQ(suggest_service_key("xyzzy", false), "");
  EXPECT_EQ(suggest_service_key("deny", false), "no_access");
  EXPECT_EQ(suggest_service_key("args", false), "server_args");
  EXPECT_EQ(suggest_daemon_key("pidfile", ""), "pid_file");
  EXPECT_EQ(suggest_daemon_key("levle", "log."), "level");
  EXPECT_EQ(suggest_daemon_key("target", ""), "");
}

TEST(SettingsTable, refuses_what_is_not_there_yet) {
  for (const SettingsRow& row : settings_table()) {
    if (row.scope == Scope::Daemon || row.availability == Availability::Now) continue;
    const std::string text =
        "service: echo\nplugin: echo\nlisten: tcp://*:7\n" + std::string(row.name) + ": 1\n";
    const Decoded decoded = decode_text(text);
    EXPECT_EQ(decoded.services.at(0).definition, nullptr) << row.name;
    if (row.availability == Availability::Later) {
      EXPECT_EQ(decoded.fault(), "'" + std::string(row.name) + "' is not available yet in this version");
    } else {
      EXPECT_EQ(decoded.fault(), "'" + std::string(row.name) + "': " + std::string(row.reason));
    }
  }
}

}  // namespace
}  // namespace xsd::config
