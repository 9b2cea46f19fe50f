// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/listener.h"

#include <utility>

#include <fcntl.h>
#include <poll.h>

namespace xsd::service {
namespace {

// A program costs a clone for each, so its batch is what fits into the loop's bound of 10 ms a turn.
constexpr int kProgramBatch = 8;
constexpr int kPluginBatch = 64;
constexpr int kRestBound = 65536;
constexpr int kMostMisses = 64;
constexpr Duration kPause = std::chrono::seconds(1);

/// To ask costs a tenth of an accept that finds nothing: that makes a socket first, and unmakes it.
bool has_more(int fd) noexcept {
  pollfd asked{fd, POLLIN, 0};
  return poll(&asked, 1, 0) > 0;
}

}  // namespace

Listener::Listener(ServiceContext& context, ListenerOwner& owner, net::BoundSocket& socket, Mode mode)
    : context_(context), owner_(owner), socket_(socket), mode_(mode), pause_(context.loop, [this] {
        unhold(kByPause);
      }) {}

Listener::~Listener() {
  context_.gate.forget(*this);
}

Result<std::unique_ptr<Listener>> Listener::create(ServiceContext& context, ListenerOwner& owner,
                                                   net::BoundSocket& socket, Mode mode) {
  std::unique_ptr<Listener> made(new Listener(context, owner, socket, mode));
  // Whoever had this socket before may have left it in blocking mode. Where nobody is accepted it may stay
  // so: a `wait` server of an earlier one of us may still be at work on it.
  const int flags = mode == Mode::Notify ? -1 : fcntl(socket.fd(), F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
    (void)fcntl(socket.fd(), F_SETFL, flags | O_NONBLOCK);
  }
  if (Status status = made->watch(); !status) return std::move(status.error());
  return made;
}

Status Listener::watch() {
  const reactor::Events interest = held_ == 0 ? reactor::kReadable : reactor::kNone;
  auto watch = context_.loop.watch(socket_.fd(), interest, [this](reactor::Events) { on_ready(); });
  if (!watch) return std::move(watch.error()).within(socket_.endpoint().to_string());
  watch_ = std::move(*watch);
  return {};
}

Status Listener::reopen(std::uint32_t backlog) {
  watch_.reset();
  Status status = socket_.reopen(backlog);
  if (context_.on_reopened) context_.on_reopened(socket_.endpoint());
  if (!status && socket_.fd() < 0) return status;
  Status watched = watch();
  return status ? watched : status;
}

net::SocketAddress Listener::local_of(int connection) const noexcept {
  const net::SocketAddress& bound = endpoint().address;
  return bound.is_ip() && bound.is_any() ? net::local_address(connection) : bound;
}

void Listener::hold(Hold reason) noexcept {
  held_ |= reason;
  watch_.set_interest(reactor::kNone);
}

void Listener::unhold(Hold reason) noexcept {
  held_ &= ~static_cast<unsigned>(reason);
  if (held_ == 0) watch_.set_interest(reactor::kReadable);
}

void Listener::on_ready() {
  if (mode_ == Mode::Notify) {
    owner_.on_input(*this);
    return;
  }
  // The owner may suspend us while it handles a connection, but it does not destroy us: that happens between
  // turns only.
  const int batch = mode_ == Mode::AcceptBlocking ? kProgramBatch : kPluginBatch;
  for (int taken = 0; taken < batch && held_ == 0; ++taken) {
    if (taken > 0 && !has_more(socket_.fd())) break;
    if (!accept_one()) break;
  }
}

void Listener::accept_rest() {
  if (mode_ == Mode::Notify) return;
  for (int taken = 0; taken < kRestBound && (held_ & (kByPause | kByGate)) == 0 && accept_one(); ++taken) {
  }
}

bool Listener::accept_one() {
  if (context_.gate.is_shut()) {
    hold(kByGate);
    context_.gate.wait(*this);
    return false;
  }
  net::Accepted accepted = net::accept_connection(socket_.fd(), mode_ == Mode::AcceptNonBlocking);
  if (accepted.fd) {
    context_.gate.passed();
    misses_ = 0;
    on_fault_over("accept");
    owner_.on_connection(*this, std::move(accepted.fd), accepted.remote);
    return true;
  }
  switch (net::classify_accept_error(accepted.error)) {
    case net::AcceptOutcome::Empty:
      misses_ = 0;
      return false;
    case net::AcceptOutcome::Next:
      if (++misses_ < kMostMisses) return true;
      break;
    case net::AcceptOutcome::Exhausted:
      context_.gate.shut(owner_.name(), accepted.error);
      hold(kByGate);
      context_.gate.wait(*this);
      return false;
    case net::AcceptOutcome::Broken:
      break;
  }
  misses_ = 0;
  on_fault("accept", accepted.error);
  return false;
}

void Listener::on_fault(std::string_view call, int error) {
  if (std::exchange(fault_, error) != error) {
    log::error("{}: {} on {}: {}; trying again every second", owner_.name(), call, endpoint().to_string(),
               errno_text(error));
  }
  hold(kByPause);
  pause_.arm(kPause);
}

void Listener::on_fault_over(std::string_view call) {
  if (std::exchange(fault_, 0) != 0)
    log::info("{}: {} on {} works again", owner_.name(), call, endpoint().to_string());
}

}  // namespace xsd::service
