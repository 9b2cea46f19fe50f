// SPDX-License-Identifier: Apache-2.0
//
// TimedSocket: the daemon's own descriptor of a connection that a program serves, by which its
// `start_timeout` and `idle_timeout` are judged: by what the kernel says of the TCP connection (TCP_INFO), so
// no byte passes through here. Owned by whoever owns the program.
//
// The kernel is asked when a time may be over at the earliest, not in between. A connection that it says
// nothing of (it is not TCP) is not judged.
//
// As long as this lives the client does not see the end of the connection, whatever the program closes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "xsd/base/unique_fd.h"
#include "xsd/config/definitions.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

/// What the kernel says of a TCP connection.
struct TcpProgress {
  std::uint64_t written = 0;  ///< bytes that this side has written
  std::uint64_t moved = 0;    ///< bytes that came in or were acknowledged
  Duration quiet{};           ///< since a segment with data, or an acknowledgement
};

/// Nothing if it is no TCP socket.
std::optional<TcpProgress> tcp_progress(int fd) noexcept;

class TimedSocket {
 public:
  /// Before the program is started, so that its first byte is not missed.
  TimedSocket(reactor::EventLoop& loop, int fd);
  TimedSocket(const TimedSocket&) = delete;
  TimedSocket& operator=(const TimedSocket&) = delete;

  /// The program runs. `over` is called from the loop, once, when one of the two times is.
  void begin(UniqueFd socket, const config::ServiceDefinition& definition, std::function<void()> over);
  /// The program has ended: nothing is judged any more.
  UniqueFd end() noexcept;

 private:
  void look();
  void arm();
  bool has_not_started(const TcpProgress& progress);
  bool is_idle(const TcpProgress& progress);

  reactor::EventLoop& loop_;
  std::optional<TcpProgress> first_;
  UniqueFd socket_;
  std::optional<MonotonicTime> start_deadline_;
  std::optional<Duration> idle_timeout_;
  MonotonicTime last_moved_{};  ///< something did, as far as is known
  std::uint64_t moved_ = 0;     ///< when the kernel was asked last
  std::function<void()> over_;
  reactor::Timer timer_;
};

}  // namespace xsd::service
