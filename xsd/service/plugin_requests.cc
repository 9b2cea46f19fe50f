// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/plugin_requests.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <unordered_set>

namespace xsd::service {
namespace {

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// A name as shells have it, and not one that belongs to the daemon or would change which code runs.
bool is_variable_name(std::string_view name) noexcept {
  if (name.empty() || !is_letter(name.front())) return false;
  if (!std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); }))
    return false;
  return name != "PATH" && !name.starts_with("LD_") && !name.starts_with("XSD_");
}

int check_environment(const std::vector<std::string>& environment) {
  if (environment.size() > plugin::kMaxEnvironment) return -ENOBUFS;
  std::size_t bytes = 0;
  std::unordered_set<std::string_view> names;
  for (const std::string& variable : environment) {
    bytes += variable.size() + 1;
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || variable.find('\0') != std::string::npos) return -EINVAL;
    const std::string_view name = std::string_view(variable).substr(0, equals);
    if (!is_variable_name(name) || !names.insert(name).second) return -EINVAL;
  }
  return bytes > plugin::kMaxEnvironmentBytes ? -ENOBUFS : 0;
}

}  // namespace

int check_hand_over(const config::ServiceDefinition& definition, std::string_view target) noexcept {
  const auto& named = definition.hand_over;
  const auto& asked_for = *definition.mux_targets;
  const bool is_allowed = std::find(named.begin(), named.end(), target) != named.end() ||
                          std::any_of(asked_for.begin(), asked_for.end(),
                                      [&](const config::MuxTarget& one) { return one.id == target; });
  return is_allowed ? 0 : -EACCES;
}

int check_program_start(const config::ServiceDefinition& definition, const plugin::ProgramStart& start) {
  if (definition.find_program(start.program) == nullptr) return -ENOENT;
  if (start.directory.size() >= PATH_MAX) return -ENOBUFS;
  const bool is_path = start.directory.starts_with('/') && start.directory.find('\0') == std::string::npos;
  if (!start.directory.empty() && !is_path) return -EINVAL;
  return check_environment(start.environment);
}

}  // namespace xsd::service
