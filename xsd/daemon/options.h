// SPDX-License-Identifier: Apache-2.0
//
// The command line of xsd (interface.md section 1). The one place that knows Boost.Program_options.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "xsd/base/log.h"
#include "xsd/config/definitions.h"
#include "xsd/config/source_format.h"
#include "xsd/reactor/poller.h"

namespace xsd::daemon {

enum class Mode : std::uint8_t { Serve, Check, DumpConfig, Plugins, Import };

struct Options {
  Mode mode = Mode::Serve;
  std::string config = "/etc/xsd/xsd.yaml";  ///< absolute
  config::SourceFormat format = config::SourceFormat::Yaml;
  bool config_given = false;  ///< it was asked for, not just taken
  config::SourceFormat import_format = config::SourceFormat::Xinetd;
  std::vector<std::string> import_paths;  ///< as given, at least one with Mode::Import
  bool detach = false;
  std::optional<std::string> pid_file;        ///< absolute
  std::optional<std::string> control_socket;  ///< absolute
  unsigned port_offset = 0;
  reactor::PollerKind poller = reactor::PollerKind::Epoll;
  std::optional<config::WorkersMode> workers;
  std::optional<log::Level> log_level;
  std::optional<bool> log_json;
  std::optional<std::string> log_file;  ///< absolute, or "-" for the standard error
};

/// Nothing more to do: print and exit. Status 0 goes to stdout, others to stderr.
struct Farewell {
  int status = 0;
  std::string text;
};

std::variant<Options, Farewell> parse_options(int argc, const char* const* argv);

}  // namespace xsd::daemon
