// SPDX-License-Identifier: Apache-2.0
//
// ProgramService: a service that starts a program: one for each connection, or with `wait` one for each
// listening socket, which then owns that socket until it exits.
//
// An instance is a ChildProgram (child_program.h) with the definition that it was started with; its end is
// recorded when its main process has ended, its slot given back when it is gone.
//
// A connection whose time is bounded, or that is to be drained after the program's end, is also kept open by
// the instance (TimedSocket), nowhere else.
//
// What a `wait` server leaves behind is looked at when it has ended: a socket that it has shut down listens
// again, if need be by a new socket at the same place, and one that it has connected is open to all again.
// While a server has it the socket is lent (ServiceContext::on_lent): a later daemon is not to get it as
// well. A server that fails at once or serves nobody, and a socket that cannot be mended or is ready with
// nothing in it, pause the service as a failing start does.
//
// A start that fails costs its client the connection (recorded as an end with the error) and pauses the
// service: 1 s, doubling to 60 s while it goes on failing; the sockets stay open and clients wait in the
// backlog. Where nothing is wrong with the service the client is kept: for want of descriptors until there
// are some, tried again when the gate for all (AcceptGate) opens; for want of processes or memory up to five
// times, a second apart; unless the flag NORETRY is set.
//
// At a limit a connection is refused. With `wait` nobody has been accepted who could be: that one listener is
// not watched until an instance of the service ends, for a second at most. The same goes for `max_load`; out
// of its hours (`access_times`) the whole service is not watched. Datagrams that would start a server then,
// or are from somebody who is not let in, are dropped.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

#include "xsd/service/service.h"
#include "xsd/service/stderr_pipe.h"
#include "xsd/service/wait_socket.h"

namespace xsd::service {

class TimedSocket;

class ProgramService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> create(ServiceContext& context, Prepared prepared);
  ~ProgramService() override;

  void apply(Prepared next) override;
  void terminate(Duration grace, bool close_connections) override;
  void kill() override;
  void leave() override;
  std::uint64_t active() const noexcept override {
    return instances_.size() + newcomers() + (retry_ ? 1 : 0);
  }

  /// Starts the program for a connection that is accepted already, unless it is refused, which is recorded.
  /// Not for a `wait` service.
  void take(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
            const net::SocketAddress& local);

  void on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) override;
  void on_input(Listener& listener) override;

 private:
  struct Instance;
  using InstanceRef = std::list<Instance>::iterator;

  /// A connection whose start failed for want of resources.
  struct Retry {
    UniqueFd socket;
    std::uint64_t id;
    net::SocketAddress remote;
    net::SocketAddress local;
    int attempts;
  };

  /// The datagram that somebody is asked about.
  struct AskedHead {
    QueueHead head;
    std::unique_ptr<Vetting> vetting;
    std::optional<Vetting::Outcome> outcome;  ///< once it is there
  };

  ProgramService(ServiceContext& context, Prepared prepared);
  Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept override;
  void on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                 const net::SocketAddress& local) override;
  void adopt_listener(Listener& listener) override;
  void release_listener(Listener& listener) override;

  enum class StartResult : std::uint8_t {
    Started,
    NoRoom,         ///< for its pidfd in the set of the select poller; nothing else was done
    NoDescriptors,  ///< paused for a moment
    Temporary,      ///< paused for a second
    Failed,         ///< recorded, and paused
  };
  StartResult start(int socket, Listener* waiting_listener, std::uint64_t id,
                    const net::SocketAddress& remote, const net::SocketAddress& local);
  void start_connection(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                        const net::SocketAddress& local, int attempts);
  bool keeps_sockets() const noexcept;
  static void keep(Instance& instance, std::unique_ptr<TimedSocket> connection, UniqueFd socket);
  void end_connection(Instance& instance);
  void on_exit(Instance& instance, const reactor::ChildExit& exit);
  void on_wait_exit(Instance& instance, const reactor::ChildExit& exit);
  /// The listener whose socket it had, if it had one.
  Listener* take_back(Instance& instance);
  /// False if it does not back off.
  bool refuse_while_backing_off(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
                                const net::SocketAddress& local);
  void drop_sender(Listener& listener, const net::SocketAddress& sender, policy::Reason reason);
  /// Whether the sender of a datagram may start the program, as far as others are asked about it. If not it
  /// is refused already, or the answer is not there yet.
  bool is_vetted(Listener& listener, const QueueHead& head);
  void give_up_retry();
  void forget(InstanceRef instance);
  bool is_taken(const Listener& listener) const noexcept;
  Result<int> standard_error();

  bool is_welcome(Listener& listener, const std::optional<QueueHead>& head);
  bool has_room(Listener& listener);
  void wait_for_room(Listener& listener);
  void on_room(const Listener* but = nullptr);
  void back_off(std::string why);
  void pause(Duration time, std::string why);
  StartResult lack_descriptors(int error);
  void on_back_off_over();
  bool mend(Listener& listener);
  void on_empty_wake();
  void judge(const Instance& instance, int socket, bool failed);

  std::list<Instance> instances_;
  std::unique_ptr<StderrPipe> stderr_pipe_;
  std::optional<Retry> retry_;
  using AskedHeads = std::unordered_map<const Listener*, AskedHead>;
  std::unique_ptr<AskedHeads> asked_;  ///< of a `wait` service; nothing until somebody was asked
  unsigned failures_ = 0;              ///< in a row
  /// Of a `wait` server that left what it was started for in the queue, or may have done so; in a row.
  unsigned unread_starts_ = 0;
  unsigned empty_wakes_ = 0;  ///< of a socket that is ready although there is nothing in it, in a row
  reactor::Timer back_off_;   ///< all listeners are held while it is armed
  reactor::Timer room_;       ///< some listeners of a `wait` service are, as a limit is reached
};

}  // namespace xsd::service
