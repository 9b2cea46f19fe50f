// SPDX-License-Identifier: Apache-2.0
//
// Encoders: one function for each kind of value, a field of a definition to YAML on one line that decodes to
// the same. The settings table names them; defined in dump.cc, some beside their decoders. nullopt: nothing
// to write, the default is "none".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "xsd/base/number.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config {

/// A scalar, quoted where YAML or our own reading would otherwise take it for something else.
std::string yaml_scalar(std::string_view text);

namespace encoders {

using Encoded = std::optional<std::string>;

std::string limit(const Limit& limit);
std::string word_set(unsigned bits, std::span<const Word> known);
std::string text_list(std::span<const std::string> texts);
Encoded resource_limit(const ServiceDefinition& definition, std::string_view key);

Encoded listen(const ServiceDefinition& definition);
Encoded server(const ServiceDefinition& definition);
Encoded plugin(const ServiceDefinition& definition);
Encoded redirect(const ServiceDefinition& definition);
Encoded type(const ServiceDefinition& definition);
Encoded settings(const ServiceDefinition& definition);
Encoded programs(const ServiceDefinition& definition);
Encoded hand_over(const ServiceDefinition& definition);
Encoded server_args(const ServiceDefinition& definition);
Encoded wait(const ServiceDefinition& definition);
Encoded umask(const ServiceDefinition& definition);
Encoded nice(const ServiceDefinition& definition);
Encoded env(const ServiceDefinition& definition);
Encoded idle_timeout(const ServiceDefinition& definition);
Encoded max_duration(const ServiceDefinition& definition);
Encoded start_timeout(const ServiceDefinition& definition);
Encoded lingering(const ServiceDefinition& definition);
Encoded only_from(const ServiceDefinition& definition);
Encoded no_access(const ServiceDefinition& definition);
Encoded libwrap(const ServiceDefinition& definition);
Encoded rate(const ServiceDefinition& definition);
Encoded cps(const ServiceDefinition& definition);
Encoded source_prefix(const ServiceDefinition& definition);
Encoded source_rate(const ServiceDefinition& definition);
Encoded access_times(const ServiceDefinition& definition);
Encoded timezone(const ServiceDefinition& definition);
Encoded max_load(const ServiceDefinition& definition);
Encoded deny_time(const ServiceDefinition& definition);
Encoded log_type(const ServiceDefinition& definition);
Encoded workers(const DaemonSettings& daemon);
Encoded log_target(const DaemonSettings& daemon);
Encoded log_level(const DaemonSettings& daemon);
Encoded log_format(const DaemonSettings& daemon);

template <class C, class T>
C class_of(T C::*);
template <auto Field>
using Owner = decltype(class_of(Field));

/// An empty text means that there is none.
template <auto Field>
Encoded text_field(const Owner<Field>& owner) {
  const std::string& text = owner.*Field;
  return text.empty() ? Encoded{} : yaml_scalar(text);
}
template <std::string Banners::*Which>
Encoded banner(const ServiceDefinition& definition) {
  const std::string& path = definition.clients->banners.*Which;
  return path.empty() ? Encoded{} : yaml_scalar(path);
}
template <auto Field>
Encoded boolean_field(const Owner<Field>& owner) {
  return owner.*Field ? "true" : "false";
}
template <auto Field>
Encoded duration_field(const Owner<Field>& owner) {
  return format_duration(owner.*Field);
}
template <auto Field>
Encoded number_field(const Owner<Field>& owner) {
  return std::to_string(owner.*Field);
}
template <auto Field>
Encoded limit_field(const Owner<Field>& owner) {
  return limit(owner.*Field);
}
template <auto Field>
Encoded text_list_field(const Owner<Field>& owner) {
  return text_list(owner.*Field);
}
template <auto Field, const auto& Words>
Encoded word_set_field(const Owner<Field>& owner) {
  return word_set(owner.*Field, Words);
}
template <auto Field, const auto& Words>
Encoded enum_field(const Owner<Field>& owner) {
  for (const auto& word : Words) {
    if (word.value == owner.*Field) return std::string(word.text);
  }
  return std::nullopt;
}

}  // namespace encoders
}  // namespace xsd::config
