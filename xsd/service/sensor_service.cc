// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/sensor_service.h"

#include <optional>
#include <utility>

#include "xsd/base/number.h"
#include "xsd/service/wait_socket.h"

namespace xsd::service {
namespace {

constexpr int kDatagramBatch = 64;

}  // namespace

Listener::Mode SensorService::listener_mode(const net::Endpoint& endpoint) const noexcept {
  return endpoint.transport == net::Transport::Datagram ? Listener::Mode::Notify
                                                        : Listener::Mode::AcceptNonBlocking;
}

void SensorService::on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) {
  const std::uint64_t id = ++context_.last_connection;
  const net::SocketAddress local = listener.local_of(socket.get());
  if (greet(socket, id, &remote, &local) && admit(socket, id, remote, local, false))
    on_let_in(std::move(socket), id, remote, local);
}

void SensorService::on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                              const net::SocketAddress& local) {
  ban(remote);
  refuse(policy::Reason::Banned, id, &remote, &local, std::move(socket));
}

void SensorService::on_input(Listener& listener) {
  const int fd = listener.socket().fd();
  for (int taken = 0; taken < kDatagramBatch; ++taken) {
    const std::optional<QueueHead> head = queue_head(fd);
    if (!head) return;
    drop_head(fd);
    if (!admit_datagram(head->sender)) continue;
    ban(head->sender);
    count_refusal(policy::Reason::Banned);
  }
}

void SensorService::ban(const net::SocketAddress& peer) {
  const config::ClientRules& rules = *definition().clients;
  const Duration time = rules.deny_time.value_or(Duration::zero());
  const auto source = policy::SourceKey::of(peer, rules.source_prefix);
  if (time == Duration::zero() || !source) return;
  const bool is_for_ever = time == Duration::max();
  const MonotonicTime now = context_.loop.now();
  const policy::Ban ban{*source, is_for_ever ? policy::kForever : now + time};
  const policy::BanChange change = context_.bans.add(ban, now);
  if (!change.added) {
    return warn_once(policy::Reason::Banned, "the list of bans is full of longer ones; nobody is added");
  }
  log::info("{}: {} is banned {} (deny_time)", name(), source->to_string(),
            is_for_ever ? "for ever" : "for " + format_duration(time));
  if (context_.on_ban) context_.on_ban(ban, change);
}

}  // namespace xsd::service
