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

Service::Asking& Service::asking() {
  if (!asking_) asking_ = std::make_unique<Asking>();
  return *asking_;
}

/// True if it may in already, and its socket is still the caller's.
bool Service::ask_about(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
                        const net::SocketAddress& local, bool starts_process) {
  if (newcomers() >= kMostNewcomers) {
    warn_once(policy::Reason::Resources, "refusing connections: about " + std::to_string(kMostNewcomers) +
                                             " clients somebody is being asked");
    refuse(policy::Reason::Resources, id, &remote, &local, std::move(socket));
    return false;
  }
  socket = raise_fd(std::move(socket));
  auto vetting = make_vetting({remote, local, socket.get()});
  std::list<Newcomer>& all = asking().newcomers;
  const NewcomerRef newcomer = all.insert(all.end(), {{}, id, remote, local, starts_process});
  const auto outcome =
      vetting->begin([this, newcomer](const Vetting::Outcome& late) { on_vetted(newcomer, late); });
  if (!outcome) {
    newcomer->socket = std::move(socket);
    newcomer->vetting = std::move(vetting);
    return false;
  }
  asking_->newcomers.erase(newcomer);
  if (outcome->refusal) turn_away(std::move(socket), *outcome->refusal, id, remote, local);
  return !outcome->refusal;
}

void Service::on_vetted(NewcomerRef newcomer, const Vetting::Outcome& outcome) {
  Newcomer client = std::move(*newcomer);
  asking_->newcomers.erase(newcomer);
  set_user(client.id, outcome.user);
  auto reason = outcome.refusal;
  if (!reason) reason = find_full(client.starts_process);  // it may be another definition by now
  if (reason) {
    turn_away(std::move(client.socket), *reason, client.id, client.remote, client.local);
  } else {
    welcome(client.socket);
    on_let_in(std::move(client.socket), client.id, client.remote, client.local);
  }
  check_idle();
}

// Its machine knows the connection as long as it is open. It does not count as active: whoever is refused
// takes no place from others.
void Service::turn_away(UniqueFd socket, policy::Reason reason, std::uint64_t id,
                        const net::SocketAddress& remote, const net::SocketAddress& local) {
  const bool is_wanted = (definition().log_on_failure & config::kLogUserId) != 0 &&
                         reason != policy::Reason::Ident && user_of(id).empty();
  if (!is_wanted || asking().turned_away.size() >= kMostNewcomers || !socket)
    return refuse(reason, id, &remote, &local, std::move(socket));
  socket = raise_fd(std::move(socket));
  auto vetting = make_vetting({remote, local, socket.get()});
  const NewcomerRef client = asking_->turned_away.insert(
      asking_->turned_away.end(), {std::move(socket), id, remote, local, false, reason});
  const auto outcome = vetting->begin_with_user([this, client](const Vetting::Outcome& late) {
    Newcomer told = std::move(*client);
    asking_->turned_away.erase(client);
    set_user(told.id, late.user);
    refuse(*told.refusal, told.id, &told.remote, &told.local, std::move(told.socket));
    check_idle();
  });
  if (!outcome) {
    client->vetting = std::move(vetting);
    release(id);
    return;
  }
  socket = std::move(client->socket);
  asking_->turned_away.erase(client);
  refuse(reason, id, &remote, &local, std::move(socket));
}

void Service::give_up_newcomers() {
  if (!asking_) return;
  auto turned_away = std::exchange(asking_->turned_away, {});
  for (Newcomer& client : turned_away)
    refuse(*client.refusal, client.id, &client.remote, &client.local, std::move(client.socket));
  auto newcomers = std::exchange(asking_->newcomers, {});
  for (Newcomer& client : newcomers)
    refuse(policy::Reason::Draining, client.id, &client.remote, &client.local, std::move(client.socket));
}

std::string_view Service::user_of(std::uint64_t id) const noexcept {
  if (!asking_) return {};
  const auto found = asking_->users.find(id);
  return found == asking_->users.end() ? std::string_view() : found->second;
}

void Service::set_user(std::uint64_t id, std::string user) {
  if (!user.empty()) asking().users[id] = std::move(user);
}

}  // namespace xsd::service
