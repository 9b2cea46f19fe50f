// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/service.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/plugins.h"
#include "xsd/plugin/library.h"
#include "xsd/service/address_files.h"
#include "xsd/service/plugin_service.h"
#include "xsd/service/program_service.h"
#include "xsd/service/sender_names.h"
#include "xsd/service/sensor_service.h"

namespace xsd::service {
namespace {

void set_flag(int fd, int level, int option, bool on) noexcept {
  const int value = on ? 1 : 0;
  // Both options exist on every tcp socket; a failure would cost speed, not correctness.
  (void)setsockopt(fd, level, option, &value, sizeof value);
}

// At its limit a service refuses and lets in by turns; that is one state, told of once.
constexpr Duration kLimitOver = std::chrono::seconds(2);
// What a client has to read that is refused with a banner.
constexpr Duration kFarewell = std::chrono::seconds(2);
// How late a clock that was set may open a service.
constexpr Duration kLookAgain = std::chrono::minutes(1);

bool has_unix_datagrams(const config::Resolution& resolution) noexcept {
  return std::any_of(resolution.endpoints.begin(), resolution.endpoints.end(), [](const auto& endpoint) {
    return endpoint.transport == net::Transport::Datagram && !endpoint.address.is_ip();
  });
}

// What a user can do about a limit.
std::string_view limit_key(policy::Reason reason) noexcept {
  return reason == policy::Reason::Processes ? "daemon: max_processes" : "instances";
}

}  // namespace

Result<Prepared> prepare(std::shared_ptr<const config::ServiceDefinition> definition,
                         std::shared_ptr<const config::Resolution> resolution,
                         const ServiceContext& context) {
  Prepared prepared{std::move(definition), std::move(resolution), nullptr, nullptr};
  if (prepared.definition->kind == config::ServiceKind::Plugin) {
    if (!prepared.definition->programs.empty()) {
      auto plans =
          process::make_program_plans(*prepared.definition, *prepared.resolution, context.inheritance);
      if (!plans) return std::move(plans.error());
      prepared.programs = std::move(*plans);
    }
    if (context.plugins_work_elsewhere) return prepared;
    if (geteuid() == 0 && has_unix_datagrams(*prepared.resolution)) {
      return Error(
          "as root, plugins serve unix datagrams in workers only: an answer could go to a socket that is "
          "shut "
          "to the sender");
    }
    const std::string& name = prepared.definition->plugin;
    if (const auto& image = prepared.resolution->plugin_image) {
      auto loaded = plugin::load_library(name, image->path, image->fd.get());
      if (!loaded) return Error("plugin " + quoted(name) + " " + loaded.error().text());
      prepared.plugin = *loaded;
    } else {
      prepared.plugin = plugin::find_plugin(name);
      if (prepared.plugin == nullptr) return Error("plugin " + quoted(name) + " not found");
    }
    return prepared;
  }
  if (prepared.definition->kind == config::ServiceKind::Sensor) return prepared;
  auto plan = process::make_exec_plan(*prepared.definition, *prepared.resolution, context.inheritance);
  if (!plan) return std::move(plan.error());
  prepared.plan = std::move(*plan);
  return prepared;
}

Result<std::unique_ptr<Service>> Service::create(ServiceContext& context, Prepared prepared) {
  if (prepared.definition->kind == config::ServiceKind::Plugin)
    return PluginService::create(context, std::move(prepared));
  if (prepared.definition->kind == config::ServiceKind::Sensor)
    return std::make_unique<SensorService>(context, std::move(prepared));
  return ProgramService::create(context, std::move(prepared));
}

Service::Service(ServiceContext& context, Prepared prepared)
    : ManagedService(std::move(prepared)),
      context_(context),
      asks_(definition().asks_about_clients()),
      idle_timer_(context.loop, [this] {
        if (on_idle_) std::exchange(on_idle_, nullptr)();
      }) {
  take_address_lists();
  take_hours();
  take_source_limits();
  take_pace();
}

bool ManagedService::can_become(const Prepared& next) const noexcept {
  const config::ServiceDefinition& now = definition();
  const config::ServiceDefinition& then = *next.definition;
  return now.kind == then.kind && now.plugin == then.plugin && now.wait == then.wait &&
         now.shards == then.shards && now.settings == then.settings && now.mux_targets == then.mux_targets &&
         (now.kind == config::ServiceKind::Program ||
          now.asks_about_clients() == then.asks_about_clients()) &&
         config::is_same_image(prepared_.resolution->plugin_image.get(), next.resolution->plugin_image.get());
}

bool ManagedService::reads_datagrams() const noexcept {
  const auto& endpoints = prepared_.resolution->endpoints;
  return definition().kind == config::ServiceKind::Plugin &&
         std::any_of(endpoints.begin(), endpoints.end(), [](const net::Endpoint& endpoint) {
           return endpoint.transport == net::Transport::Datagram;
         });
}

void Service::count_in(Counters& cell) noexcept {
  cell = *counters_;
  counters_ = &cell;
}

bool Service::is_making() const noexcept {
  bool is_awaited = false;
  if (context_.address_files == nullptr) return is_awaited;
  for_each_file(*definition().clients, [&](policy::AccessListKind, const std::string& path) {
    is_awaited = is_awaited || context_.address_files->is_awaited(path);
  });
  return is_awaited;
}

std::string Service::failure() const {
  std::string why;
  if (context_.address_files == nullptr) return why;
  for_each_file(*definition().clients, [&](policy::AccessListKind, const std::string& path) {
    const bool is_missing =
        !context_.address_files->is_there(path) && !context_.address_files->is_awaited(path);
    if (why.empty() && is_missing) why = context_.address_files->fault(path);
  });
  return why;
}

// A file that was never read is waited for by a new one.
bool Service::can_become(const Prepared& next) const noexcept {
  bool can = ManagedService::can_become(next);
  for_each_file(*next.definition->clients, [&](policy::AccessListKind, const std::string& path) {
    can = can && context_.address_files != nullptr && context_.address_files->is_there(path);
  });
  return can;
}

void Service::apply(Prepared next) {
  const bool same_options =
      definition().backlog == next.definition->backlog && definition().flags == next.definition->flags;
  const bool same_lists = definition().clients->only_from == next.definition->clients->only_from &&
                          definition().clients->no_access == next.definition->clients->no_access &&
                          prepared_.resolution->networks == next.resolution->networks;
  const bool same_pace = definition().clients->rate == next.definition->clients->rate &&
                         definition().clients->cps == next.definition->clients->cps;
  prepared_ = std::move(next);
  asks_ = definition().asks_about_clients();
  told_ = 0;
  is_banner_cut_ = false;
  if (!same_lists) take_address_lists();
  take_hours();
  take_source_limits();
  if (!same_pace) take_pace();  // otherwise a pause goes on
  if (same_options) return;
  for (const auto& listener : listeners_) {
    (void)listener->socket().set_backlog(definition().backlog);  // it listens
    // What cannot be set now could not be set when the socket was made, and failed the service then.
    (void)prepare_socket(listener->socket());
  }
}

Status Service::prepare_socket(net::BoundSocket& socket) {
  set_stream_flags(socket, definition().flags);
  return {};
}

void set_stream_flags(const net::BoundSocket& socket, unsigned flags) noexcept {
  const net::Endpoint& endpoint = socket.endpoint();
  if (endpoint.transport != net::Transport::Stream || !endpoint.address.is_ip()) return;
  set_flag(socket.fd(), IPPROTO_TCP, TCP_NODELAY, (flags & config::kFlagNoDelay) != 0);
  set_flag(socket.fd(), SOL_SOCKET, SO_KEEPALIVE, (flags & config::kFlagKeepAlive) != 0);
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
  for (const auto& listener : added) {
    if (pace_ && pace_->over.armed()) listener->set_paced(true);
    if (hours_ && hours_->look_again.armed()) listener->set_closed(true);
    adopt_listener(*listener);
  }
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
  if (on_idle_ && listeners_.empty() && active() == 0 && (!asking_ || asking_->turned_away.empty()))
    idle_timer_.arm(Duration::zero());
}

std::optional<policy::Reason> Service::find_limit(bool starts_process, std::string_view consequence) {
  const auto reason = policy::decide({.active = active(),
                                      .instances = definition().instances,
                                      .processes = context_.processes.running,
                                      .max_processes = context_.processes.limit,
                                      .starts_process = starts_process});
  if (!reason) {
    if (context_.loop.now() - last_told_ >= kLimitOver) told_ = 0;
    return reason;
  }
  const config::Limit limit =
      *reason == policy::Reason::Processes ? context_.processes.limit : definition().instances;
  const std::string number = std::to_string(limit.value);
  warn_once(*reason, std::string(consequence) + ": " + number + " of " + number + " run already (" +
                         std::string(limit_key(*reason)) + ")");
  return reason;
}

void Service::warn_once(policy::Reason reason, std::string_view text) {
  const unsigned bit = 1U << static_cast<unsigned>(reason);
  if ((told_ & bit) == 0) log::warning("{}: {}", name(), text);
  told_ |= bit;
  last_told_ = context_.loop.now();
}

bool Service::greet(UniqueFd& socket, std::uint64_t id, const net::SocketAddress* remote,
                    const net::SocketAddress* local) {
  if (is_banned(*remote)) {
    refuse(policy::Reason::Banned, id, remote, local, std::move(socket));
    return false;
  }
  if (const auto* const files = prepared_.resolution->files.find()) send_banner(socket, files->banner);
  return true;
}

void Service::send_banner(const UniqueFd& socket, const config::ClientFiles::Text& text) {
  if (text == nullptr || text->empty()) return;
  const ssize_t sent = send(socket.get(), text->data(), text->size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  // A client that is gone is noticed by whoever serves it.
  if (sent < 0 && errno != EAGAIN) return;
  if (static_cast<std::size_t>(std::max<ssize_t>(sent, 0)) == text->size() || is_banner_cut_) return;
  is_banner_cut_ = true;
  log::warning("{}: connections do not take a banner of {} bytes at once; it is cut", name(), text->size());
}

bool Service::admit(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
                    const net::SocketAddress& local, bool starts_process) {
  auto reason = find_bar(remote);
  policy::SourceTicket ticket;
  if (!reason) reason = begin_source(remote, ticket);
  if (!reason) {
    if (sources_) sources_->tickets.emplace(id, ticket);
    reason = find_full(starts_process);
  }
  if (reason) {
    turn_away(std::move(socket), *reason, id, remote, local);
    return false;
  }
  if (asks_ && !ask_about(socket, id, remote, local, starts_process)) return false;
  welcome(socket);
  return true;
}

std::optional<policy::Reason> Service::find_full(bool starts_process) {
  auto reason = find_limit(starts_process, "refusing connections");
  const auto& rate = definition().clients->rate;
  if (!reason && rate && rate->refuses && is_too_early()) reason = policy::Reason::Rate;
  return reason;
}

void Service::welcome(const UniqueFd& socket) {
  const auto& rate = definition().clients->rate;
  count_pace(!(rate && rate->refuses));
  if (const auto* const files = prepared_.resolution->files.find())
    send_banner(socket, files->banner_success);
}

policy::Access Service::look_at(const net::SocketAddress& peer) const noexcept {
  return access_ && peer.is_ip() ? access_->decide(peer).access : policy::Access::Allow;
}

std::optional<policy::Reason> Service::find_bar(const net::SocketAddress& peer) {
  if (look_at(peer) == policy::Access::Refuse) return policy::Reason::Address;
  if (hours_ && !hours_->open.is_open(context_.loop.clock().wall())) {
    warn_once(policy::Reason::Time, "refusing clients: it is closed at this time (access_times)");
    return policy::Reason::Time;
  }
  if (is_overloaded("refusing clients")) return policy::Reason::Load;
  return std::nullopt;
}

bool Service::is_overloaded(std::string_view consequence) {
  const auto& most = definition().clients->max_load;
  if (!most) return false;
  const double load = context_.load.value();
  if (load < *most) return false;
  std::array<char, 96> text{};
  (void)std::snprintf(text.data(), text.size(), ": the load of the machine is %.2f (max_load)", load);
  warn_once(policy::Reason::Load, std::string(consequence) + text.data());
  return true;
}

policy::Access Service::look_at_sender(const net::SocketAddress& sender) const {
  const policy::Access access = look_at(sender);
  if (access != policy::Access::AskName || context_.sender_names == nullptr) return access;
  const auto* const known = context_.sender_names->find(sender, context_.loop.now());
  if (known == nullptr) return access;
  return access_->decide(sender, {known->are_known, known->names}).access;
}

bool Service::admit_datagram(const net::SocketAddress& sender) {
  auto reason = find_datagram_bar(sender);
  if (!reason && look_at_sender(sender) != policy::Access::Allow) reason = policy::Reason::Address;
  policy::SourceTicket ticket;
  if (!reason) {
    reason = begin_source(sender, ticket);
    if (!reason && sources_) sources_->table.end(ticket);
  }
  // There is no queue that it could be put back into.
  if (!reason && is_too_early()) reason = policy::Reason::Rate;
  if (reason) {
    count_refusal(*reason);
  } else {
    count_pace(false);
  }
  return !reason;
}

void Service::take_hours() {
  if (hours_ && hours_->look_again.armed()) set_closed(false);  // the new ones find out themselves
  hours_.reset();
  const auto& times = definition().clients->access_times;
  if (!times) return;
  const auto& text = prepared_.resolution->files->zone;
  auto zone = text != nullptr ? TimeZone::from_text(*text) : TimeZone();
  // It was a zone when it was read.
  hours_ = std::make_unique<Hours>(
      Hours{policy::OpenHours(policy::AccessSchedule(*times), zone ? std::move(*zone) : TimeZone()),
            reactor::Timer(context_.loop, [this] {
              if (!wait_until_open()) set_closed(false);
            })});
}

bool Service::wait_until_open() {
  if (!hours_) return false;
  const WallTime now = context_.loop.clock().wall();
  if (hours_->open.is_open(now)) return false;
  if (!hours_->look_again.armed()) set_closed(true);
  // Somebody may set the clock meanwhile.
  hours_->look_again.arm(std::min<Duration>(hours_->open.time_left(now), kLookAgain));
  return true;
}

void Service::set_closed(bool closed) {
  for (const auto& listener : listeners_)
    listener->set_closed(closed);
}

void Service::take_address_lists() {
  access_.reset();
  if (!definition().clients->has_lists()) return;
  const auto& networks = prepared_.resolution->networks;
  const auto set_of = [&networks](const std::vector<config::AddressRule>& rules) {
    config::AddressSet set;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (rules[i].kind == config::AddressRule::Kind::File) continue;
      const auto network = std::find_if(networks.begin(), networks.end(),
                                        [&](const auto& known) { return known.first == rules[i].text; });
      if (network != networks.end()) {
        set.add(network->second, static_cast<std::uint32_t>(i));
      } else {
        config::add_rule(rules[i], static_cast<std::uint32_t>(i), set);
      }
    }
    return set;
  };
  std::optional<config::AddressSet> only_from;
  if (definition().clients->only_from) only_from = set_of(*definition().clients->only_from);
  const auto list = std::make_shared<policy::AccessList>(only_from, set_of(definition().clients->no_access));
  for_each_file(*definition().clients, [&](policy::AccessListKind kind, const std::string& path) {
    list->add_file(kind, context_.address_files != nullptr
                             ? context_.address_files->use(path)
                             : std::make_shared<const policy::AddressFile>(policy::AddressFile{path}));
  });
  access_ = list;
}

void Service::take_pace() {
  const config::ClientRules& now = *definition().clients;
  if (!now.rate && !now.cps) {
    if (pace_) go_on();
    pace_.reset();
    return;
  }
  if (!pace_)
    pace_ = std::make_unique<Pace>(Pace{.over = reactor::Timer(context_.loop, [this] { go_on(); })});
  if (!now.cps) {
    pace_->cps.reset();
  } else if (pace_->cps) {
    pace_->cps->set_limit(*now.cps);
  } else {
    pace_->cps.emplace(*now.cps);
  }
  if (pace_->over.armed()) go_on();  // the new limits find out themselves
}

bool Service::is_too_early() {
  const auto& rate = definition().clients->rate;
  if (!rate || pace_->bucket.until_next(rate->limit, context_.loop.now()) == Duration::zero()) return false;
  warn_once(policy::Reason::Rate,
            "refusing clients: more come than " + config::to_string(rate->limit.rate) + " (rate)");
  return true;
}

void Service::count_pace(bool waits) {
  if (!pace_) return;
  const MonotonicTime now = context_.loop.now();
  if (const auto& rate = definition().clients->rate) {
    (void)pace_->bucket.take(rate->limit, now);  // none for the rest of the queue of a socket that goes
    if (waits) set_paced(pace_->bucket.until_next(rate->limit, now));
  }
  if (!pace_->cps) return;
  const auto until = pace_->cps->count(now);
  if (!until) return;
  const config::CpsLimit& limit = *definition().clients->cps;
  pace_->reason = "more than " + std::to_string(limit.connections) + " connections within a second (cps)";
  log::warning("{}: {}; clients wait for {}", name(), pace_->reason, format_duration(limit.wait));
  counters_->paused = 1;
  set_paced(*until - now);
}

void Service::set_paced(Duration time) {
  if (time <= Duration::zero()) return;
  // Both limits may hold: the later end counts.
  if (pace_->over.armed() && pace_->until > context_.loop.now() + time) return;
  pace_->until = context_.loop.now() + time;
  pace_->over.arm(time);
  for (const auto& listener : listeners_)
    listener->set_paced(true);
}

void Service::go_on() {
  pace_->over.cancel();
  pace_->reason.clear();
  counters_->paused = 0;
  for (const auto& listener : listeners_)
    listener->set_paced(false);
}

std::string Service::pause_reason() const {
  if (!pause_reason_.empty()) return pause_reason_;
  if (hours_ && hours_->look_again.armed()) return "it is closed at this time (access_times)";
  return pace_ ? pace_->reason : std::string();
}

// What was begun without a table is not counted when there is one.
void Service::take_source_limits() {
  const policy::SourceLimits limits{definition().per_source, definition().clients->source_rate,
                                    definition().clients->source_prefix};
  if (sources_) {
    sources_->table.set_limits(limits);
  } else if (definition().limits_sources()) {
    sources_ = std::make_unique<Sources>(Sources{policy::SourceTable(limits, context_.hash_seed)});
  }
}

std::optional<policy::Reason> Service::begin_source(const net::SocketAddress& remote,
                                                    policy::SourceTicket& ticket) {
  if (!sources_) return std::nullopt;
  const policy::SourceTable::Admission admission = sources_->table.begin(remote, context_.loop.now());
  ticket = admission.ticket;
  if (admission.refused == policy::Reason::PerSource) {
    warn_once(policy::Reason::PerSource, "refusing connections of " + remote.host() + ", which has " +
                                             std::to_string(definition().per_source.value) +
                                             " already (per_source)");
  } else if (admission.refused) {
    warn_once(*admission.refused, "refusing " + remote.host() + ", which comes more often than " +
                                      config::to_string(definition().clients->source_rate->rate) +
                                      " (source_rate)");
  }
  return admission.refused;
}

void Service::release(std::uint64_t id) noexcept {
  if (asking_) asking_->users.erase(id);
  if (!sources_) return;
  const auto found = sources_->tickets.find(id);
  if (found == sources_->tickets.end()) return;
  sources_->table.end(found->second);
  sources_->tickets.erase(found);
}

void Service::refuse(policy::Reason reason, std::uint64_t id, const net::SocketAddress* remote,
                     const net::SocketAddress* local, UniqueFd socket) {
  count_refusal(reason);
  context_.records.refuse(
      definition(), {.service = name(), .connection = id, .from = remote, .to = local, .user = user_of(id)},
      reason);
  release(id);
  const auto* const files = prepared_.resolution->files.find();
  if (!socket || files == nullptr || files->banner_fail == nullptr) return;
  send_banner(socket, files->banner_fail);
  context_.drained_close.add(std::move(socket), kFarewell);
}

bool Service::find_room(UniqueFd& socket, std::uint64_t id, const net::SocketAddress* remote,
                        const net::SocketAddress* local) {
  if (context_.loop.poller_kind() != reactor::PollerKind::Select) return true;
  // It is watched at the number that it has above the floor.
  socket = raise_fd(std::move(socket));
  if (context_.loop.can_watch(socket.get())) return true;
  refuse(policy::Reason::Resources, id, remote, local, std::move(socket));
  return false;
}

bool Service::can_watch_another(int fd) const noexcept {
  if (context_.loop.poller_kind() != reactor::PollerKind::Select) return true;
  const Result<UniqueFd> probe = duplicate_fd(fd);
  return !probe || context_.loop.can_watch(probe->get());  // none at all: whoever needs one says so
}

}  // namespace xsd::service
