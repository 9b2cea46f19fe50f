// SPDX-License-Identifier: Apache-2.0
//
// Workers: the worker processes of the daemon: which there are, and which service goes where. The built-in
// plugins share one, and those of them that need more than the others another; each library has its own, so
// that its crash is its own, and a service with `shards` has as many for itself. Owns the hosts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "xsd/manager/remote_service.h"
#include "xsd/manager/worker_host.h"
#include "xsd/service/context.h"
#include "xsd/service/managed_service.h"

namespace xsd::manager {

class Workers {
 public:
  /// `credentials` of the processes; nothing: ours. Context and handler are borrowed.
  Workers(service::ServiceContext& context, RequestHandler& requests,
          std::optional<process::Credentials> credentials);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Begins to make a plugin service.
  std::unique_ptr<service::ManagedService> create(service::Prepared prepared, RemoteService::Events events);

  /// The daemon's UDP ports have changed.
  void set_udp_ports(std::vector<std::uint16_t> ports);
  /// Of processes that are started from now on.
  void set_credentials(std::optional<process::Credentials> credentials) {
    setup_.credentials = std::move(credentials);
  }
  /// This file of addresses may be another one.
  void lend_file(const std::string& path);
  /// The settings of the log have changed.
  void set_log();
  /// Sends what services were told in this turn, before sockets are closed.
  void flush();
  /// Ends all processes in order, and those that take longer than that by force.
  void end(Duration limit);
  void kill() noexcept;
  /// SIGCHLD: a child of the daemon has ended or was stopped.
  void look_for_stop();
  /// `done` is called once all workers have done what they were told, however long that takes.
  void when_done(std::function<void()> done);
  /// The same, at the latest after two seconds; what was waited for before is forgotten.
  void fence(std::function<void()> done);

 private:
  WorkerHost& host_for(const service::Prepared& prepared);
  std::vector<WorkerHost*> make_shards(const service::Prepared& prepared);
  void tidy();
  void end_fence();

  RequestHandler& requests_;
  WorkerSetup setup_;
  std::vector<std::unique_ptr<WorkerHost>> hosts_;
  std::vector<std::unique_ptr<WorkerHost>> leaving_;  ///< have no services any more, but a process yet
  reactor::Timer tidier_;
  std::uint64_t fence_serial_ = 0;
  std::function<void()> fenced_;
  reactor::Timer fence_limit_;
};

}  // namespace xsd::manager
