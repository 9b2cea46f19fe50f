// SPDX-License-Identifier: Apache-2.0
//
// StreamConnection: one stream socket in the hands of a plugin; the xsd_connection of the plugin interface.
// Owned by a StreamSet (stream_set.h, where the order of things is told).
//
// System calls of a connection that sends, is echoed and closes: recv, send, recv, close, and one
// registration. A connection whose plugin answers and closes in on_open is never registered: send,
// ioctl(SIOCINQ), close.
//
// Closing with unread bytes would make the kernel send a reset, and that may take our answer away from the
// peer (RFC 1122 4.2.2.13). So if there are any, the sending direction is shut down first and the input
// thrown away until the peer has ended too, for at most kLingerTime.
//
// Urgent data is read in its place (SO_OOBINLINE). The kernel reports it as long as it has not been read, so
// after on_urgent it is not asked for it again until a read has passed the mark (sockatmark(3)).
//
// Two that are joined: what arrives on one goes into a pipe that belongs to the other, and from there out.
// While the other has not taken it, the one is not read from. splice(2) stops for good at urgent data, and
// some sockets have none: whenever it moves nothing a plain recv tells why, and takes over what it gets.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"
#include "xsd/plugin/pending_output.h"
#include "xsd/plugin/plugin_instance.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::plugin {

class StreamSet;

/// How long a closed connection goes on throwing away what its peer sends.
inline constexpr Duration kLingerTime = std::chrono::seconds(2);
/// What may wait to be sent on one connection, files not counted, and how many of those.
inline constexpr std::size_t kMaxPending = std::size_t{1024} * 1024;
inline constexpr std::size_t kMaxPendingFiles = 16;
inline constexpr std::size_t kMaxPieces = 64;
/// What one connection may send from files, or carry to another, in a turn.
inline constexpr std::size_t kBytesPerTurn = std::size_t{1024} * 1024;

/// Where a connection comes from. Only clients are counted and reported to the owner of the service.
enum class StreamKind : std::uint8_t { Client, Outward, Program };

/// How a program ended that a connection leads to.
struct ProgramOutcome {
  int error = 0;
  int exit_status = 0;
  int signal = 0;
};

class StreamConnection : public ::xsd_connection {
 public:
  StreamConnection(StreamSet& set, StreamKind kind, UniqueFd socket, std::uint64_t id,
                   const net::SocketAddress& remote, const net::SocketAddress& local);
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;
  ~StreamConnection();

  // What the plugin can ask for (see plugin.h).
  int write(const char* data, std::size_t length) noexcept;
  int write_pieces(const xsd_piece* pieces, std::size_t count, std::uint32_t flags) noexcept;
  std::int64_t try_write(const char* data, std::size_t length) noexcept;
  int send_file(UniqueFd file, std::uint64_t offset, std::uint64_t length) noexcept;
  std::uint64_t unsent() const noexcept;
  std::int64_t read(char* buffer, std::size_t length, bool take) noexcept;
  void set_reading(bool on) noexcept;
  void want_writable(bool on) noexcept;
  void discard_input() noexcept;
  void set_idle_timeout(Duration timeout) noexcept;
  void finish() noexcept;
  void close() noexcept;
  void abort() noexcept;
  int join(StreamConnection& other) noexcept;
  int hand_over(std::string_view service) noexcept;
  const xsd_peer_info* peer_info() noexcept;
  void* data() const noexcept { return data_; }
  void set_data(void* data) noexcept { data_ = data; }
  PluginInstance& instance() noexcept;

 private:
  friend class StreamSet;
  using Place = std::list<StreamConnection>::iterator;

  /// What few connections have.
  struct Extras {
    int connect_error = 0;  ///< of a connect that failed at once; to be told
    std::uint64_t program_id = 0;
    std::optional<ProgramOutcome> outcome;
    bool outcome_told = false;
    StreamConnection* partner = nullptr;  ///< joined with it; null once that has ended
    UniqueFd pipe_in;                     ///< what the partner has sent, on its way to our socket
    UniqueFd pipe_out;
    std::size_t in_pipe = 0;
  };

  bool watch() noexcept;
  void on_ready(reactor::Events ready) noexcept;
  void on_timer() noexcept;
  void on_readable() noexcept;
  void on_writable() noexcept;
  void on_urgent() noexcept;
  void on_peer_end() noexcept;
  void on_connect_ready() noexcept;
  void tell_connected(int result) noexcept;
  void tell_news() noexcept;
  std::int64_t receive(char* buffer, std::size_t length, int flags) noexcept;
  void discard_some() noexcept;
  void raise_low_water_mark() noexcept;
  void drop_low_water_mark() noexcept;
  std::int64_t sent_now(std::int64_t result) noexcept;
  std::int64_t send_now(const char* data, std::size_t length, int flags) noexcept;
  std::int64_t send_file_now(PendingOutput::File& file, std::uint64_t most) noexcept;
  int put(const char* data, std::size_t length) noexcept;
  std::size_t room() const noexcept { return kMaxPending - (pending_ ? pending_->byte_count() : 0); }
  PendingOutput& pending();
  void flush() noexcept;
  void carry() noexcept;
  void carry_copy(StreamConnection& to) noexcept;
  void empty_pipe() noexcept;
  void wake_partner() noexcept;
  bool takes_carried() const noexcept;
  void part(EndCause cause) noexcept;
  void count_input(std::size_t bytes) noexcept;
  void fail() noexcept;
  void stop_sending() noexcept;
  void touch() noexcept;

  void settle() noexcept;
  std::optional<EndCause> cause_to_end() noexcept;
  bool start_lingering() noexcept;
  void end(EndCause cause) noexcept;
  Extras& extras();
  bool is_over() const noexcept { return ended_ || broken_ || forced_.has_value(); }
  bool can_send() const noexcept {
    return !ended_ && !closing_ && !finishing_ && !broken_ && !connecting_ && !joined_ && !forced_;
  }
  int why_not_send() const noexcept;
  bool throws_input_away() const noexcept { return discarding_ || closing_; }
  bool has_output() const noexcept { return pending_ || (joined_ && extras_->in_pipe > 0); }
  bool waits_to_send() const noexcept { return has_output() || (want_writable_ && can_send()); }
  bool waits_for_program() const noexcept;
  bool wants_input() const noexcept;
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
  std::unique_ptr<PendingOutput> pending_;
  std::unique_ptr<PeerText> peer_text_;
  std::unique_ptr<Extras> extras_;
  net::SocketAddress remote_;
  net::SocketAddress local_;

  StreamKind kind_ : 2;
  bool tcp_ : 1;
  bool connecting_ : 1 = false;
  bool reading_ : 1 = true;  ///< set_reading
  bool want_writable_ : 1 = false;
  bool discarding_ : 1 = false;  ///< discard_input was called
  bool finishing_ : 1 = false;   ///< finish was called
  bool shut_ : 1 = false;        ///< our direction is shut down
  bool closing_ : 1 = false;     ///< close was called
  bool resetting_ : 1 = false;   ///< it is to end with a reset
  bool lingering_ : 1 = false;   ///< everything is sent and shut down, unread bytes were found
  bool peer_ended_ : 1 = false;
  bool broken_ : 1 = false;  ///< reset by the peer, or another error of the socket
  bool moved_ : 1 = false;   ///< bytes went in or out since the timer was armed, see count_input
  bool touched_ : 1 = false;
  bool ended_ : 1 = false;
  bool joined_ : 1 = false;
  bool urgent_told_ : 1 = false;  ///< on_urgent was called, and nothing was read past the mark since
  std::uint8_t low_water_step_ = 0;
  std::optional<EndCause> forced_;

  reactor::Timer timer_;
  reactor::Watch watch_;
};

}  // namespace xsd::plugin
