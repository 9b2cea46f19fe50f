// SPDX-License-Identifier: Apache-2.0
//
// InetdReader: what an inetd.conf(5) means, said as the tree that the same configuration would be in YAML: a
// map of `defaults` and `services`. From there on both go the same way, so every key, its checks and its
// diagnostics exist once; the places are those in the file.
//
//   [HOST,...:]SERVICE TYPE[:FILTER] PROTOCOL[,OPTION] WAIT[.MAX] USER[:GROUP][/CLASS] PROGRAM [ARGV0 ARG...]
//
// is read in the spellings of BSD, Debian, GNU inetutils and busybox. Where these do not agree it means what
// serves most: `tcp` is both families. Of several entries for one socket the last one has it. What inetd
// takes for granted (no limit of instances, the whole environment, all groups of the user) is spelt out in
// `defaults`. What there is no equivalent of and what has another effect is a note or a warning; what cannot
// be at all (RPC, a program that shares its datagram socket with inetd, one without a path) is an error.
#pragma once

#include <string_view>

#include "xsd/config/diagnostic.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// Reads one file. The ids of the services are unique. An entry with an error keeps its place in the list, so
/// that it is known by its name; what it means is then not worth much. Never fails as a whole.
YamlNode read_inetd_file(std::string_view text, DiagnosticSink& sink);

}  // namespace xsd::config
