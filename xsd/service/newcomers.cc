// SPDX-License-Identifier: Apache-2.0
//
// The part of Service that keeps connections about which somebody is asked before they are let in. They were
// accepted and are within all limits; nothing is started for them, and nothing is read from them.
#include "xsd/service/service.h"

namespace xsd::service {
namespace {

// Who is not answered about holds a descriptor for some seconds; they are for other services, too.
constexpr std::size_t kMostNewcomers = 256;

}  // namespace

std::unique_ptr<Vetting> Service::make_vetting(const Vetting::Client& client) {
  return std::make_unique<Vetting>(context_, prepared_.definition, access_, client);
}

/// True if it may in already, and its socket is still the caller's.
bool Service::ask_about(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
                        const net::SocketAddress& local, bool starts_process) {
  if (newcomers_.size() >= kMostNewcomers) {
    warn_once(policy::Reason::Resources, "refusing connections: about " + std::to_string(kMostNewcomers) +
                                             " clients somebody is being asked");
    refuse(policy::Reason::Resources, id, &remote, &local);
    return false;
  }
  socket = raise_fd(std::move(socket));
  auto vetting = make_vetting({remote, local, socket.get()});
  const NewcomerRef newcomer = newcomers_.insert(newcomers_.end(), {{}, id, remote, local, starts_process});
  const auto outcome =
      vetting->begin([this, newcomer](const Vetting::Outcome& late) { on_vetted(newcomer, late); });
  if (!outcome) {
    newcomer->socket = std::move(socket);
    newcomer->vetting = std::move(vetting);
    return false;
  }
  newcomers_.erase(newcomer);
  if (outcome->refusal) refuse(*outcome->refusal, id, &remote, &local);
  return !outcome->refusal;
}

void Service::on_vetted(NewcomerRef newcomer, const Vetting::Outcome& outcome) {
  Newcomer client = std::move(*newcomer);
  newcomers_.erase(newcomer);
  auto reason = outcome.refusal;
  if (!reason) reason = find_full(client.starts_process);  // it may be another definition by now
  if (reason) {
    refuse(*reason, client.id, &client.remote, &client.local);
  } else {
    count_in_pace();
    on_let_in(std::move(client.socket), client.id, client.remote, client.local);
  }
  check_idle();
}

void Service::give_up_newcomers() {
  for (const Newcomer& newcomer : std::exchange(newcomers_, {}))
    refuse(policy::Reason::Draining, newcomer.id, &newcomer.remote, &newcomer.local);
}

}  // namespace xsd::service
