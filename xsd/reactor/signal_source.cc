// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/signal_source.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <sys/signalfd.h>
#include <unistd.h>

namespace xsd::reactor {

Result<std::unique_ptr<SignalSource>> SignalSource::create(EventLoop& loop,
                                                           std::initializer_list<int> signals,
                                                           Handler handler) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) {
    if (sigaddset(&set, number) != 0) return Error::from_errno(errno, "sigaddset");
  }
  if (const int failure = pthread_sigmask(SIG_BLOCK, &set, nullptr); failure != 0) {
    return Error::from_errno(failure, "pthread_sigmask");
  }
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return Error::from_errno(errno, "signalfd");
  std::unique_ptr<SignalSource> source(new SignalSource(raise_fd(std::move(fd)), std::move(handler)));
  auto watch =
      loop.watch(source->fd_.get(), kReadable, [self = source.get()](Events) { self->on_readable(); });
  if (!watch) return std::move(watch.error()).within("signalfd");
  source->watch_ = std::move(*watch);
  return source;
}

SignalSource::~SignalSource() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void SignalSource::on_readable() noexcept {
  // One buffer a turn; a standard signal is pending at most once, so this is mostly all there is.
  std::array<signalfd_siginfo, 32> buffer;
  const ssize_t length = read(fd_.get(), buffer.data(), sizeof buffer);
  if (length <= 0) return;
  const std::size_t count = static_cast<std::size_t>(length) / sizeof buffer[0];
  bool destroyed = false;
  destroyed_ = &destroyed;
  // Out of the source while it runs, because it may destroy the source.
  Handler handler = std::move(handler_);
  for (std::size_t i = 0; i < count; ++i) {
    handler(static_cast<int>(buffer[i].ssi_signo), static_cast<pid_t>(buffer[i].ssi_pid));
    if (destroyed) return;
  }
  handler_ = std::move(handler);
  destroyed_ = nullptr;
}

}  // namespace xsd::reactor
