// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/stream_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::plugin {
namespace {

constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;

// Throwing input away (performance.md). One call drops all that is queued; a turn is done after so many of
// them.
constexpr std::size_t kDropLength = std::size_t{1024} * 1024;
constexpr int kDropsPerTurn = 8;
// The low-water mark costs that much receive memory, so only connections that sent this much get it.
struct LowWaterStep {
  std::uint64_t after_bytes;
  int mark;
};
constexpr LowWaterStep kLowWaterSteps[] = {{256 * 1024, 256 * 1024}, {2 * 1024 * 1024, 1024 * 1024}};

// No buffer at all, so the call is made directly: the libc wrappers of the sanitizers take the bytes for
// written.
ssize_t drop_tcp_input(int fd) noexcept {
  return syscall(SYS_recvfrom, fd, nullptr, kDropLength, MSG_TRUNC | MSG_DONTWAIT, nullptr, nullptr);
}

bool is_transient(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static_assert(static_cast<std::uint32_t>(EndCause::Finished) == XSD_CLOSE_FINISHED);
static_assert(static_cast<std::uint32_t>(EndCause::Peer) == XSD_CLOSE_PEER);
static_assert(static_cast<std::uint32_t>(EndCause::Timeout) == XSD_CLOSE_TIMEOUT);
static_assert(static_cast<std::uint32_t>(EndCause::Drain) == XSD_CLOSE_DRAIN);
// Ten thousand of them are held at a time.
static_assert(sizeof(StreamConnection) <= 528);

}  // namespace

std::array<char, kScratchSize>& scratch() noexcept {
  // No state: nobody finds anything in it that he has not put there in the same handler.
  static std::array<char, kScratchSize> buffer;
  return buffer;
}

StreamConnection::StreamConnection(StreamSet& set, UniqueFd socket, std::uint64_t id,
                                   const net::SocketAddress& remote, const net::SocketAddress& local)
    : set_(set),
      socket_(std::move(socket)),
      id_(id),
      opened_(set.instance_.loop.now()),
      idle_timeout_(set.instance_.options.idle_timeout.value_or(Duration::zero())),
      remote_(remote),
      local_(local),
      tcp_(local.is_ip() || remote.is_ip()),
      timer_(set.instance_.loop, [this] { on_timer(); }) {}

// --- what the plugin asks for ---

int StreamConnection::write(const char* data, std::size_t length) noexcept {
  if (!can_send()) return -EPIPE;
  if (length == 0) return 0;
  if (length > kMaxPending - (pending_ ? pending_->size() : 0)) return -ENOBUFS;
  std::size_t taken = 0;
  if (!pending_) {
    const std::int64_t sent = send_now(data, length);
    if (sent < 0) return -EPIPE;
    taken = static_cast<std::size_t>(sent);
    if (taken == length) return 0;
    pending_ = std::make_unique<Pending>();
  }
  Pending& pending = *pending_;
  if (pending.sent > 0) {
    pending.bytes.erase(pending.bytes.begin(),
                        pending.bytes.begin() + static_cast<std::ptrdiff_t>(pending.sent));
    pending.sent = 0;
  }
  pending.bytes.insert(pending.bytes.end(), data + taken, data + length);
  touch();
  return 0;
}

std::int64_t StreamConnection::try_write(const char* data, std::size_t length) noexcept {
  if (!can_send()) return -EPIPE;
  if (pending_) return -EAGAIN;
  if (length == 0) return 0;
  const std::int64_t sent = send_now(data, length);
  return sent < 0 ? -EPIPE : sent;
}

void StreamConnection::want_writable(bool on) noexcept {
  want_writable_ = on;
  touch();
}

void StreamConnection::discard_input() noexcept {
  discarding_ = true;
  touch();
}

void StreamConnection::finish() noexcept {
  finishing_ = true;
  touch();
}

void StreamConnection::close() noexcept {
  closing_ = true;
  touch();
}

const xsd_peer_info* StreamConnection::peer_info() noexcept {
  if (!peer_text_) peer_text_ = std::make_unique<PeerText>(set_.instance_, id_, remote_, local_);
  return &peer_text_->info;
}

// --- bytes ---

void StreamConnection::touch() noexcept {
  if (touched_ || ended_) return;
  touched_ = true;
  set_.touched_.push_back(this);
}

void StreamConnection::fail() noexcept {
  broken_ = true;
  touch();
}

/// Input that is thrown away while the peer takes nothing of what is there for it is no movement: one that
/// never reads would live for ever on a byte now and then.
void StreamConnection::count_input(std::size_t bytes) noexcept {
  bytes_in_ += bytes;
  if (!throws_input_away() || !waits_to_send()) moved_ = true;
}

/// Bytes taken, 0 if there is no room, -1 after an error.
std::int64_t StreamConnection::send_now(const char* data, std::size_t length) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(socket_.get(), data, length, kSendFlags);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (is_transient(errno)) return 0;
    fail();
    return -1;
  }
  bytes_out_ += static_cast<std::uint64_t>(sent);
  moved_ = true;
  touch();
  return sent;
}

void StreamConnection::flush() noexcept {
  const std::int64_t sent = send_now(pending_->bytes.data() + pending_->sent, pending_->size());
  if (sent <= 0) return;
  pending_->sent += static_cast<std::size_t>(sent);
  if (pending_->size() == 0) pending_.reset();
}

void StreamConnection::on_ready(reactor::Events ready) noexcept {
  const StreamSet::Entry entry(set_);
  touch();
  const std::uint64_t bytes_before = bytes_in_ + bytes_out_;
  const bool ended_before = peer_ended_;
  if ((ready & reactor::kWritable) != 0) on_writable();
  if ((ready & reactor::kReadable) != 0 && !broken_) on_readable();
  // An error that neither reading nor writing met would be reported again and again.
  const bool progress = bytes_in_ + bytes_out_ != bytes_before || peer_ended_ != ended_before;
  if ((ready & reactor::kHangup) != 0 && !progress) broken_ = true;
}

void StreamConnection::on_writable() noexcept {
  const xsd_plugin& calls = set_.instance_.calls;
  if (pending_) {
    flush();
  } else if (want_writable_ && can_send() && calls.on_writable != nullptr) {
    calls.on_writable(set_.instance_.state, this);
  }
}

void StreamConnection::on_readable() noexcept {
  if (peer_ended_) return;
  if (throws_input_away()) return discard_some();
  if (pending_) return;
  std::array<char, kScratchSize>& buffer = scratch();
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got == 0) return on_peer_end();
  if (got < 0) {
    if (!is_transient(errno)) fail();
    return;
  }
  // Whether there is more is the poller's to say.
  const auto length = static_cast<std::size_t>(got);
  count_input(length);
  const xsd_plugin& calls = set_.instance_.calls;
  if (calls.on_data != nullptr) calls.on_data(set_.instance_.state, this, buffer.data(), length);
}

void StreamConnection::on_peer_end() noexcept {
  peer_ended_ = true;
  const xsd_plugin& calls = set_.instance_.calls;
  if (closing_ || calls.on_end == nullptr) {
    finish();
  } else {
    calls.on_end(set_.instance_.state, this);
  }
}

void StreamConnection::discard_some() noexcept {
  std::array<char, kScratchSize>& buffer = scratch();
  const std::size_t length = tcp_ ? kDropLength : buffer.size();
  for (int i = 0; i < kDropsPerTurn; ++i) {
    const ssize_t got =
        tcp_ ? drop_tcp_input(socket_.get()) : ::recv(socket_.get(), buffer.data(), length, MSG_DONTWAIT);
    if (got == 0) return on_peer_end();
    if (got < 0) {
      if (!is_transient(errno)) fail();
      return;
    }
    count_input(static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < length) break;
  }
  if (tcp_ && discarding_ && !closing_) raise_low_water_mark();
}

void StreamConnection::raise_low_water_mark() noexcept {
  if (low_water_step_ >= std::size(kLowWaterSteps)) return;
  const LowWaterStep& step = kLowWaterSteps[low_water_step_];
  if (bytes_in_ <= step.after_bytes) return;
  ++low_water_step_;
  // Only speed depends on it.
  (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &step.mark, sizeof step.mark);
}

// --- life ---

bool StreamConnection::watch() noexcept {
  socket_ = raise_fd(std::move(socket_));
  auto watch = set_.instance_.loop.watch(socket_.get(), wanted_events(),
                                         [this](reactor::Events ready) { on_ready(ready); });
  if (!watch) return false;
  watch_ = std::move(*watch);
  if (!lingering_ && idle_timeout_ > Duration::zero()) timer_.arm(idle_timeout_);
  moved_ = false;
  return true;
}

reactor::Events StreamConnection::wanted_events() const noexcept {
  reactor::Events events = reactor::kNone;
  if (waits_to_send()) events |= reactor::kWritable;
  if (!peer_ended_ && (!pending_ || throws_input_away())) events |= reactor::kReadable;
  return events;
}

int StreamConnection::kernel_queue(unsigned long request) const noexcept {
  int bytes = 0;
  return ioctl(socket_.get(), request, &bytes) == 0 ? bytes : 0;
}

void StreamConnection::on_timer() noexcept {
  const StreamSet::Entry entry(set_);
  touch();
  // A raised low-water mark keeps small arrivals from us.
  if (low_water_step_ > 0 && !lingering_ && kernel_queue(SIOCINQ) > 0) {
    discard_some();
    if (moved_) return;
  }
  forced_ = lingering_ ? EndCause::Finished : EndCause::Timeout;
}

/// Brings everything in line with what was asked for and what happened since the last time.
void StreamConnection::settle() noexcept {
  if (ended_) return;
  if (const std::optional<EndCause> cause = cause_to_end()) return end(*cause);
  if (!watch_.active()) return;  // `open` will see to it
  if (moved_ && !lingering_ && idle_timeout_ > Duration::zero()) timer_.arm(idle_timeout_);
  moved_ = false;
  watch_.set_interest(wanted_events());
}

std::optional<EndCause> StreamConnection::cause_to_end() noexcept {
  if (forced_) return forced_;
  if (broken_) return EndCause::Peer;
  if (pending_) return std::nullopt;
  if (closing_) {
    if (peer_ended_) return EndCause::Finished;
    if (!lingering_ && !start_lingering()) return EndCause::Finished;
  } else if (finishing_) {
    if (peer_ended_) return EndCause::Finished;
    // Fails only if the peer has reset the connection, which the next read will tell.
    if (!shut_) (void)shutdown(socket_.get(), SHUT_WR);
    shut_ = true;
  }
  return std::nullopt;
}

/// False if nothing is unread, so that the socket can simply be closed.
bool StreamConnection::start_lingering() noexcept {
  if (kernel_queue(SIOCINQ) == 0) return false;
  lingering_ = true;
  (void)shutdown(socket_.get(), SHUT_WR);  // as above
  if (low_water_step_ > 0) {
    const int any = 1;
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &any, sizeof any);  // as in raise_low_water_mark
  }
  const bool shorter = idle_timeout_ > Duration::zero() && idle_timeout_ < kLingerTime;
  timer_.arm(shorter ? idle_timeout_ : kLingerTime);
  return true;
}

void StreamConnection::end(EndCause cause) noexcept {
  if (cause == EndCause::Timeout && tcp_ && (pending_ || kernel_queue(SIOCOUTQNSD) > 0)) {
    // The peer does not read. Let go of what the kernel holds for it, instead of having it tried for many
    // minutes more; and the peer must not take for whole what is not.
    const linger abort{1, 0};
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &abort,
                     sizeof abort);  // then it is a close as usual
  }
  watch_.reset();
  timer_.cancel();
  socket_.reset();
  pending_.reset();
  ended_ = true;
  forced_ = cause;
  set_.ended_.splice(set_.ended_.end(), set_.live_, place_);
  const xsd_plugin& calls = set_.instance_.calls;
  if (calls.on_close != nullptr)
    calls.on_close(set_.instance_.state, this, static_cast<std::uint32_t>(cause));
}

// --- the set ---

StreamSet::StreamSet(PluginInstance& instance) : instance_(instance) {}

StreamSet::~StreamSet() = default;

OpenOutcome StreamSet::open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                            const net::SocketAddress& local) noexcept {
  // A number that select cannot hold is found out before the plugin hears of the connection.
  if (!instance_.loop.can_watch(socket.get())) return OpenOutcome::NoRoom;
  const Entry entry(*this);
  StreamConnection& connection = live_.emplace_back(*this, std::move(socket), id, remote, local);
  connection.place_ = std::prev(live_.end());

  OpenOutcome outcome = OpenOutcome::Open;
  const xsd_plugin& calls = instance_.calls;
  if (calls.on_open != nullptr && calls.on_open(instance_.state, &connection) != 0)
    outcome = OpenOutcome::Refused;
  if (outcome == OpenOutcome::Open) {
    connection.settle();
    if (!connection.ended_ && !connection.watch()) {
      connection.end(EndCause::Peer);
      outcome = OpenOutcome::NoRoom;
    }
  }
  if (outcome == OpenOutcome::Open) {
    if (connection.ended_) defer_reports();
    return outcome;
  }
  std::erase(touched_, &connection);
  (connection.ended_ ? ended_ : live_).erase(connection.place_);
  return outcome;
}

void StreamSet::close_all(EndCause cause) noexcept {
  const Entry entry(*this);
  for (StreamConnection& connection : live_) {
    connection.forced_ = cause;
    connection.touch();
  }
}

void StreamSet::end_all(EndCause cause) noexcept {
  const Entry entry(*this);
  while (!live_.empty()) {
    live_.front().end(cause);
  }
  settle_touched();  // ended ones only: nothing points to them any more
  while (!ended_.empty()) {
    report_first();
  }
}

void StreamSet::settle_touched() noexcept {
  // A callback of one may touch others.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    touched_[i]->touched_ = false;
    touched_[i]->settle();
  }
  touched_.clear();
}

void StreamSet::report_first() noexcept {
  const StreamConnection& first = ended_.front();
  const StreamEnd end{
      first.id_,     *first.forced_, first.bytes_in_, first.bytes_out_, instance_.loop.now() - first.opened_,
      first.remote_, first.local_};
  ended_.pop_front();
  if (instance_.options.on_stream_end) instance_.options.on_stream_end(end);
}

void StreamSet::defer_reports() {
  if (reports_deferred_) return;
  reports_deferred_ = true;
  if (!self_) self_ = std::make_shared<StreamSet*>(this);
  instance_.loop.defer([weak = std::weak_ptr<StreamSet*>(self_)] {
    const std::shared_ptr<StreamSet*> self = weak.lock();
    if (!self) return;
    StreamSet& set = **self;
    set.reports_deferred_ = false;
    const Entry entry(set);
  });
}

void StreamSet::leave() noexcept {
  if (depth_ == 1) {
    settle_touched();
    // What `on_stream_end` does may end others, or retire this set.
    while (!ended_.empty() && !reports_deferred_) {
      report_first();
      settle_touched();
    }
  }
  --depth_;
  if (depth_ == 0 && retired_) delete this;
}

void StreamSet::retire(std::unique_ptr<StreamSet> set) noexcept {
  set->retired_ = true;
  if (set->depth_ > 0) (void)set.release();  // `leave` deletes it
}

}  // namespace xsd::plugin
