// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/stream_connection.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xsd/net/socket.h"
#include "xsd/plugin/socket_calls.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

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

/// True if the next byte to be read is the urgent one.
bool is_at_mark(int fd) noexcept {
  return sockatmark(fd) == 1;
}

static_assert(static_cast<std::uint32_t>(EndCause::Finished) == XSD_CLOSE_FINISHED);
static_assert(static_cast<std::uint32_t>(EndCause::Peer) == XSD_CLOSE_PEER);
static_assert(static_cast<std::uint32_t>(EndCause::Timeout) == XSD_CLOSE_TIMEOUT);
static_assert(static_cast<std::uint32_t>(EndCause::Drain) == XSD_CLOSE_DRAIN);
static_assert(static_cast<std::uint32_t>(EndCause::Handed) == XSD_CLOSE_HANDED);
// Ten thousand of them are held at a time.
static_assert(sizeof(StreamConnection) <= 528);

}  // namespace

std::array<char, kScratchSize>& scratch() noexcept {
  // No state: nobody finds anything in it that he has not put there in the same handler.
  static std::array<char, kScratchSize> buffer;
  return buffer;
}

StreamConnection::StreamConnection(StreamSet& set, StreamKind kind, UniqueFd socket, std::uint64_t id,
                                   const net::SocketAddress& remote, const net::SocketAddress& local)
    : set_(set),
      socket_(std::move(socket)),
      id_(id),
      opened_(set.instance_.loop.now()),
      idle_timeout_(set.instance_.options.idle_timeout.value_or(Duration::zero())),
      remote_(remote),
      local_(local),
      kind_(kind),
      tcp_(local.is_ip() || remote.is_ip()),
      timer_(set.instance_.loop, [this] { on_timer(); }) {}

StreamConnection::~StreamConnection() = default;

PluginInstance& StreamConnection::instance() noexcept {
  return set_.instance_;
}

StreamConnection::Extras& StreamConnection::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

// --- what the plugin asks for ---

std::int64_t StreamConnection::read(char* buffer, std::size_t length, bool take) noexcept {
  if (set_.instance_.calls.on_readable == nullptr || length == 0) return -EINVAL;
  if (is_over() || throws_input_away()) return -EPIPE;
  if (connecting_) return -ENOTCONN;
  if (joined_) return -EBUSY;
  if (peer_ended_) return 0;
  const std::int64_t got = receive(buffer, length, take ? 0 : MSG_PEEK);
  if (got < 0) return broken_ ? -EPIPE : -EAGAIN;
  if (!take) return got;
  if (got > 0) count_input(static_cast<std::size_t>(got));
  if (got == 0) peer_ended_ = true;
  touch();
  return got;
}

void StreamConnection::set_reading(bool on) noexcept {
  reading_ = on;
  touch();
}

void StreamConnection::discard_input() noexcept {
  discarding_ = true;
  touch();
}

void StreamConnection::set_idle_timeout(Duration timeout) noexcept {
  idle_timeout_ = std::max(timeout, Duration::zero());
  if (idle_timeout_ == Duration::zero() && !lingering_) timer_.cancel();
  moved_ = true;
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

void StreamConnection::abort() noexcept {
  if (is_over()) return;
  resetting_ = true;
  forced_ = EndCause::Finished;
  touch();
}

int StreamConnection::hand_over(std::string_view service) noexcept {
  const HostedOptions& options = set_.instance_.options;
  if (kind_ != StreamKind::Client) return -EINVAL;
  if (is_over() || closing_ || finishing_) return -EPIPE;
  if (pending_ || joined_) return -EBUSY;
  if (!options.on_hand_over) return -ENOSYS;
  drop_low_water_mark();
  UniqueFd copy(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return -errno;
  // Programs expect that. The mode is that of the open file, which ours is too.
  set_blocking(copy.get(), true);
  const int result = options.on_hand_over({std::move(copy), id_, remote_, local_, std::string(service)});
  if (result != 0) {
    set_blocking(socket_.get(), false);
    return result;
  }
  forced_ = EndCause::Handed;
  touch();
  return 0;
}

const xsd_peer_info* StreamConnection::peer_info() noexcept {
  if (!peer_text_) {
    if (kind_ == StreamKind::Outward) local_ = net::local_address(socket_.get());
    peer_text_ = std::make_unique<PeerText>(set_.instance_, id_, remote_, local_);
  }
  return &peer_text_->info;
}

// --- input ---

void StreamConnection::touch() noexcept {
  if (touched_ || ended_) return;
  touched_ = true;
  set_.touched_.push_back(this);
}

void StreamConnection::fail() noexcept {
  broken_ = true;
  touch();
}

/// A program that reads no more may still have something to say.
void StreamConnection::stop_sending() noexcept {
  pending_.reset();
  finishing_ = true;
  touch();
}

/// Input that is thrown away while the peer takes nothing of what is there for it is no movement: one that
/// never reads would live for ever on a byte now and then.
void StreamConnection::count_input(std::size_t bytes) noexcept {
  bytes_in_ += bytes;
  if (!throws_input_away() || !waits_to_send()) moved_ = true;
}

/// As recv; an error that is one of the connection's is noted.
std::int64_t StreamConnection::receive(char* buffer, std::size_t length, int flags) noexcept {
  const bool at_mark = urgent_told_ && (flags & MSG_PEEK) == 0 && is_at_mark(socket_.get());
  ssize_t got = ::recv(socket_.get(), buffer, length, MSG_DONTWAIT | flags);
  // It has ended with something of ours unread, and all that it had said is here (unix(7)).
  if (got < 0 && errno == ECONNRESET && kind_ == StreamKind::Program) got = 0;
  if (got < 0 && !is_transient(errno)) fail();
  if (at_mark && got > 0) urgent_told_ = false;
  return got;
}

void StreamConnection::on_ready(reactor::Events ready) noexcept {
  const StreamSet::Entry entry(set_);
  touch();
  if (connecting_) return on_connect_ready();
  const std::uint64_t bytes_before = bytes_in_ + bytes_out_;
  const bool ended_before = peer_ended_;
  const bool finishing_before = finishing_;
  if ((ready & reactor::kPriority) != 0) on_urgent();
  if ((ready & reactor::kWritable) != 0 && !is_over()) on_writable();
  if ((ready & reactor::kReadable) != 0 && !is_over()) on_readable();
  if ((ready & reactor::kHangup) == 0) return;
  // An error that neither reading nor writing met would be reported again and again.
  const bool progress =
      bytes_in_ + bytes_out_ != bytes_before || peer_ended_ != ended_before || finishing_ != finishing_before;
  if (progress) return;
  if ((ready & (reactor::kReadable | reactor::kWritable)) == 0) {
    urgent_told_ = true;  // none will come any more, and what is unread is still to be read
  } else if (set_.instance_.calls.on_readable == nullptr || (ready & reactor::kReadable) == 0 ||
             throws_input_away() || joined_) {
    broken_ = true;
  }  // else the plugin will meet it when it reads
}

void StreamConnection::on_readable() noexcept {
  if (peer_ended_) return;
  if (throws_input_away()) return discard_some();
  if (joined_) return carry();
  if (pending_ || !reading_) return;
  const xsd_plugin& calls = set_.instance_.calls;
  if (calls.on_readable != nullptr) return calls.on_readable(set_.instance_.state, this);
  std::array<char, kScratchSize>& buffer = scratch();
  const std::int64_t got = receive(buffer.data(), buffer.size(), 0);
  if (got == 0) return on_peer_end();
  if (got < 0) return;
  // Whether there is more is the poller's to say.
  const auto length = static_cast<std::size_t>(got);
  count_input(length);
  if (calls.on_data != nullptr) calls.on_data(set_.instance_.state, this, buffer.data(), length);
}

void StreamConnection::on_urgent() noexcept {
  const xsd_plugin& calls = set_.instance_.calls;
  urgent_told_ = true;
  if (calls.on_urgent != nullptr && !closing_ && !joined_) calls.on_urgent(set_.instance_.state, this);
}

void StreamConnection::on_peer_end() noexcept {
  peer_ended_ = true;
  const xsd_plugin& calls = set_.instance_.calls;
  if (closing_ || calls.on_end == nullptr || calls.on_readable != nullptr) {
    finish();
  } else {
    calls.on_end(set_.instance_.state, this);
  }
}

void StreamConnection::discard_some() noexcept {
  std::array<char, kScratchSize>& buffer = scratch();
  const std::size_t length = tcp_ ? kDropLength : buffer.size();
  for (int i = 0; i < kDropsPerTurn; ++i) {
    const bool at_mark = urgent_told_ && is_at_mark(socket_.get());
    const ssize_t got =
        tcp_ ? drop_tcp_input(socket_.get()) : ::recv(socket_.get(), buffer.data(), length, MSG_DONTWAIT);
    if (got == 0) return on_peer_end();
    if (got < 0) {
      if (!is_transient(errno)) fail();
      return;
    }
    if (at_mark) urgent_told_ = false;
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

void StreamConnection::drop_low_water_mark() noexcept {
  if (low_water_step_ == 0) return;
  const int any = 1;
  (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &any, sizeof any);  // as above
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

bool StreamConnection::wants_input() const noexcept {
  if (closing_) return true;
  if (joined_) return extras_->partner != nullptr && extras_->partner->takes_carried();
  return reading_ && (discarding_ || !pending_);
}

reactor::Events StreamConnection::wanted_events() const noexcept {
  if (connecting_) return reactor::kWritable;
  reactor::Events events = reactor::kNone;
  if (waits_to_send()) events |= reactor::kWritable;
  if (peer_ended_) return events;
  if (wants_input()) events |= reactor::kReadable;
  if (set_.instance_.calls.on_urgent != nullptr && tcp_ && !urgent_told_ && !closing_ && !joined_)
    events |= reactor::kPriority;
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
  if (low_water_step_ > 0 && !lingering_ && reading_ && kernel_queue(SIOCINQ) > 0) {
    discard_some();
    if (moved_) return;
  }
  forced_ = lingering_ ? EndCause::Finished : EndCause::Timeout;
  if (connecting_) tell_connected(-ETIMEDOUT);
}

void StreamConnection::on_connect_ready() noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  tell_connected(-error);
}

void StreamConnection::tell_connected(int result) noexcept {
  connecting_ = false;
  moved_ = true;
  if (result != 0) broken_ = true;
  const xsd_plugin& calls = set_.instance_.calls;
  if (calls.on_connected != nullptr && !closing_) calls.on_connected(set_.instance_.state, this, result);
}

/// What could not be told from within another callback.
void StreamConnection::tell_news() noexcept {
  Extras& news = *extras_;
  if (connecting_ && news.connect_error != 0 && !is_over()) tell_connected(news.connect_error);
  if (!news.outcome || news.outcome_told) return;
  news.outcome_told = true;
  const xsd_plugin& calls = set_.instance_.calls;
  if (calls.on_program == nullptr) return;
  const ProgramOutcome& outcome = *news.outcome;
  calls.on_program(set_.instance_.state, this, outcome.error, outcome.exit_status, outcome.signal);
}

/// Brings everything in line with what was asked for and what happened since the last time.
void StreamConnection::settle() noexcept {
  if (ended_) return;
  if (extras_) tell_news();
  if (const std::optional<EndCause> cause = cause_to_end()) return end(*cause);
  if (!watch_.active()) return;  // `open` will see to it
  if (moved_ && !lingering_ && idle_timeout_ > Duration::zero()) timer_.arm(idle_timeout_);
  moved_ = false;
  watch_.set_interest(wanted_events());
}

bool StreamConnection::waits_for_program() const noexcept {
  return kind_ == StreamKind::Program && !extras_->outcome;
}

std::optional<EndCause> StreamConnection::cause_to_end() noexcept {
  if (forced_) return forced_;
  if (broken_) return EndCause::Peer;
  if (has_output()) return std::nullopt;
  if (closing_) {
    if (peer_ended_) return EndCause::Finished;
    if (!lingering_ && !start_lingering()) return EndCause::Finished;
  } else if (finishing_ && !connecting_) {
    if (peer_ended_ && !waits_for_program()) return EndCause::Finished;
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
  drop_low_water_mark();
  const bool shorter = idle_timeout_ > Duration::zero() && idle_timeout_ < kLingerTime;
  timer_.arm(shorter ? idle_timeout_ : kLingerTime);
  return true;
}

void StreamConnection::end(EndCause cause) noexcept {
  if (cause == EndCause::Timeout && tcp_ && (has_output() || kernel_queue(SIOCOUTQNSD) > 0)) {
    // The peer does not read. Let go of what the kernel holds for it, instead of having it tried for many
    // minutes more; and the peer must not take for whole what is not.
    resetting_ = true;
  }
  if (resetting_) {
    const linger reset{1, 0};
    // If it fails, it is a close as usual.
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  watch_.reset();
  timer_.cancel();
  socket_.reset();
  pending_.reset();
  ended_ = true;
  forced_ = cause;
  set_.drop(*this);
  const xsd_plugin& calls = set_.instance_.calls;
  if (calls.on_close != nullptr)
    calls.on_close(set_.instance_.state, this, static_cast<std::uint32_t>(cause));
}

}  // namespace xsd::plugin
