// SPDX-License-Identifier: Apache-2.0
//
// StreamConnection: one accepted stream socket in the hands of a plugin; the xsd_connection of the plugin
// interface. StreamSet: all of them that belong to one service; owns them, and borrows the PluginInstance.
//
// What happens in which order. The loop (or `open`) enters the set; callbacks of the plugin run, and what
// they ask of a connection is done at once where bytes are concerned (write), but only noted where the
// connection's life is (finish, close, a failed send). Noted connections are in `touched_`. When the
// outermost entry is left, each touched connection is settled: it is shut down or ended, its timer re-armed,
// its interest brought up to date. So on_close never runs inside another callback. Ended connections wait in
// `ended_`, their sockets closed, until nobody is using them; then they are reported and destroyed. Those
// that end inside `open` are reported by work deferred to the end of the turn, so that the caller of `open`
// sees its answer first.
//
// System calls of a connection that sends, is echoed and closes: recv, send, recv, close, and one
// registration. A connection whose plugin answers and closes in on_open is never registered: send,
// ioctl(SIOCINQ), close.
//
// Closing with unread bytes would make the kernel send a reset, and that may take our answer away from the
// peer (RFC 1122 4.2.2.13). So if there are any, the sending direction is shut down first and the input
// thrown away until the peer has ended too, for at most kLingerTime.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"
#include "xsd/plugin/plugin_instance.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::plugin {

class StreamSet;

/// How long a closed connection goes on throwing away what its peer sends.
inline constexpr Duration kLingerTime = std::chrono::seconds(2);
/// What may wait to be sent on one connection.
inline constexpr std::size_t kMaxPending = std::size_t{1024} * 1024;

class StreamConnection : public ::xsd_connection {
 public:
  StreamConnection(StreamSet& set, UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                   const net::SocketAddress& local);
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;

  // What the plugin can ask for (see plugin.h).
  int write(const char* data, std::size_t length) noexcept;
  std::int64_t try_write(const char* data, std::size_t length) noexcept;
  void want_writable(bool on) noexcept;
  void discard_input() noexcept;
  void finish() noexcept;
  void close() noexcept;
  const xsd_peer_info* peer_info() noexcept;
  void* data() const noexcept { return data_; }
  void set_data(void* data) noexcept { data_ = data; }

 private:
  friend class StreamSet;
  using Place = std::list<StreamConnection>::iterator;

  /// Bytes that the kernel did not take.
  struct Pending {
    std::vector<char> bytes;
    std::size_t sent = 0;
    std::size_t size() const noexcept { return bytes.size() - sent; }
  };

  bool watch() noexcept;
  void on_ready(reactor::Events ready) noexcept;
  void on_timer() noexcept;
  void on_readable() noexcept;
  void on_writable() noexcept;
  void on_peer_end() noexcept;
  void discard_some() noexcept;
  void raise_low_water_mark() noexcept;
  std::int64_t send_now(const char* data, std::size_t length) noexcept;
  void flush() noexcept;
  void count_input(std::size_t bytes) noexcept;
  void fail() noexcept;
  void touch() noexcept;

  void settle() noexcept;
  std::optional<EndCause> cause_to_end() noexcept;
  bool start_lingering() noexcept;
  void end(EndCause cause) noexcept;
  bool can_send() const noexcept { return !ended_ && !closing_ && !finishing_ && !broken_; }
  bool throws_input_away() const noexcept { return discarding_ || closing_; }
  bool waits_to_send() const noexcept { return pending_ || (want_writable_ && can_send()); }
  reactor::Events wanted_events() const noexcept;
  int kernel_queue(unsigned long request) const noexcept;

  StreamSet& set_;
  Place place_{};  ///< of this object, in the set's list
  UniqueFd socket_;
  std::uint64_t id_;
  void* data_ = nullptr;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  MonotonicTime opened_;
  Duration idle_timeout_;  ///< zero: none
  std::unique_ptr<Pending> pending_;
  std::unique_ptr<PeerText> peer_text_;
  net::SocketAddress remote_;
  net::SocketAddress local_;

  bool tcp_ : 1;
  bool want_writable_ : 1 = false;
  bool discarding_ : 1 = false;  ///< discard_input was called
  bool finishing_ : 1 = false;   ///< finish was called
  bool shut_ : 1 = false;        ///< our direction is shut down
  bool closing_ : 1 = false;     ///< close was called
  bool lingering_ : 1 = false;   ///< everything is sent and shut down, unread bytes were found
  bool peer_ended_ : 1 = false;
  bool broken_ : 1 = false;  ///< reset by the peer, or another error of the socket
  bool moved_ : 1 = false;   ///< bytes went in or out since the timer was armed, see count_input
  bool touched_ : 1 = false;
  bool ended_ : 1 = false;
  std::uint8_t low_water_step_ = 0;
  std::optional<EndCause> forced_;

  reactor::Timer timer_;
  reactor::Watch watch_;
};

class StreamSet {
 public:
  explicit StreamSet(PluginInstance& instance);
  StreamSet(const StreamSet&) = delete;
  StreamSet& operator=(const StreamSet&) = delete;
  virtual ~StreamSet();

  OpenOutcome open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                   const net::SocketAddress& local) noexcept;
  void close_all(EndCause cause) noexcept;
  std::size_t size() const noexcept { return live_.size(); }

  /// While one lives, the set and its connections are in use. The outermost one settles and reports when it
  /// ends; after that the set may be gone.
  class Entry {
   public:
    explicit Entry(StreamSet& set) noexcept : set_(set) { ++set_.depth_; }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { set_.leave(); }

   private:
    StreamSet& set_;
  };

  /// Destroys `set` now, or when it is no longer in use further up the stack. It must be empty.
  static void retire(std::unique_ptr<StreamSet> set) noexcept;

 protected:
  /// Ends every connection at once and reports it, those still to be reported included.
  void end_all(EndCause cause) noexcept;

 private:
  friend class StreamConnection;

  void leave() noexcept;
  void settle_touched() noexcept;
  void report_first() noexcept;
  void defer_reports();

  PluginInstance& instance_;
  std::list<StreamConnection> live_;
  std::list<StreamConnection> ended_;
  std::vector<StreamConnection*> touched_;
  std::shared_ptr<StreamSet*> self_;  ///< for deferred work, which may outlive the set
  unsigned depth_ = 0;
  bool reports_deferred_ = false;
  bool retired_ = false;
};

}  // namespace xsd::plugin
