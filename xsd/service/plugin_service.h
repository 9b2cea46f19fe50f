// SPDX-License-Identifier: Apache-2.0
//
// PluginService: a service whose connections and datagrams a plugin handles on this loop. It takes
// connections from its listeners, or gets them from whoever has accepted them and let them in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "xsd/plugin/hosted_service.h"
#include "xsd/service/service.h"

namespace xsd::service {

class PluginService final : public Service {
 public:
  static Result<std::unique_ptr<PluginService>> create(ServiceContext& context, Prepared prepared);
  ~PluginService() override;

  void apply(Prepared next) override;
  void terminate(Duration grace, bool close_connections) override;
  void kill() override;
  std::uint64_t active() const noexcept override;
  std::optional<plugin::DatagramCounters> datagrams() const noexcept override;
  std::vector<std::pair<std::string, std::uint64_t>> metrics() const override;
  void program_ended(std::uint64_t id, int error, int exit_status, int signal) override;

  /// Serves a connection that was accepted and let in elsewhere; its records have this id. False if it is
  /// over already. No socket: this process had no room for its descriptor, and it is refused. `user`: that
  /// its machine told; empty: none.
  bool take(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
            const net::SocketAddress& local, std::string user = {});
  /// Called for each connection that is over, but for those that `take` or a listener could not begin.
  void on_connection_end(std::function<void(std::uint64_t id)> handler) {
    on_connection_end_ = std::move(handler);
  }

  void on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) override;
  void on_input(Listener& listener) override;

 private:
  PluginService(ServiceContext& context, Prepared prepared);
  Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept override;
  Status prepare_socket(net::BoundSocket& socket) override;
  void on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                 const net::SocketAddress& local) override;
  bool serve(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
             const net::SocketAddress& local);
  void on_stream_end(const plugin::StreamEnd& end);
  int hand_over(plugin::HandOver request);
  int start_program(plugin::ProgramStart request);
  void count_active() noexcept;

  std::function<void(std::uint64_t id)> on_connection_end_;
  reactor::Timer deadline_;
  std::unique_ptr<plugin::HostedService> hosted_;
};

/// Sets what the listening or datagram socket of a plugin service needs. Some of it takes the rights of the
/// master, so it is done before a socket goes to a worker, and not again there.
Status prepare_plugin_socket(const config::ServiceDefinition& definition, const net::BoundSocket& socket);

}  // namespace xsd::service
