// SPDX-License-Identifier: Apache-2.0
//
// RemoteService: a plugin service that works in a worker process. It keeps the definition and borrows the
// sockets, so that a new worker can be given all of it when one has died; connections that were accepted are
// lost with the process that had them, those in the queue are not.
//
// Making: from its creation until the worker has answered, or ten seconds have passed, or the plugin has
// taken its worker down. Later on the worker may die and come back; a service that cannot be made again then,
// or brings its worker down again and again, is told of with Events::on_failed.
//
// Instead of sockets it can be given connections that were let in already, one by one (ShardedService). A
// connection is kept until the worker has taken it, and comes back if the worker has died before that; once
// taken it is the worker's, and lost with it. Those that it has not ended yet are exactly the deals().
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "xsd/manager/request_handler.h"
#include "xsd/manager/worker_host.h"
#include "xsd/service/managed_service.h"

namespace xsd::manager {

/// A connection that was let in.
struct Dealt {
  UniqueFd socket;
  std::uint64_t id = 0;
  net::SocketAddress remote;
  net::SocketAddress local;
  std::string user{};  ///< that the client's machine told; empty: none
};

class RemoteService final : public service::ManagedService {
 public:
  struct Events {
    /// It is no longer being made.
    std::function<void()> on_made;
    /// It had been made, and does not work any more; the owner may destroy it.
    std::function<void(service::ManagedService& service, const std::string& why)> on_failed;
    /// A connection that its worker had taken is over.
    std::function<void(std::uint64_t id)> on_deal_over{};
    /// The deals have changed, or whether it is_ready() may have.
    std::function<void()> on_change{};
    std::function<void(std::list<Dealt> deals)> on_returned{};
  };

  /// Borrows all but the definition and the events.
  RemoteService(service::ServiceContext& context, RequestHandler& requests, WorkerHost& host,
                service::Prepared prepared, Events events);
  ~RemoteService() override;

  /// To be asked for only while it is ready.
  void deal(Dealt dealt);
  std::size_t deals() const noexcept { return untaken_.size() + taken_.size(); }
  /// Its worker has made it and takes what it is told.
  bool is_ready() const noexcept { return state_ == State::Working && unanswered_ == 0 && host_.is_ready(); }

  bool is_making() const noexcept override { return state_ == State::Making; }
  std::string failure() const override { return failure_; }
  bool can_become(const service::Prepared& next) const noexcept override;
  void apply(service::Prepared next) override;
  Status listen_on(const std::vector<net::BoundSocket*>& sockets) override;
  void drain() override;
  void terminate(Duration grace, bool close_connections) override;
  void kill() override;
  void on_idle(std::function<void()> handler) override;
  std::string pause_reason() const override;
  std::uint64_t active() const noexcept override;
  service::Counters counters() const noexcept override;
  std::optional<plugin::DatagramCounters> datagrams() const noexcept override;
  std::vector<std::pair<std::string, std::uint64_t>> metrics() const override;
  void program_ended(std::uint64_t id, int error, int exit_status, int signal) override;

  /// Whether its datagrams are decided about by this file of addresses.
  bool reads_file(const std::string& path) const;

  // For the host. Those that follow first are false for what no worker that is in order would ask.
  bool take_deal(std::uint64_t id);
  bool end_deal(std::uint64_t id);
  bool hand_over(plugin::HandOver request);
  bool start_program(plugin::ProgramStart request);
  void drop_program(std::uint64_t id);
  /// It was told to end, or could not be made.
  bool may_end() const noexcept { return state_ == State::Ending || state_ == State::Failed; }
  void on_answer(const std::string& error);
  void on_ended();
  void on_change();
  /// Its process has died with what it had accepted. `counted`: what its cell showed.
  void on_lost(const service::Counters& counted);
  /// There is a new process: everything again.
  void begin_again();
  /// It is the one that brings its workers down.
  void fail(std::string why);

 private:
  enum class State : std::uint8_t { Making, Working, Ending, Failed };

  void define(const std::string& definition);
  void send_sockets(const std::vector<net::BoundSocket*>& sockets);
  std::uint32_t index_of(const net::BoundSocket& socket) const noexcept;
  /// `limit`: its worker has to be done with it by then.
  void end(const worker::ToWorker& command, std::optional<Duration> limit = std::nullopt);
  void lose_patience();
  void become_idle();
  void tell();
  /// All of them are over.
  void end_deals();
  void add_metrics(std::map<std::string, std::uint64_t>& sum) const;

  RequestHandler& requests_;
  WorkerHost& host_;
  Events events_;
  State state_ = State::Making;
  std::string failure_;
  worker::ServiceNumber number_;
  std::vector<net::BoundSocket*> sockets_;
  std::list<Dealt> untaken_;
  std::unordered_set<std::uint64_t> taken_;
  std::size_t unanswered_ = 0;                           ///< definitions
  service::Counters before_;                             ///< counted by workers that have died
  std::map<std::string, std::uint64_t> metrics_before_;  ///< the same
  bool is_told_of_sockets_ = false;                      ///< the worker, which of them it listens on
  bool ended_ = false;                                   ///< nothing of it is left in the worker
  std::function<void()> on_idle_;
  reactor::Timer patience_;  ///< while making, and while it is to end
  reactor::Timer teller_;    ///< of what the owner is to be told, when nobody is in the middle of something
};

}  // namespace xsd::manager
