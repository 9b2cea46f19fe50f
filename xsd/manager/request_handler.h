// SPDX-License-Identifier: Apache-2.0
//
// RequestHandler: does what plugins ask of the daemon: of those that work in this process, and of those in
// workers, whose RemoteServices have checked what was said. Owned by the ServiceManager; borrows the context.
//
// A connection that is handed over goes to a service that is at work and starts a program for each
// connection; from there on it is that service's, which may refuse it. One that comes through tcpmux goes to
// a service that still wants to be reached so. Where there is none it is closed, and
// the service that gave it away records a refusal with the reason `protocol`. Who its peer is, is asked of
// the socket, not of the giver.
#pragma once

#include <functional>
#include <string>

#include "xsd/manager/plugin_programs.h"
#include "xsd/service/context.h"
#include "xsd/service/plugin_requests.h"

namespace xsd::manager {

class RequestHandler final : public service::PluginRequests {
 public:
  /// The service at work under an id; nullptr if there is none.
  using FindService = std::function<service::ManagedService*(const std::string& id)>;

  RequestHandler(service::ServiceContext& context, FindService find_service);

  int hand_over(service::ManagedService& service, plugin::HandOver request) override;
  int start_program(service::ManagedService& service, plugin::ProgramStart request) override;
  void drop_program(service::ManagedService& service, std::uint64_t id) override;

  PluginPrograms& programs() noexcept { return programs_; }

 private:
  service::ServiceContext& context_;
  FindService find_service_;
  PluginPrograms programs_;
};

}  // namespace xsd::manager
