// SPDX-License-Identifier: Apache-2.0
//
// ShardedService: a plugin service whose connections are dealt to several workers of its own (`shards`), or
// to the one that it shares, since others are asked about its clients (Vetting) and workers cannot ask. It
// accepts here, so that limits are kept here and stay exact, and never reads from what it has accepted: the
// socket goes to the shard that has the fewest connections, which says when one is over. Each shard is a
// RemoteService without sockets; the sockets for datagrams of a service that is not dealt out are its one
// shard's, which reads them and asks by itself (service/sender_names.h).
//
// A shard whose process has died loses what it had taken; the others go on, and get what comes, and what it
// had not taken, until there is a new one. While no shard is ready (none runs, or none takes what it is told)
// nothing is accepted: clients wait in the queue. The few that were accepted already wait here; they count as
// active.
//
// It is made when all shards have been made, and has failed when one has. From then on, as when it ends, no
// shard is dealt anything any more: what waits is refused with the reason `draining`.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xsd/manager/remote_service.h"
#include "xsd/service/service.h"

namespace xsd::manager {

class ShardedService final : public service::Service {
 public:
  /// Borrows all but the definition and the events. Each host is one shard; of several each is nobody else's.
  ShardedService(service::ServiceContext& context, RequestHandler& requests,
                 const std::vector<WorkerHost*>& hosts, const service::Prepared& prepared,
                 RemoteService::Events events);
  ~ShardedService() override;

  bool is_making() const noexcept override;
  std::string failure() const override;
  bool can_become(const service::Prepared& next) const noexcept override;
  void apply(service::Prepared next) override;
  Status listen_on(const std::vector<net::BoundSocket*>& sockets) override;
  void terminate(Duration grace, bool close_connections) override;
  void kill() override;
  std::string pause_reason() const override;
  std::uint64_t active() const noexcept override;
  service::Counters counters() const noexcept override;
  std::optional<plugin::DatagramCounters> datagrams() const noexcept override;
  std::vector<std::pair<std::string, std::uint64_t>> metrics() const override;

  void on_connection(service::Listener& listener, UniqueFd socket, const net::SocketAddress& remote) override;
  void on_input(service::Listener& listener) override;

 private:
  service::Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept override;
  Status prepare_socket(net::BoundSocket& socket) override;
  void on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                 const net::SocketAddress& local) override;
  void adopt_listener(service::Listener& listener) override;
  /// The shard that is to have the next connection; nullptr if none is ready.
  RemoteService* choose_shard() noexcept;
  void tell_made();
  void deal_waiting();
  void refuse_waiting();
  /// Accepts if some shard is ready, and only then.
  void hold_or_resume();

  RequestHandler& requests_;
  RemoteService::Events events_;
  std::vector<std::unique_ptr<RemoteService>> shards_;
  std::list<Dealt> waiting_;
  std::size_t next_ = 0;  ///< the first of those that have equally few
  bool holds_ = false;
  bool has_sockets_ = false;
};

}  // namespace xsd::manager
