// SPDX-License-Identifier: Apache-2.0
//
// Two StreamConnections that are joined.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/plugin/socket_calls.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

constexpr std::size_t kSpliceLength = std::size_t{64} * 1024;
// A splice that moved less has most likely moved all there was.
constexpr ssize_t kShortSplice = 16 * 1024;
constexpr unsigned kSpliceFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/// What a splice from a socket says where recv may do better. Any other error is one of the connection's, and
/// told only once.
bool is_for_recv(int error) noexcept {
  return is_transient(error) || error == EINVAL || error == ENOSYS || error == EPERM;
}

struct Pipe {
  UniqueFd in;
  UniqueFd out;
};

/// 0 or a positive errno.
int make_pipe(Pipe& pipe) noexcept {
  int fds[2] = {-1, -1};
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return errno;
  pipe.out = raise_fd(UniqueFd(fds[0]));
  pipe.in = raise_fd(UniqueFd(fds[1]));
  return 0;
}

}  // namespace

int StreamConnection::join(StreamConnection& other) noexcept {
  if (&other == this || &other.set_ != &set_) return -EINVAL;
  for (const StreamConnection* one : {this, &other}) {
    if (one->is_over() || one->closing_ || one->finishing_) return -EPIPE;
    if (one->connecting_) return -ENOTCONN;
    if (one->joined_) return -EBUSY;
    if (one->discarding_) return -EINVAL;
  }
  Pipe mine;
  Pipe others;
  for (Pipe* pipe : {&mine, &others}) {
    if (const int error = make_pipe(*pipe); error != 0) return -error;
  }
  const auto lead = [](StreamConnection& from, StreamConnection& to, Pipe& pipe) {
    Extras& extras = from.extras();
    extras.partner = &to;
    extras.pipe_in = std::move(pipe.in);
    extras.pipe_out = std::move(pipe.out);
    from.joined_ = true;
    if (to.peer_ended_) from.finishing_ = true;
    from.touch();
  };
  lead(*this, other, mine);
  lead(other, *this, others);
  return 0;
}

bool StreamConnection::takes_carried() const noexcept {
  return !has_output() && !is_over() && !closing_;
}

/// There is something to be read, for the partner.
void StreamConnection::carry() noexcept {
  StreamConnection* const to = extras_->partner;
  if (to == nullptr) return;
  std::size_t budget = kBytesPerTurn;
  while (budget > 0 && to->takes_carried()) {
    const ssize_t moved =
        splice(socket_.get(), nullptr, to->extras_->pipe_in.get(), nullptr, kSpliceLength, kSpliceFlags);
    if (moved < 0 && !is_for_recv(errno)) return fail();
    if (moved <= 0) return carry_copy(*to);
    const auto count = static_cast<std::size_t>(moved);
    count_input(count);
    to->extras_->in_pipe += count;
    to->moved_ = true;
    to->touch();
    to->empty_pipe();
    if (moved < kShortSplice) return;
    budget -= std::min(budget, count);
  }
}

void StreamConnection::carry_copy(StreamConnection& to) noexcept {
  std::array<char, kScratchSize>& buffer = scratch();
  const std::int64_t got = receive(buffer.data(), buffer.size(), 0);
  if (got > 0) {
    count_input(static_cast<std::size_t>(got));
    to.moved_ = true;
    to.touch();
    (void)to.put(buffer.data(), static_cast<std::size_t>(got));  // if it fails, `to` ends, and we with it
  } else if (got == 0) {
    peer_ended_ = true;
    to.finishing_ = true;
    to.touch();
  }
}

/// Our pipe's content to our socket.
void StreamConnection::empty_pipe() noexcept {
  Extras& extras = *extras_;
  while (extras.in_pipe > 0) {
    const ssize_t moved =
        splice(extras.pipe_out.get(), nullptr, socket_.get(), nullptr, extras.in_pipe, kSpliceFlags);
    const std::int64_t sent = sent_now(moved);
    if (sent <= 0) return;
    extras.in_pipe -= static_cast<std::size_t>(sent);
    wake_partner();
  }
}

/// Bytes have gone out: it is alive, and may be read from again.
void StreamConnection::wake_partner() noexcept {
  StreamConnection* const from = extras_->partner;
  if (from == nullptr) return;
  from->moved_ = true;
  from->touch();
}

/// One of two that are joined has ended. What is on its way to the other still goes out.
void StreamConnection::part(EndCause cause) noexcept {
  StreamConnection* const other = std::exchange(extras_->partner, nullptr);
  if (other == nullptr) return;
  other->extras_->partner = nullptr;
  if (cause == EndCause::Timeout && !other->forced_) other->forced_ = cause;
  other->close();
}

}  // namespace xsd::plugin
