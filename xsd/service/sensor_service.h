// SPDX-License-Identifier: Apache-2.0
//
// SensorService: a service with the flag SENSOR. It serves nobody: whoever comes to it, and is let in by its
// lists and the rest of its rules, is banned from all services of the daemon for `deny_time`. Its listening
// sockets are there to be found by those who look for something to attack.
//
// A connection is closed at once; of a datagram only the sender is looked at. It may be forged, so somebody
// else can be made to be banned by datagrams. No byte that a client sends is read.
#pragma once

#include <memory>

#include "xsd/service/service.h"

namespace xsd::service {

class SensorService final : public Service {
 public:
  SensorService(ServiceContext& context, Prepared prepared) : Service(context, std::move(prepared)) {}
  ~SensorService() override { listeners_.clear(); }

  // Nothing runs.
  void terminate(Duration /*grace*/, bool /*close_connections*/) override { kill(); }
  void kill() override {
    give_up_newcomers();
    drain();
  }
  std::uint64_t active() const noexcept override { return newcomers(); }

  void on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) override;
  void on_input(Listener& listener) override;

 private:
  void on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                 const net::SocketAddress& local) override;
  Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept override;
  void ban(const net::SocketAddress& peer);
};

}  // namespace xsd::service
