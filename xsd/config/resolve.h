// SPDX-License-Identifier: Apache-2.0
//
// Resolver: a definition to what it means on this machine now. Every fault it finds depends on the machine,
// may be gone tomorrow, and leaves the definition good: its text says `not found`, `not executable` or what
// else is in the way.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "xsd/config/answers.h"
#include "xsd/config/client_files.h"
#include "xsd/config/definitions.h"
#include "xsd/config/name_service.h"
#include "xsd/config/source_file.h"

namespace xsd::config {

struct MachineFault {
  Position where;  ///< in the service's own file
  std::string message;
  bool is_warning = false;  ///< the service can do without
};

/// A plugin that is part of the program.
struct KnownPlugin {
  std::string name;
  bool has_settings = false;  ///< so it is asked about those of each service
};

struct ResolveRules {
  bool as_root = false;
  unsigned port_offset = 0;
  std::vector<KnownPlugin> known_plugins;  ///< sorted by name
  bool only_checks = false;       ///< nothing will be started, so whether we may change users does not matter
  bool can_lack_banners = false;  ///< as with xinetd, whose services run without them
};

class Resolver {
 public:
  /// Names and what was learned of plugins are borrowed.
  Resolver(NameService& names, const PluginAnswers& plugins, ResolveRules rules)
      : names_(names), plugins_(plugins), rules_(std::move(rules)) {}

  const ResolveRules& rules() const noexcept { return rules_; }

  /// Forget what was found out: a new load begins.
  void refresh();
  /// Of files of addresses.
  void set_trust(TrustRules trust) noexcept { trust_ = trust; }

  /// nullptr if there is a fault; `coming` then gets the endpoints that were found, if it is wanted.
  /// `main_file` is named where an inherited value is at fault.
  std::shared_ptr<const Resolution> resolve(const ServiceDefinition& definition, std::string_view main_file,
                                            std::vector<MachineFault>& faults,
                                            std::vector<net::Endpoint>* coming = nullptr);

  /// What `resolve` will ask about this definition.
  void add_questions(const ServiceDefinition& definition, Answers& out) const;

 private:
  class Work;
  /// Empty if `path` can be executed (or is a folder, if `folder`), else why not.
  const std::string& look_at(const std::string& chroot, const std::string& path, bool folder);

  /// Empty if the file of addresses is good, else what is wrong with it.
  const std::string& look_at_addresses(const std::string& path);

  /// nullptr if there is no built-in plugin of this name.
  const KnownPlugin* find_builtin(std::string_view name) const noexcept;

  NameService& names_;
  const PluginAnswers& plugins_;
  ResolveRules rules_;
  TrustRules trust_;
  std::unordered_map<std::string, std::string> looked_at_;
  ClientFileReader files_;
};

}  // namespace xsd::config
