// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/definitions.h"

#include <algorithm>

namespace xsd::config {

SettingsNode::SettingsNode() = default;
SettingsNode::SettingsNode(const SettingsNode& other) = default;
SettingsNode::SettingsNode(SettingsNode&& other) noexcept = default;
SettingsNode& SettingsNode::operator=(const SettingsNode& other) = default;
SettingsNode& SettingsNode::operator=(SettingsNode&& other) noexcept = default;
SettingsNode::~SettingsNode() = default;

bool operator==(const SettingsNode& a, const SettingsNode& b) noexcept {
  return a.kind == b.kind && a.scalar == b.scalar && a.items == b.items && a.members == b.members;
}

std::string ServiceLog::place() const {
  switch (target) {
    case Target::Daemon:
      break;
    case Target::Syslog:
      return "syslog:" + std::to_string(facility) + ":" + std::to_string(level);
    case Target::File:
      return path;
  }
  return {};
}

bool ClientRules::has_names() const noexcept {
  const auto is_name = [](const AddressRule& rule) { return rule.kind != AddressRule::Kind::Network; };
  return (only_from && std::any_of(only_from->begin(), only_from->end(), is_name)) ||
         std::any_of(no_access.begin(), no_access.end(), is_name);
}

bool ServiceDefinition::asks_about_clients() const noexcept {
  return (flags & kFlagIdOnly) != 0 || ((log_on_success | log_on_failure) & kLogUserId) != 0 ||
         !clients->libwrap.empty() || clients->has_names();
}

const DeclaredProgram* ServiceDefinition::find_program(std::string_view name) const noexcept {
  const auto found = std::find_if(programs.begin(), programs.end(),
                                  [name](const DeclaredProgram& program) { return program.name == name; });
  return found == programs.end() ? nullptr : &*found;
}

bool ServiceDefinition::means_the_same(const ServiceDefinition& other) const noexcept {
  return id == other.id && service == other.service && description == other.description &&
         disabled == other.disabled && kind == other.kind && listen == other.listen && wait == other.wait &&
         flags == other.flags && backlog == other.backlog && plugin == other.plugin &&
         settings == other.settings && programs == other.programs && hand_over == other.hand_over &&
         shards == other.shards && server == other.server && server_args == other.server_args &&
         user == other.user && group == other.group && groups == other.groups && umask == other.umask &&
         nice == other.nice && directory == other.directory && chroot == other.chroot && env == other.env &&
         passenv == other.passenv && stderr_target == other.stderr_target &&
         no_new_privs == other.no_new_privs && rlimits == other.rlimits && instances == other.instances &&
         clients == other.clients && times == other.times && log == other.log && mux == other.mux &&
         mux_targets == other.mux_targets && per_source == other.per_source &&
         idle_timeout == other.idle_timeout && stop_timeout == other.stop_timeout &&
         on_remove == other.on_remove && on_stop == other.on_stop && log_on_success == other.log_on_success &&
         log_on_failure == other.log_on_failure;
}

bool operator==(const ClientFiles& a, const ClientFiles& b) noexcept {
  const auto is_same = [](const ClientFiles::Text& one, const ClientFiles::Text& other) {
    return one == other || (one != nullptr && other != nullptr && *one == *other);
  };
  return is_same(a.zone, b.zone) && is_same(a.banner, b.banner) &&
         is_same(a.banner_success, b.banner_success) && is_same(a.banner_fail, b.banner_fail);
}

std::vector<std::string> default_plugin_dirs() {
  constexpr std::string_view kEverywhere = "/usr/lib/xsd/plugins";
  std::vector<std::string> folders{XSD_PLUGIN_DIR};
  if (folders.front() != kEverywhere) folders.emplace_back(kEverywhere);
  return folders;
}

}  // namespace xsd::config
