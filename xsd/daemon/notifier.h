// SPDX-License-Identifier: Apache-2.0
//
// Notifier: tells a service manager how far we are (sd_notify(3), the NOTIFY_SOCKET protocol): one datagram
// each, no library. Says nothing where nobody asked, and never waits: what the manager has no room for is
// sent when it has, in its order. Where the manager keeps descriptors for us (FDSTORE; it says so itself from
// systemd 254 on, before that the unit's Environment= does) it gets the listening sockets: the next of us has
// them from it (inherited_sockets.h), with the clients that wait there. Where the manager wants to hear
// regularly that we are alive (WATCHDOG_USEC) the loop says so.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include <sys/resource.h>

#include "xsd/base/clock.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/endpoint.h"
#include "xsd/net/socket.h"
#include "xsd/process/channel.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::daemon {

/// What the manager calls the socket of this endpoint: printable, without a colon. Empty if it is too long
/// for a name (255 characters).
std::string store_name(const net::Endpoint& endpoint);
/// Whether it has the form of one of ours, which no name of a unit has.
bool is_store_name(std::string_view name) noexcept;

/// How many sockets are left with a manager that keeps `store_size`. It gives them to the next of us from 3
/// on, beside those of units, and where they reach the soft limit of open files the loader has no descriptor
/// left and no xsd starts any more. So there is to be some space below the limit that we were started with.
std::size_t store_room(std::size_t store_size, rlim_t open_files, std::size_t of_units) noexcept;

class Notifier {
 public:
  /// Reads NOTIFY_SOCKET, FDSTORE, WATCHDOG_USEC and WATCHDOG_PID. `detached`: the manager has started our
  /// parent, and is told who we are.
  explicit Notifier(bool detached = false);
  /// What could not be sent at once is sent by this loop, which outlives us.
  void use(reactor::EventLoop& loop);
  void ready(std::string_view status);
  void reloading(MonotonicTime now);
  void stopping();
  /// What takes longer than the manager's own limit (TimeoutStopSec=) would be killed.
  void extend_stop(Duration longest);
  /// Before we end: what waits is sent, for a second at most.
  void finish();

  /// How many sockets the manager keeps; 0: none, as far as it says.
  std::size_t store_size() const noexcept { return store_size_; }
  /// The manager has a copy of it from now on, by this name; empty: it has not. nullopt: it cannot have one.
  std::optional<std::string> keep(const net::BoundSocket& socket);
  /// The manager closes its copy, or the port would stay open.
  void forget(std::string_view store_name);

 private:
  struct Message {
    std::string text;
    UniqueFd fd{};  ///< goes with it, if there is one
  };

  /// False if it is dropped.
  bool send(Message message);
  process::Sent try_to_send(const Message& message);
  process::Sent try_once(const Message& message);
  void send_waiting();
  void wait_for_room();

  void tell_alive();

  std::string path_;
  const bool detached_;
  Duration sign_of_life_{};  ///< how often; 0: never
  bool owes_sign_ = false;
  std::size_t store_size_ = 0;
  UniqueFd socket_;
  std::deque<Message> waiting_;
  std::size_t waiting_fds_ = 0;  ///< how many of them have one
  reactor::EventLoop* loop_ = nullptr;
  std::optional<reactor::Timer> alive_;
  reactor::Watch room_;  ///< after what it watches
};

}  // namespace xsd::daemon
