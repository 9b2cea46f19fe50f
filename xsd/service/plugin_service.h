// SPDX-License-Identifier: Apache-2.0
//
// PluginService: a service whose connections and datagrams a plugin handles on this loop.
#pragma once

#include <memory>

#include "xsd/plugin/hosted_service.h"
#include "xsd/service/service.h"

namespace xsd::service {

class PluginService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> create(ServiceContext& context, Prepared prepared);
  ~PluginService() override;

  void apply(Prepared next) override;
  void terminate(Duration grace, bool close_connections) override;
  void kill() override;
  std::uint64_t active() const noexcept override;
  const plugin::DatagramCounters* datagrams() const noexcept override;

  void on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) override;
  void on_input(Listener& listener) override;

 private:
  PluginService(ServiceContext& context, Prepared prepared);
  Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept override;
  Status prepare_socket(net::BoundSocket& socket) override;
  void on_stream_end(const plugin::StreamEnd& end);

  reactor::Timer deadline_;
  std::unique_ptr<plugin::HostedService> hosted_;
};

}  // namespace xsd::service
