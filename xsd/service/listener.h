// SPDX-License-Identifier: Apache-2.0
//
// Listener: one bound socket of a running service, watched. For a service that accepts, it takes connections
// in bounded batches; for the others (datagrams, `wait`) it says that there is input.
//
// It is watched unless something holds it: its service (a `wait` server has the socket, the service backs
// off, its clients come too often, or it is closed at this hour), its own pause after a fault that only time
// heals, or the gate that is shut for all. Every hold ends by an event or a timer. The socket stays open and
// bound through all of it: clients wait in the backlog. Errors that seem to concern one connection only are
// such a fault too when many come one after the other: whatever is forbidden to us (an LSM) is not taken out
// of the queue.
#pragma once

#include <memory>
#include <string_view>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/socket.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/service/context.h"

namespace xsd::service {

class Listener;

/// The service behind a listener.
class ListenerOwner {
 public:
  virtual const std::string& name() const noexcept = 0;
  virtual void on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) = 0;
  virtual void on_input(Listener& listener) = 0;

 protected:
  ~ListenerOwner() = default;
};

class Listener {
 public:
  enum class Mode : std::uint8_t {
    AcceptBlocking,     ///< connections in blocking mode, for programs
    AcceptNonBlocking,  ///< for plugins
    Notify,             ///< on_input
  };

  /// All borrowed; the socket and the owner outlive the listener.
  static Result<std::unique_ptr<Listener>> create(ServiceContext& context, ListenerOwner& owner,
                                                  net::BoundSocket& socket, Mode mode);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  net::BoundSocket& socket() noexcept { return socket_; }
  const net::Endpoint& endpoint() const noexcept { return socket_.endpoint(); }
  /// The address that a client of `connection` reached: the endpoint's, or the connection's own where that is
  /// a wildcard.
  net::SocketAddress local_of(int connection) const noexcept;

  /// The owner's own hold.
  void suspend() noexcept { hold(kByOwner); }
  void resume() noexcept { unhold(kByOwner); }
  bool suspended() const noexcept { return (held_ & kByOwner) != 0; }
  /// The hold of what limits all clients of the service together.
  void set_paced(bool paced) noexcept { paced ? hold(kByPace) : unhold(kByPace); }
  /// The hold of a `wait` service out of its hours.
  void set_closed(bool closed) noexcept { closed ? hold(kByHours) : unhold(kByHours); }

  /// For the owner, after `call` on the socket failed in a way that only time can heal: pauses, and tells of
  /// it once.
  void on_fault(std::string_view call, int error);
  /// The call did well; if there was a fault, it is over.
  void on_fault_over(std::string_view call);

  /// By a new socket; see BoundSocket::reopen. Where it fails, is_watched() may be false until it works.
  Status reopen(std::uint32_t backlog);
  bool is_watched() const noexcept { return watch_.active(); }

  /// Takes what is still queued, for a socket that is about to be closed while its service goes on.
  void accept_rest();

  /// For the gate.
  void on_gate_open() noexcept { unhold(kByGate); }

 private:
  enum Hold : unsigned { kByOwner = 1, kByPause = 2, kByGate = 4, kByPace = 8, kByHours = 16 };

  Listener(ServiceContext& context, ListenerOwner& owner, net::BoundSocket& socket, Mode mode);
  Status watch();
  void on_ready();
  /// False if there is nothing more to take now.
  bool accept_one();
  void hold(Hold reason) noexcept;
  void unhold(Hold reason) noexcept;

  ServiceContext& context_;
  ListenerOwner& owner_;
  net::BoundSocket& socket_;
  const Mode mode_;
  unsigned held_ = 0;
  int fault_ = 0;   ///< errno that only time can heal, until the call succeeds: told once
  int misses_ = 0;  ///< accepts in a row that got nothing although something was queued
  reactor::Timer pause_;
  reactor::Watch watch_;
};

}  // namespace xsd::service
