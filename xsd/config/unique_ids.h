// SPDX-License-Identifier: Apache-2.0
//
// UniqueIds: sees to it that services of foreign files, where several may have one name (echo over TCP and
// over UDP), have ids that differ. The first keeps its own, the others get NAME-udp, NAME-tcp6 or the like
// where that tells them from it, or else NAME-2. It lives as long as one configuration is read.
#pragma once

#include <string>
#include <unordered_map>

#include "xsd/config/diagnostic.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

class UniqueIds {
 public:
  /// Gives the service, a map, another `id` if its own is taken, and notes that.
  void claim(YamlNode& service, DiagnosticSink& sink);

 private:
  struct Owner {
    std::string kind;   ///< of its socket
    unsigned last = 1;  ///< number that was tried behind the id
  };
  bool take(const std::string& id, const std::string& kind) {
    return taken_.try_emplace(id, Owner{kind}).second;
  }

  std::unordered_map<std::string, Owner> taken_;
};

}  // namespace xsd::config
