// SPDX-License-Identifier: Apache-2.0
//
// Decoding: a YAML tree to definitions, driven by the settings table. First every key by its row, then what
// concerns several keys of a service together: what runs, where it listens, which keys make sense. Nothing
// here asks the machine.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/file_list.h"
#include "xsd/config/value_decoders.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// One service of a file, good or not.
struct DecodedService {
  std::string id;
  bool id_known = true;
  Position where;                                       ///< of what gives the id
  std::shared_ptr<const ServiceDefinition> definition;  ///< nullptr: faulty
  std::string error;                                    ///< the first one, with its place; empty if none
};

struct DecodeRules {
  std::string_view file;         ///< as shown to users
  std::string_view base_folder;  ///< of the main file, absolute
  bool as_root = false;
  /// Of the errors in the sink already, those that belong to single services.
  std::size_t errors_of_services = 0;
};

/// What services inherit.
struct Inherited {
  Defaults defaults;
  Duration stop_timeout = std::chrono::seconds(10);
};

struct IncludePattern {
  std::string text;
  Position where;
  NameRule names = NameRule::Yaml;
};

struct DecodedMain {
  DaemonSettings daemon;
  Inherited inherited;
  std::vector<IncludePattern> include;
  std::vector<DecodedService> services;  ///< a main file may hold `services:` too
  bool faulty = false;  ///< daemon, defaults or include have an error, or the file as a whole
};

inline constexpr std::string_view kDefaultInclude = "conf.d/*.yaml";

/// Faults of the main file's own services are theirs alone. `inherited`: what holds beside the `defaults`
/// that stand there.
DecodedMain decode_main(const YamlNode& root, const DecodeRules& rules, DiagnosticSink& sink,
                        Inherited inherited = {});

/// A service file. `stem` names what has no usable name. Errors that are in the sink already (of the YAML)
/// count against the service that they stand in.
std::vector<DecodedService> decode_service_file(const YamlNode& root, std::string_view stem,
                                                const Inherited& inherited, const DecodeRules& rules,
                                                DiagnosticSink& sink);

}  // namespace xsd::config
