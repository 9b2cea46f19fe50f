// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/service.h"

#include <algorithm>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "xsd/base/text.h"
#include "xsd/service/plugin_service.h"
#include "xsd/service/program_service.h"

namespace xsd::service {
namespace {

void set_flag(int fd, int level, int option, bool on) noexcept {
  const int value = on ? 1 : 0;
  // Both options exist on every tcp socket; a failure would cost speed, not correctness.
  (void)setsockopt(fd, level, option, &value, sizeof value);
}

// What a user can do about a limit.
std::string_view limit_key(policy::Reason reason) noexcept {
  return reason == policy::Reason::Processes ? "daemon: max_processes" : "instances";
}

}  // namespace

Result<Prepared> prepare(std::shared_ptr<const config::ServiceDefinition> definition,
                         std::shared_ptr<const config::Resolution> resolution,
                         const process::Inheritance& inheritance) {
  Prepared prepared{std::move(definition), std::move(resolution), nullptr, nullptr};
  if (prepared.definition->kind == config::ServiceKind::Plugin) {
    prepared.plugin = plugin::find_plugin(prepared.definition->plugin);
    if (prepared.plugin == nullptr)
      return Error("plugin " + quoted(prepared.definition->plugin) + " not found");
    return prepared;
  }
  auto plan = process::make_exec_plan(*prepared.definition, *prepared.resolution, inheritance);
  if (!plan) return std::move(plan.error());
  prepared.plan = std::move(*plan);
  return prepared;
}

Result<std::unique_ptr<Service>> Service::create(ServiceContext& context, Prepared prepared) {
  if (prepared.definition->kind == config::ServiceKind::Plugin)
    return PluginService::create(context, std::move(prepared));
  return ProgramService::create(context, std::move(prepared));
}

Service::Service(ServiceContext& context, Prepared prepared)
    : context_(context), prepared_(std::move(prepared)), idle_timer_(context.loop, [this] {
        if (on_idle_) std::exchange(on_idle_, nullptr)();
      }) {}

bool Service::can_become(const config::ServiceDefinition& next) const noexcept {
  const config::ServiceDefinition& now = definition();
  return now.kind == next.kind && now.plugin == next.plugin && now.wait == next.wait &&
         now.settings == next.settings;
}

void Service::apply(Prepared next) {
  const bool same_options =
      definition().backlog == next.definition->backlog && definition().flags == next.definition->flags;
  prepared_ = std::move(next);
  told_refusals_ = 0;
  if (same_options) return;
  for (const auto& listener : listeners_) {
    listener->socket().set_backlog(definition().backlog);
    // What cannot be set now could not be set when the socket was made, and failed the service then.
    (void)prepare_socket(listener->socket());
  }
}

Status Service::prepare_socket(net::BoundSocket& socket) {
  const net::Endpoint& endpoint = socket.endpoint();
  if (endpoint.transport == net::Transport::Stream && endpoint.address.is_ip()) {
    set_flag(socket.fd(), IPPROTO_TCP, TCP_NODELAY, (definition().flags & config::kFlagNoDelay) != 0);
    set_flag(socket.fd(), SOL_SOCKET, SO_KEEPALIVE, (definition().flags & config::kFlagKeepAlive) != 0);
  }
  return {};
}

Status Service::listen_on(const std::vector<net::BoundSocket*>& sockets) {
  std::vector<std::unique_ptr<Listener>> added;
  for (net::BoundSocket* const socket : sockets) {
    if (listens_on(*socket)) continue;
    if (Status status = prepare_socket(*socket); !status) return status;
    auto listener = Listener::create(context_, *this, *socket, listener_mode(socket->endpoint()));
    if (!listener) return std::move(listener.error());
    added.push_back(std::move(*listener));
  }
  const auto dropped = std::partition(listeners_.begin(), listeners_.end(), [&](const auto& listener) {
    return std::find(sockets.begin(), sockets.end(), &listener->socket()) != sockets.end();
  });
  std::vector<std::unique_ptr<Listener>> leaving(std::make_move_iterator(dropped),
                                                 std::make_move_iterator(listeners_.end()));
  listeners_.erase(dropped, listeners_.end());
  for (const auto& listener : added)
    adopt_listener(*listener);
  listeners_.insert(listeners_.end(), std::make_move_iterator(added.begin()),
                    std::make_move_iterator(added.end()));
  for (const auto& listener : leaving) {
    if (!sockets.empty()) listener->accept_rest();
    release_listener(*listener);
  }
  return {};
}

bool Service::listens_on(const net::BoundSocket& socket) const noexcept {
  return std::any_of(listeners_.begin(), listeners_.end(),
                     [&](const auto& listener) { return &listener->socket() == &socket; });
}

void Service::drain() {
  (void)listen_on({});  // dropping listeners cannot fail
  check_idle();
}

void Service::on_idle(std::function<void()> handler) {
  on_idle_ = std::move(handler);
  check_idle();
}

void Service::check_idle() {
  if (on_idle_ && listeners_.empty() && active() == 0) idle_timer_.arm(Duration::zero());
}

bool Service::admit(std::uint64_t id, const net::SocketAddress* remote, const net::SocketAddress* local,
                    bool starts_process) {
  const auto reason = policy::decide({.active = active(),
                                      .instances = definition().instances,
                                      .processes = context_.processes.running,
                                      .max_processes = context_.processes.limit,
                                      .starts_process = starts_process});
  if (!reason) {
    told_refusals_ = 0;
    ++counters_.started;
    return true;
  }
  const unsigned bit = 1U << static_cast<unsigned>(*reason);
  if ((told_refusals_ & bit) == 0) {
    const config::Limit limit =
        *reason == policy::Reason::Processes ? context_.processes.limit : definition().instances;
    log::warning("{}: refusing connections: {} of {} run already ({})", name(), limit.value, limit.value,
                 limit_key(*reason));
  }
  told_refusals_ |= bit;
  refuse(*reason, id, remote, local);
  return false;
}

void Service::refuse(policy::Reason reason, std::uint64_t id, const net::SocketAddress* remote,
                     const net::SocketAddress* local) {
  ++counters_.refused[static_cast<std::size_t>(reason)];
  context_.records.refuse(definition(), {.service = name(), .connection = id, .from = remote, .to = local},
                          reason);
}

bool Service::find_room(UniqueFd& socket, std::uint64_t id, const net::SocketAddress* remote,
                        const net::SocketAddress* local) {
  if (context_.loop.poller_kind() != reactor::PollerKind::Select) return true;
  // What is watched later has the number that is free then: of the connection, moved above the floor, or of
  // the pidfd that is made while the connection is open. It must be known before anything is started.
  socket = raise_fd(std::move(socket));
  if (context_.loop.can_watch(socket.get() + 1)) return true;
  refuse(policy::Reason::Resources, id, remote, local);
  return false;
}

}  // namespace xsd::service
