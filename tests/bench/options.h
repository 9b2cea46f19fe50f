// SPDX-License-Identifier: Apache-2.0
//
// What the command line of xsd_bench says.
#pragma once

#include <string>
#include <vector>

namespace bench {

/// Where the plugin services of the daemon work.
enum class Workers {
  Both,     // comparisons that plugins answer are made in both ways, everything else as in Default
  Default,  // in worker processes
  None,     // in the daemon itself
};

struct Options {
  std::string daemon;                         // the xsd to measure
  std::vector<std::string> daemon_arguments;  // more options for it
  Workers workers = Workers::Both;
  std::string plugins;             // the folder of the plugin libraries
  std::string references;          // the folder of limit_* and bench_tiny
  std::vector<std::string> names;  // what to run; empty: everything
  bool quick = false;
  bool strict = false;
  bool self_test = false;  // the references on both sides
  bool pin = true;         // servers on one processor, clients on another
  bool keep = false;       // leave the temporary folders

  bool wants(const std::string& name) const {
    if (names.empty()) return true;
    for (const std::string& wanted : names) {
      if (wanted == name) return true;
    }
    return false;
  }
};

}  // namespace bench
