// SPDX-License-Identifier: Apache-2.0
//
// XinetdReader: what a file of xinetd's means, said as the tree that the same configuration would be in YAML:
// a map of `defaults`, `services` and what is included. From there on both go the same way, so every key, its
// checks and its diagnostics exist once; the places are those in xinetd's file.
//
// xinetd's own defaults (no limit of instances, the whole environment, `cps`, no records) are spelt out in
// `defaults`. What xinetd ignores silently, or with a line in a log, is a warning: an attribute that is not
// known, a second value of one, words too many. One thing is taken as it was meant instead: a word that
// begins with # ends the value (but of server_args, env and passenv), so that the limit before it applies,
// which xinetd drops.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/diagnostic.h"
#include "xsd/config/xinetd_text.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

struct XinetdInclude {
  std::string path;
  bool is_folder = false;
  Position where;
};

struct XinetdFile {
  YamlNode root;  ///< a map: `defaults` if there is such a block, `services`
  std::vector<XinetdInclude> includes;
  bool has_defaults = false;
  bool has_passenv = false;           ///< in `defaults`, as written
  bool faulty = false;                ///< `defaults` has an error
  std::vector<bool> faulty_services;  ///< for each of `services`: it has an error
};

/// Reads one file. A service with an error keeps its place in the list, so that it is known by its name; what
/// it means is then not worth much. Never fails as a whole.
XinetdFile read_xinetd_file(std::string_view text, DiagnosticSink& sink);

/// xinetd tells a program its name without the folder, we the whole path: says so in each of these services,
/// with NAMEINARGS.
void name_programs(YamlNode& services);

/// xinetd asks hosts.allow and hosts.deny about every client that it accepts, and about the sender for whom
/// it starts a datagram server: says so in such a service. (They are not asked for a SENSOR, with NOLIBWRAP,
/// nor for the datagrams of an internal service.) False if it is none.
bool ask_libwrap(YamlNode& service);

/// What xinetd itself takes for granted, for `defaults` of a file that has none.
YamlNode xinetd_defaults();

}  // namespace xsd::config
