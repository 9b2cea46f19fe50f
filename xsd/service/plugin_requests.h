// SPDX-License-Identifier: Apache-2.0
//
// PluginRequests: what the plugins of services ask of the daemon. PluginService checks what its plugin asks
// (below) and passes it on; who does it depends on the process: in the master the manager itself
// (manager::RequestHandler), in a worker a message to it, where it is checked again. Borrowed by the
// ServiceContext; outlives the services.
//
// Called from within callbacks of plugins: it must not call back into the service before the next turn.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "xsd/config/definitions.h"
#include "xsd/plugin/hosted_service.h"
#include "xsd/service/managed_service.h"

namespace xsd::service {

class PluginRequests {
 public:
  using MakeMetric = std::function<std::uint64_t*(std::string_view name)>;

  PluginRequests() = default;
  PluginRequests(const PluginRequests&) = delete;
  PluginRequests& operator=(const PluginRequests&) = delete;
  virtual ~PluginRequests() = default;

  /// 0 or a negative errno. What the other service thinks of it is in its records.
  virtual int hand_over(ManagedService& service, plugin::HandOver request) = 0;
  /// 0, and then `program_ended` of the service follows, or a negative errno.
  virtual int start_program(ManagedService& service, plugin::ProgramStart request) = 0;
  /// Nobody waits for this program any more: it gets TERM.
  virtual void drop_program(ManagedService& service, std::uint64_t id) = 0;
  /// See HostedOptions; empty: the service keeps them itself.
  virtual MakeMetric metric_maker(const ManagedService& /*service*/) { return {}; }
};

/// Whether the definition of a service allows this; 0 or a negative errno (plugin.h).
int check_hand_over(const config::ServiceDefinition& definition, std::string_view target) noexcept;
int check_program_start(const config::ServiceDefinition& definition, const plugin::ProgramStart& start);

}  // namespace xsd::service
