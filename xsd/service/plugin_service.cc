// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/plugin_service.h"

#include <algorithm>

#include "xsd/base/text.h"
#include "xsd/service/plugin_requests.h"

namespace xsd::service {
namespace {

void log_for_plugin(const std::string& service, std::uint32_t level, std::string_view text) {
  static constexpr log::Level kLevels[] = {log::Level::Error, log::Level::Warning, log::Level::Info,
                                           log::Level::Debug};
  log::message(kLevels[std::min<std::uint32_t>(level, XSD_LOG_DEBUG)], service + ": " + std::string(text));
}

bool wants_keep_alive(const config::ServiceDefinition& definition) noexcept {
  return (definition.flags & config::kFlagKeepAlive) != 0;
}

/// What the plugin tcpmux is told of the services that it may give its clients to: their ids by the names
/// that clients ask for, {plain: {NAME: ID, ...}, greeted: {NAME: ID, ...}}.
config::SettingsNode mux_settings(const config::ServiceDefinition& definition) {
  using Kind = config::SettingsNode::Kind;
  config::SettingsNode plain;
  plain.kind = Kind::Map;
  config::SettingsNode greeted = plain;
  for (const config::MuxTarget& target : *definition.mux_targets) {
    config::SettingsNode id;
    id.kind = Kind::Scalar;
    id.scalar = target.id;
    (target.kind == config::MuxKind::MuxPlus ? greeted : plain).members.emplace_back(target.name, id);
  }
  config::SettingsNode all;
  all.kind = Kind::Map;
  all.members.emplace_back("plain", std::move(plain));
  all.members.emplace_back("greeted", std::move(greeted));
  return all;
}

}  // namespace

PluginService::PluginService(ServiceContext& context, Prepared prepared)
    : Service(context, std::move(prepared)), deadline_(context.loop, [this] { kill(); }) {}

PluginService::~PluginService() {
  listeners_.clear();
}

Result<std::unique_ptr<PluginService>> PluginService::create(ServiceContext& context, Prepared prepared) {
  std::unique_ptr<PluginService> made(new PluginService(context, std::move(prepared)));
  PluginService* const self = made.get();
  const config::ServiceDefinition& definition = made->definition();
  const bool is_mux = definition.plugin == config::kMuxPlugin;
  const config::SettingsNode settings = is_mux ? mux_settings(definition) : definition.settings;
  plugin::HostedOptions options{
      .service = made->name(),
      .settings = &settings,
      .idle_timeout = definition.idle_timeout,
      .keep_alive = wants_keep_alive(definition),
      .on_stream_end = [self](const plugin::StreamEnd& end) { self->on_stream_end(end); },
      // The plugin may have something to say when we are gone.
      .on_log = [name = made->name()](std::uint32_t level,
                                      std::string_view text) { log_for_plugin(name, level, text); },
      .refuse_sender =
          [self](const net::SocketAddress& sender) {
            return self->context_.own_addresses.is_own_udp(sender) || !self->admit_datagram(sender);
          },
      .pool = &context.blocking_pool,
      .busy_with = context.busy_with,
      .number = made->prepared_.number};
  if (PluginRequests* const requests = context.plugin_requests) {
    options.make_metric = requests->metric_maker(*made);
    options.on_hand_over = [self](plugin::HandOver request) { return self->hand_over(std::move(request)); };
    options.on_start_program = [self](plugin::ProgramStart request) {
      return self->start_program(std::move(request));
    };
    options.on_drop_program = [self, requests](std::uint64_t id) { requests->drop_program(*self, id); };
  }
  auto hosted = plugin::HostedService::create(context.loop, *made->prepared_.plugin, std::move(options));
  if (!hosted) return std::move(hosted.error()).within("plugin " + quoted(definition.plugin));
  made->hosted_ = std::move(*hosted);
  return made;
}

void PluginService::apply(Prepared next) {
  Service::apply(std::move(next));
  hosted_->set_idle_timeout(definition().idle_timeout);
  hosted_->set_keep_alive(wants_keep_alive(definition()));
}

Listener::Mode PluginService::listener_mode(const net::Endpoint& endpoint) const noexcept {
  return endpoint.transport == net::Transport::Datagram ? Listener::Mode::Notify
                                                        : Listener::Mode::AcceptNonBlocking;
}

Status prepare_plugin_socket(const config::ServiceDefinition& definition, const net::BoundSocket& socket) {
  const net::Endpoint& endpoint = socket.endpoint();
  if (endpoint.transport == net::Transport::Datagram)
    return plugin::prepare_datagram_socket(socket.fd(), endpoint.address);
  set_stream_flags(socket, definition.flags);
  return plugin::prepare_stream_listener(socket.fd(), endpoint.address);
}

Status PluginService::prepare_socket(net::BoundSocket& socket) {
  if (context_.sockets_come_prepared) return {};
  return prepare_plugin_socket(definition(), socket);
}

void PluginService::on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) {
  const std::uint64_t id = ++context_.last_connection;
  const net::SocketAddress local = listener.local_of(socket.get());
  if (!greet(socket, id, &remote, &local)) return;
  if (find_room(socket, id, &remote, &local) && admit(socket, id, remote, local, false))
    on_let_in(std::move(socket), id, remote, local);
}

void PluginService::on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                              const net::SocketAddress& local) {
  (void)serve(std::move(socket), id, remote, local);  // its records say what became of it
}

bool PluginService::take(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                         const net::SocketAddress& local, std::string user) {
  set_user(id, std::move(user));
  if (!socket) {
    refuse(policy::Reason::Resources, id, &remote, &local);
    return false;
  }
  return find_room(socket, id, &remote, &local) && serve(std::move(socket), id, remote, local);
}

bool PluginService::serve(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                          const net::SocketAddress& local) {
  const std::string user(user_of(id));  // the connection may be over before its last record
  const policy::RecordSubject subject{
      .service = name(), .connection = id, .from = &remote, .to = &local, .user = user};
  context_.records.start(definition(), subject);
  const plugin::OpenOutcome outcome = hosted_->open(std::move(socket), id, remote, local);
  count_active();
  if (outcome != plugin::OpenOutcome::Open) release(id);
  switch (outcome) {
    case plugin::OpenOutcome::Open:
      ++counters_->started;
      break;
    case plugin::OpenOutcome::Refused:
      ++counters_->started;  // the plugin has had it
      context_.records.end(definition(), subject, {.error = "refused by the plugin"});
      break;
    case plugin::OpenOutcome::NoRoom:
      count_refusal(policy::Reason::Resources);
      context_.records.end(definition(), subject, {.error = "no room for the connection (resources)"});
      break;
  }
  return outcome == plugin::OpenOutcome::Open;
}

void PluginService::count_active() noexcept {
  counters_->active = hosted_->connections();
}

void PluginService::on_input(Listener& listener) {
  const net::SocketAddress& bound = listener.endpoint().address;
  const int error = hosted_->read_datagrams(listener.socket().fd(), bound, bound.is_ip() && bound.is_any());
  counters_->datagrams = hosted_->datagrams();
  if (error != 0) {
    listener.on_fault("receive", error);
  } else {
    listener.on_fault_over("receive");
  }
}

void PluginService::on_stream_end(const plugin::StreamEnd& end) {
  count_active();
  policy::RecordOutcome outcome{
      .duration = end.duration, .counted = true, .bytes_in = end.bytes_in, .bytes_out = end.bytes_out};
  if (end.cause == plugin::EndCause::Timeout) outcome.error = "timeout";
  if (end.cause == plugin::EndCause::Drain) outcome.error = "draining";
  if (end.cause == plugin::EndCause::Handed) outcome.error = "handed over";
  context_.records.end(definition(),
                       {.service = name(),
                        .connection = end.id,
                        .from = &end.remote,
                        .to = &end.local,
                        .user = user_of(end.id)},
                       outcome);
  release(end.id);
  if (on_connection_end_) on_connection_end_(end.id);
  check_idle();
}

int PluginService::hand_over(plugin::HandOver request) {
  if (const int error = check_hand_over(definition(), request.service); error != 0) return error;
  return context_.plugin_requests->hand_over(*this, std::move(request));
}

int PluginService::start_program(plugin::ProgramStart request) {
  if (const int error = check_program_start(definition(), request); error != 0) return error;
  return context_.plugin_requests->start_program(*this, std::move(request));
}

void PluginService::program_ended(std::uint64_t id, int error, int exit_status, int signal) {
  hosted_->program_ended(id, error, exit_status, signal);
}

void PluginService::terminate(Duration grace, bool close_connections) {
  give_up_newcomers();
  drain();
  if (close_connections) {
    kill();
  } else if (active() > 0) {
    deadline_.arm(grace);
  }
}

void PluginService::kill() {
  give_up_newcomers();
  deadline_.cancel();
  hosted_->close_all(plugin::EndCause::Drain);
  check_idle();
}

std::uint64_t PluginService::active() const noexcept {
  return (hosted_ ? hosted_->connections() : 0) + newcomers();
}

std::optional<plugin::DatagramCounters> PluginService::datagrams() const noexcept {
  if (!reads_datagrams()) return std::nullopt;
  return hosted_->datagrams();
}

std::vector<std::pair<std::string, std::uint64_t>> PluginService::metrics() const {
  std::vector<std::pair<std::string, std::uint64_t>> all;
  for (const auto& [name, value] : hosted_->metrics())
    all.emplace_back(name, value);
  return all;
}

}  // namespace xsd::service
