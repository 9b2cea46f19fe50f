// SPDX-License-Identifier: Apache-2.0
//
// The sending side of StreamConnection.
#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "xsd/plugin/socket_calls.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;

}  // namespace

int StreamConnection::why_not_send() const noexcept {
  if (is_over() || closing_ || finishing_) return -EPIPE;
  return connecting_ ? -ENOTCONN : -EBUSY;
}

PendingOutput& StreamConnection::pending() {
  if (!pending_) pending_ = std::make_unique<PendingOutput>();
  return *pending_;
}

int StreamConnection::write(const char* data, std::size_t length) noexcept {
  if (!can_send()) return why_not_send();
  if (length == 0) return 0;
  if (length > room()) return -ENOBUFS;
  return put(data, length);
}

/// Sends, and keeps what the kernel does not take.
int StreamConnection::put(const char* data, std::size_t length) noexcept {
  std::size_t taken = 0;
  if (!pending_) {
    const std::int64_t sent = send_now(data, length, 0);
    if (sent < 0) return -EPIPE;
    taken = static_cast<std::size_t>(sent);
    if (taken == length) return 0;
  }
  pending().append(data + taken, length - taken);
  touch();
  return 0;
}

int StreamConnection::write_pieces(const xsd_piece* pieces, std::size_t count, std::uint32_t flags) noexcept {
  if (count > kMaxPieces || (flags & ~XSD_WRITE_MORE) != 0) return -EINVAL;
  if (!can_send()) return why_not_send();
  std::array<iovec, kMaxPieces> vectors;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (pieces[i].length > room() - total) return -ENOBUFS;
    total += pieces[i].length;
    vectors[i] = {const_cast<void*>(pieces[i].data), pieces[i].length};  // sendmsg does not write to it
  }
  if (total == 0) return 0;
  std::size_t taken = 0;
  if (!pending_) {
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const int more = (flags & XSD_WRITE_MORE) != 0 ? MSG_MORE : 0;
    ssize_t sent = 0;
    do {
      sent = ::sendmsg(socket_.get(), &message, kSendFlags | more);
    } while (sent < 0 && errno == EINTR);
    const std::int64_t counted = sent_now(sent);
    if (counted < 0) return -EPIPE;
    taken = static_cast<std::size_t>(counted);
    if (taken == total) return 0;
  }
  PendingOutput& rest = pending();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t skipped = std::min(taken, pieces[i].length);
    taken -= skipped;
    rest.append(static_cast<const char*>(pieces[i].data) + skipped, pieces[i].length - skipped);
  }
  touch();
  return 0;
}

std::int64_t StreamConnection::try_write(const char* data, std::size_t length) noexcept {
  if (!can_send()) return why_not_send();
  if (pending_) return -EAGAIN;
  if (length == 0) return 0;
  const std::int64_t sent = send_now(data, length, 0);
  return sent < 0 ? -EPIPE : sent;
}

int StreamConnection::send_file(UniqueFd file, std::uint64_t offset, std::uint64_t length) noexcept {
  if (!can_send()) return why_not_send();
  struct stat info {};
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return -EINVAL;
  constexpr std::uint64_t kEnd = std::numeric_limits<off_t>::max();
  if (offset > kEnd || length > kEnd - offset) return -EINVAL;
  if (pending_ && pending_->files() >= kMaxPendingFiles) return -ENOBUFS;
  if (length == 0) return 0;
  const bool first = !pending_;
  pending().append(std::move(file), offset, length);
  touch();
  if (first) flush();
  if (is_over()) return -EPIPE;
  // It lives on from here.
  if (pending_) pending_->last_file().fd = raise_fd(std::move(pending_->last_file().fd));
  return 0;
}

std::uint64_t StreamConnection::unsent() const noexcept {
  return pending_ ? pending_->byte_count() + pending_->file_byte_count() : 0;
}

void StreamConnection::want_writable(bool on) noexcept {
  want_writable_ = on;
  touch();
}

/// What a send has answered: bytes taken, 0 if there is no room, -1 after an error.
std::int64_t StreamConnection::sent_now(std::int64_t result) noexcept {
  if (result < 0) {
    if (is_transient(errno)) return 0;
    if (kind_ == StreamKind::Program && (errno == EPIPE || errno == ECONNRESET)) {
      stop_sending();
    } else {
      fail();
    }
    return -1;
  }
  bytes_out_ += static_cast<std::uint64_t>(result);
  moved_ = true;
  touch();
  return result;
}

std::int64_t StreamConnection::send_now(const char* data, std::size_t length, int flags) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(socket_.get(), data, length, kSendFlags | flags);
  } while (sent < 0 && errno == EINTR);
  return sent_now(sent);
}

/// As sent_now. A file that ends too soon, or cannot be read, is an error of the connection: the peer was
/// promised more. (There is no MSG_NOSIGNAL here: the process has SIGPIPE blocked.)
std::int64_t StreamConnection::send_file_now(PendingOutput::File& file, std::uint64_t most) noexcept {
  const auto count = static_cast<std::size_t>(std::min(file.left, most));
  auto offset = static_cast<off_t>(file.offset);
  ssize_t sent = 0;
  do {
    sent = ::sendfile(socket_.get(), file.fd.get(), &offset, count);
  } while (sent < 0 && errno == EINTR);
  if (sent > 0 || (sent < 0 && is_transient(errno))) return sent_now(sent);
  resetting_ = true;
  fail();
  return -1;
}

void StreamConnection::flush() noexcept {
  std::uint64_t budget = kBytesPerTurn;
  while (pending_ && budget > 0) {
    PendingOutput& output = *pending_;
    std::uint64_t sent = 0;
    if (const std::size_t bytes = output.next_bytes(); bytes > 0) {
      const std::int64_t taken = send_now(output.bytes(), bytes, output.files() > 0 ? MSG_MORE : 0);
      if (taken <= 0) return;
      sent = static_cast<std::uint64_t>(taken);
      output.took_bytes(static_cast<std::size_t>(sent));
      if (sent < bytes) return;
    } else {
      const std::int64_t taken = send_file_now(output.file(), budget);
      if (taken <= 0) return;
      sent = static_cast<std::uint64_t>(taken);
      output.took_of_file(sent);
    }
    budget -= std::min(budget, sent);
    if (output.empty()) pending_.reset();
  }
}

void StreamConnection::on_writable() noexcept {
  const xsd_plugin& calls = set_.instance_.calls;
  if (pending_) {
    flush();
    if (joined_) wake_partner();
  } else if (joined_) {
    empty_pipe();
  } else if (want_writable_ && can_send() && calls.on_writable != nullptr) {
    calls.on_writable(set_.instance_.state, this);
  }
}

}  // namespace xsd::plugin
