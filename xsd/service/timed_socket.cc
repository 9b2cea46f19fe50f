// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/timed_socket.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace xsd::service {

std::optional<TcpProgress> tcp_progress(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent) return std::nullopt;
  const std::uint32_t quiet =
      std::min({info.tcpi_last_data_sent, info.tcpi_last_data_recv, info.tcpi_last_ack_recv});
  return TcpProgress{.written = info.tcpi_bytes_sent + info.tcpi_notsent_bytes,
                     .moved = info.tcpi_bytes_received + info.tcpi_bytes_acked,
                     .quiet = std::chrono::milliseconds(quiet)};
}

TimedSocket::TimedSocket(reactor::EventLoop& loop, int fd)
    : loop_(loop), first_(tcp_progress(fd)), timer_(loop, [this] { look(); }) {}

void TimedSocket::begin(UniqueFd socket, const config::ServiceDefinition& definition,
                        std::function<void()> over) {
  socket_ = std::move(socket);
  if (!first_) return;
  const MonotonicTime now = loop_.now();
  if (const auto& time = definition.times->start_timeout) start_deadline_ = now + *time;
  idle_timeout_ = definition.idle_timeout;
  last_moved_ = now;
  moved_ = first_->moved;
  over_ = std::move(over);
  arm();
}

UniqueFd TimedSocket::end() noexcept {
  timer_.cancel();
  return std::move(socket_);
}

void TimedSocket::arm() {
  std::optional<MonotonicTime> next = start_deadline_;
  if (idle_timeout_) next = std::min(next.value_or(MonotonicTime::max()), last_moved_ + *idle_timeout_);
  if (next) timer_.arm(*next - loop_.now());
}

void TimedSocket::look() {
  const auto progress = tcp_progress(socket_.get());
  if (!progress) return;
  if (!has_not_started(*progress) && !is_idle(*progress)) return arm();
  const std::function<void()> over = std::move(over_);
  over();
}

bool TimedSocket::has_not_started(const TcpProgress& progress) {
  if (!start_deadline_ || loop_.now() < *start_deadline_) return false;
  start_deadline_.reset();
  return progress.written == first_->written;
}

bool TimedSocket::is_idle(const TcpProgress& progress) {
  const MonotonicTime now = loop_.now();
  if (!idle_timeout_ || now - last_moved_ < *idle_timeout_) return false;
  // The counts decide: what is sent again and again to a client that is gone resets the kernel's times.
  if (progress.moved == std::exchange(moved_, progress.moved)) return true;
  // It was after the last look. The timer and the kernel's clock are both coarse.
  last_moved_ = std::max(now - progress.quiet, last_moved_ + std::chrono::milliseconds(1));
  if (now - last_moved_ >= *idle_timeout_) last_moved_ = now - *idle_timeout_ + std::chrono::milliseconds(10);
  return false;
}

}  // namespace xsd::service
