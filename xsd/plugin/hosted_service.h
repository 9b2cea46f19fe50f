// SPDX-License-Identifier: Apache-2.0
//
// HostedService: one service's plugin running on this process's loop: the xsd_service of the plugin
// interface. Its StreamConnections are the xsd_connections. The service layer accepts and admits, and hands
// each admitted socket over with `open`; datagram sockets are given by number and read here.
//
// Besides its clients a plugin has the connections that it makes outward, and those to programs that it asks
// its owner to start. These are the plugin's own affair: they are not counted and not reported, and none of
// them keeps a service alive.
//
// States of a StreamConnection:
//   open      reading (unless bytes wait to be sent) and sending
//   half      the peer has ended its direction, or we have ended ours; the other goes on
//   flushing  `close` was called: waiting bytes go out, input is thrown away, then it ends; if unread bytes
//             are there at that point, it ends when the peer has ended too, or 2 s later
//   ended     on_close was called, the socket is closed; the object is freed after the handler
//   joined    the host carries bytes between it and another one (stream_connection.h)
// One made with `connect` is `connecting` before it is open. One that leads to a program does not end by
// itself before the program has ended too.
// Every change of bytes re-arms the idle timer, except input that is thrown away while output waits; a timer
// that runs out ends the connection with XSD_CLOSE_TIMEOUT, whatever the state.
//
// The end of a service. Its owner destroys the HostedService: all connections end, no timer runs out any
// more, nothing new can be begun, and `stop` is called. If work of run_blocking is not done yet, that is all
// but for `stop`: what the plugin has stays until the last `done` has run, then `stop` is called, from the
// loop. So nobody waits for a thread but the end of the BlockingPool.
//
// Memory: an idle connection holds no buffer. Reading goes into one scratch buffer of the loop (64 KiB,
// shared by all services of a process); what a peer does not take is copied into a buffer that lives until it
// is sent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/config/definitions.h"
#include "xsd/net/address.h"
#include "xsd/plugin/registry.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::plugin {

class BlockingPool;

enum class EndCause : std::uint8_t { Finished, Peer, Timeout, Drain, Handed };

/// Refused: by the plugin. NoRoom: the loop cannot watch it.
enum class OpenOutcome : std::uint8_t { Open, Refused, NoRoom };

struct StreamEnd {
  std::uint64_t id;
  EndCause cause;
  std::uint64_t bytes_in;
  std::uint64_t bytes_out;
  Duration duration;
  net::SocketAddress remote;
  net::SocketAddress local;
};

/// Counters of datagrams; the daemon does not record single ones.
struct DatagramCounters {
  std::uint64_t received = 0;
  std::uint64_t answered = 0;
  std::uint64_t refused = 0;  ///< see datagram.h: dangerous senders, answers to a group address
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

/// A client that the plugin gives to another service. `socket` is a duplicate, set to blocking, with whatever
/// has not been read from it.
struct HandOver {
  UniqueFd socket;
  std::uint64_t id;  ///< as given to `open`
  net::SocketAddress remote;
  net::SocketAddress local;
  std::string service;  ///< that is to have it, as the plugin says
};

/// Of a ProgramStart.
inline constexpr std::size_t kMaxEnvironment = 128;
inline constexpr std::size_t kMaxEnvironmentBytes = std::size_t{32} * 1024;

/// A program that the plugin wants to have started.
struct ProgramStart {
  std::uint64_t id = 0;  ///< of the HostedService's own, never used twice
  std::string program;   ///< as the plugin says
  std::vector<std::string> environment;
  std::string directory;  ///< empty: not said
  UniqueFd socket;        ///< the program's end of a stream socket pair: blocking, close-on-exec
};

struct HostedOptions {
  std::string service = {};  ///< id
  /// The map under `settings`; null: none. Copied.
  const config::SettingsNode* settings = nullptr;
  std::optional<Duration> idle_timeout = {};
  /// SO_KEEPALIVE on what the plugin connects to; on clients it is inherited from the listening socket.
  bool keep_alive = false;
  /// Called once for each connection that was opened, after on_close. The connection is gone already, and no
  /// callback of the plugin is running, so this may open others, end them or destroy the HostedService. Never
  /// called from within `open`: what ends there is reported at the end of the turn.
  std::function<void(const StreamEnd&)> on_stream_end = {};
  /// Called for xsd_host.log. `level` is XSD_LOG_*; the text is already escaped. It may be called until the
  /// plugin's `stop`, so it must not need the owner of the HostedService. (No other function here is called
  /// once the HostedService is gone.)
  std::function<void(std::uint32_t level, std::string_view text)> on_log = {};
  /// True if a datagram from this address must not be answered or even shown to the plugin (our own UDP ports
  /// on local addresses). Port 0, kReflectingPorts, multicast and broadcast senders (datagram.h) are refused
  /// without asking.
  std::function<bool(const net::SocketAddress& sender)> refuse_sender = {};
  /// Gives the cell that a counter of this name lives in, which is not touched after the HostedService is
  /// gone; nullptr: no room for it. Without this function the service keeps the cells.
  std::function<std::uint64_t*(std::string_view name)> make_metric = {};
  /// 0, and then the client is gone from here (EndCause::Handed), or a negative errno: -EACCES if this
  /// service may not hand over to that one. Without it: -ENOSYS. Like those that follow, called from within a
  /// callback of the plugin: it must not call into the HostedService.
  std::function<int(HandOver)> on_hand_over = {};
  /// 0, and then `program_ended` is to be called once for it, or a negative errno: -ENOENT if the service
  /// declares no such program. Without it: -ENOSYS.
  std::function<int(ProgramStart)> on_start_program = {};
  /// Nobody waits for this program any more: its connection has ended. `program_ended` need not be called.
  std::function<void(std::uint64_t id)> on_drop_program = {};
  /// For run_blocking; borrowed, outlives the service. Without it: -ENOSYS.
  BlockingPool* pool = nullptr;
  /// Is `number` while the plugin is at work, and 0 otherwise: who is to blame for what happens.
  std::uint64_t* busy_with = nullptr;
  std::uint64_t number = 0;
};

/// [a-z0-9_]{1,31}
bool is_metric_name(std::string_view name) noexcept;
/// Of one service.
inline constexpr std::size_t kMaxMetrics = 16;

class HostedService {
 public:
  /// Calls the plugin's `start`. The loop and the entry are borrowed and outlive the service.
  static Result<std::unique_ptr<HostedService>> create(reactor::EventLoop& loop, const PluginEntry& entry,
                                                       HostedOptions options);
  /// Ends what is left (Drain, without waiting for unsent bytes; on_stream_end is still called) and calls the
  /// plugin's `stop`.
  ~HostedService();

  /// Takes over an accepted, admitted stream socket (non-blocking). Unless it is open now, the socket is
  /// closed, and on_stream_end is not called.
  OpenOutcome open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                   const net::SocketAddress& local) noexcept;

  /// New connections get the new timeout.
  void set_idle_timeout(std::optional<Duration> idle_timeout) noexcept;
  /// The same.
  void set_keep_alive(bool keep_alive) noexcept;

  /// Reads a bound datagram socket until it is empty or a bound (64 datagrams a turn) is reached.
  /// Non-blocking, borrowed, prepared by prepare_datagram_socket; the caller owns the Watch. `wildcard`: the
  /// socket is bound to all addresses, and replies leave from the address that was asked. Returns 0, or a
  /// positive errno of the receive call that is not EAGAIN.
  int read_datagrams(int fd, const net::SocketAddress& bound, bool wildcard) noexcept;

  /// How a program of on_start_program went: it could not be started (a negative errno), or it has ended. Ids
  /// that are not known (any more) are ignored.
  void program_ended(std::uint64_t id, int error, int exit_status, int signal) noexcept;

  /// The plugin's counters, by name, as of now.
  std::vector<std::pair<std::string_view, std::uint64_t>> metrics() const;

  /// Ends every connection now with this cause.
  void close_all(EndCause cause) noexcept;
  /// Clients.
  std::size_t connections() const noexcept;
  const DatagramCounters& datagrams() const noexcept;

 private:
  class Impl;
  explicit HostedService(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Options that a listening stream socket of a plugin service needs; accepted sockets inherit them (so no
/// call per connection): TCP_NODELAY, SO_OOBINLINE.
Status prepare_stream_listener(int fd, const net::SocketAddress& bound);
/// Room for bursts (a receive buffer of 1 MiB, or as near as the system allows), and what tells where a
/// datagram was sent to (IP_PKTINFO, or IPV6_RECVPKTINFO on a wildcard socket; an IPv6 address is no
/// broadcast) or, on a unix socket, who sent it (SO_PASSCRED).
Status prepare_datagram_socket(int fd, const net::SocketAddress& bound);

}  // namespace xsd::plugin
