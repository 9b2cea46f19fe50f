// SPDX-License-Identifier: Apache-2.0
//
// The settings table: one row for each key that a configuration can have. It drives decoding, defaults,
// --dump-config, the suggestions for unknown keys, and what is generated for readers (man page, schema). To
// add a key: one row here, one field in definitions.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "xsd/config/definitions.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

enum class Scope : std::uint8_t {
  Service,   ///< in a service only
  Both,      ///< in a service, or in `defaults` for all of them
  Defaults,  ///< in `defaults` only
  Daemon,    ///< below `daemon`; keys of a map there have a dot: "log.level"
};

enum class Availability : std::uint8_t {
  Now,
  Later,  ///< known, refused as not available yet
  Never,  ///< known, refused with `reason`
};

/// Which kind of service a key makes sense for.
enum class AppliesTo : std::uint8_t {
  All,
  Programs,
  Plugins,
  Started,  ///< programs, and plugin services that have `programs`
};

struct DecodeInput;  // value_decoders.h

struct SettingsRow {
  /// Stores what `value` says. What is wrong with it goes to the sink.
  using Decoder = void (*)(DecodeInput&, const YamlNode& value);
  /// The effective value as YAML that reads back to the same; nullopt where there is none to write (the
  /// default is "nothing").
  using ServiceEncoder = std::optional<std::string> (*)(const ServiceDefinition&);
  using DaemonEncoder = std::optional<std::string> (*)(const DaemonSettings&);

  std::string_view name;
  Scope scope = Scope::Service;
  std::string_view kind;          ///< of value, in words: "duration", "list of words"
  std::string_view default_text;  ///< as it would be written; "" if there is none
  std::string_view help;          ///< one sentence
  std::string_view example;       ///< a value as written in YAML
  Availability availability = Availability::Now;
  std::string_view reason;  ///< of Never
  AppliesTo applies_to = AppliesTo::All;
  bool no_effect_yet = false;  ///< accepted, for what is to come
  bool is_list = false;        ///< may be edited with `key+` and `key-`
  Decoder decode = nullptr;    ///< nullptr: structure, read by decode.cc itself, or not available
  ServiceEncoder encode = nullptr;
  DaemonEncoder encode_daemon = nullptr;
};

std::span<const SettingsRow> settings_table() noexcept;

/// Whether the row's key makes sense for the service.
bool applies(const SettingsRow& row, const ServiceDefinition& definition) noexcept;

/// The row of a key of a service or of `defaults`; nullptr if it is unknown.
const SettingsRow* find_service_row(std::string_view name) noexcept;
/// The row of a key below `daemon` ("log.level").
const SettingsRow* find_daemon_row(std::string_view name) noexcept;
std::uint16_t row_index(const SettingsRow& row) noexcept;

/// The known key nearest to `name`, in `defaults` or in a service; empty if none is near.
std::string_view suggest_service_key(std::string_view name, bool in_defaults);
/// The same below `daemon`; `prefix` is "" or "log.", and what comes back is without it.
std::string_view suggest_daemon_key(std::string_view name, std::string_view prefix);

/// Where the value of `key` was written; nullptr if it was not.
const ValueOrigin* origin_of(std::span<const ValueOrigin> origins, std::string_view key) noexcept;
/// The same, of a key that the service itself has: nullptr for an inherited one.
const ValueOrigin* own_origin_of(std::span<const ValueOrigin> origins, std::string_view key) noexcept;

}  // namespace xsd::config
