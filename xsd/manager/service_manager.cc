// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/service_manager.h"

#include <algorithm>
#include <unordered_set>

#include "xsd/base/log.h"
#include "xsd/base/number.h"

namespace xsd::manager {
namespace {

constexpr Duration kStepBudget = std::chrono::milliseconds(4);
constexpr Duration kFirstRetry = std::chrono::seconds(1);
constexpr Duration kLongestRetry = std::chrono::seconds(60);
// What was killed needs a moment to end; after that nothing keeps the daemon.
constexpr Duration kAfterKill = std::chrono::milliseconds(500);

bool ends_on_stop(const service::Service& service) {
  return service.definition().on_stop != config::OnStop::Leave;
}

}  // namespace

std::string_view state_name(ServiceState state) noexcept {
  static constexpr std::string_view kNames[] = {"listening", "waiting",  "paused",
                                                "draining",  "disabled", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

ServiceManager::ServiceManager(service::ServiceContext& context, config::Loader& loader, Hooks hooks)
    : context_(context),
      loader_(loader),
      hooks_(std::move(hooks)),
      stop_deadline_(context.loop,
                     [this] {
                       log::warning("some programs did not end; leaving them");
                       if (on_stopped_) std::exchange(on_stopped_, nullptr)();
                     }),
      stepper_(context.loop, [this] { step(); }) {}

ServiceManager::~ServiceManager() {
  // Services borrow the sockets.
  for (auto& [id, entry] : entries_)
    entry.service.reset();
  retired_.clear();
}

ServiceManager::Entry& ServiceManager::entry_of(const std::string& id) {
  Entry& entry = entries_[id];
  entry.id = id;
  return entry;
}

// ---- from one configuration to the next

Summary ServiceManager::start(config::Snapshot snapshot) {
  begin_applying(std::move(snapshot));
  for (const Action& action : plan_)
    run(action);
  finish_applying();
  return summary_;
}

void ServiceManager::request_reload() {
  if (stopping_) return;
  if (phase_ != Phase::Quiet) {
    reload_wanted_ = true;
    return;
  }
  begin_reload();
}

void ServiceManager::begin_reload() {
  reload_wanted_ = false;
  phase_ = Phase::Loading;
  if (hooks_.on_reload_begin) hooks_.on_reload_begin();
  loader_.begin();
  step_later();
}

void ServiceManager::step_later() {
  stepper_.arm(Duration::zero());
}

void ServiceManager::step() {
  if (phase_ == Phase::Loading) {
    if (loader_.step(kStepBudget)) {
      config::Snapshot snapshot = loader_.take();
      if (snapshot.rejected) {
        log_diagnostics(snapshot.diagnostics);
        log::error("reload: the main file or its defaults are faulty; everything stays as it was");
        return end_reload();
      }
      begin_applying(std::move(snapshot));
    }
    step_later();
    return;
  }
  const MonotonicTime end = context_.loop.clock().monotonic() + kStepBudget;
  while (next_action_ < plan_.size()) {
    run(plan_[next_action_++]);
    if (context_.loop.clock().monotonic() >= end && next_action_ < plan_.size()) {
      step_later();
      return;
    }
  }
  finish_applying();
  log::info("reload: started {}, stopped {}, changed {}, kept {}, failed {}", summary_.started,
            summary_.stopped, summary_.changed, summary_.kept, summary_.failed);
  end_reload();
}

void ServiceManager::end_reload() {
  phase_ = Phase::Quiet;
  if (hooks_.on_reload_end) hooks_.on_reload_end();
  if (reload_wanted_) begin_reload();
}

void ServiceManager::begin_applying(config::Snapshot snapshot) {
  phase_ = Phase::Applying;
  snapshot_ = std::move(snapshot);
  summary_ = {};
  next_action_ = 0;
  log_diagnostics(snapshot_.diagnostics);
  if (hooks_.on_settings) hooks_.on_settings(snapshot_);
  context_.processes.limit = snapshot_.daemon.max_processes;
  std::map<std::string, RunningEntry> running;
  for (const auto& [id, entry] : entries_) {
    RunningEntry& view = running[id];
    view.file = entry.file;
    view.serving = entry.service != nullptr;
    if (entry.service) {
      view.definition = entry.service->prepared().definition;
      view.resolution = entry.service->prepared().resolution;
    }
  }
  plan_ = make_plan(running, snapshot_);
  future_users_.clear();
  // Faulty services, and those of files that cannot be understood, go on as they are: nobody else gets their
  // sockets.
  std::unordered_set<std::string_view> planned;
  for (const Action& action : plan_) {
    if (action.kind != ActionKind::Fault) planned.insert(action.id);
  }
  for (const auto& [id, entry] : entries_) {
    if (planned.contains(id)) continue;
    for (const net::Endpoint& endpoint : entry.endpoints)
      future_users_.try_emplace(endpoint, id);
  }
  for (const Action& action : plan_) {
    if (action.loaded == nullptr || action.loaded->resolution == nullptr ||
        action.kind == ActionKind::Disable)
      continue;
    for (const net::Endpoint& endpoint : action.loaded->resolution->endpoints)
      future_users_.try_emplace(endpoint, action.id);
  }
}

void ServiceManager::finish_applying() {
  phase_ = Phase::Quiet;
  ++generation_;
  context_.own_addresses.set_udp_ports(sockets_.udp_ports());
  context_.own_addresses.refresh();
  plan_.clear();
  future_users_.clear();
  snapshot_ = {};
}

void ServiceManager::log_diagnostics(const std::vector<config::Diagnostic>& diagnostics) {
  for (const config::Diagnostic& diagnostic : diagnostics) {
    const std::string text = config::format_diagnostic(diagnostic);
    const log::Level level =
        diagnostic.severity == config::Severity::Error ? log::Level::Error : log::Level::Warning;
    std::string_view rest = text;
    if (log::is_json()) {  // a line and a caret are for people
      log::message(level, rest.substr(0, rest.find('\n')));
      continue;
    }
    for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
      log::message(level, rest.substr(0, end));
    }
  }
}

void ServiceManager::run(const Action& action) {
  if (action.kind == ActionKind::Stop) {
    const auto found = entries_.find(action.id);
    if (found->second.service) ++summary_.stopped;
    retire(found->second);
    entries_.erase(found);
    return;
  }
  Entry& entry = entry_of(action.id);
  entry.file = action.loaded->file;
  entry.disabled = action.kind == ActionKind::Disable;
  if (action.kind != ActionKind::Fault) entry.error.clear();
  entry.bind_failed = false;
  entry.wanted = nullptr;
  entry.retry.reset();
  entry.retry_delay = {};
  switch (action.kind) {
    case ActionKind::Disable:
      if (entry.service) ++summary_.stopped;
      ++summary_.disabled;
      retire(entry);
      return;
    case ActionKind::Fault:
      // The diagnostic has been logged with its place already.
      ++summary_.failed;
      entry.error = action.loaded->error;
      entry.wanted = action.loaded->definition;
      if (entry.wanted) schedule_retry(entry);
      return;
    case ActionKind::Keep:
      ++summary_.kept;
      break;
    case ActionKind::Change:
    case ActionKind::Start:
    case ActionKind::Stop:
      break;
  }
  // A service that is kept is prepared anew as well: what depends on the machine may have changed behind the
  // same words.
  if (const Status status = try_to_run(entry, action.loaded->definition, action.loaded->resolution);
      !status) {
    if (action.kind == ActionKind::Keep) --summary_.kept;
    ++summary_.failed;
    for (const net::Endpoint& endpoint : entry.endpoints)
      future_users_[endpoint] = entry.id;
    fail(entry, action.loaded->definition, status.error().text());
    return;
  }
  if (action.kind == ActionKind::Start) ++summary_.started;
  if (action.kind == ActionKind::Change) ++summary_.changed;
}

void ServiceManager::fail(Entry& entry, std::shared_ptr<const config::ServiceDefinition> wanted,
                          std::string why) {
  entry.error = std::move(why);
  entry.bind_failed = true;
  entry.wanted = std::move(wanted);
  schedule_retry(entry);
  log::error("{}: failed: {}; {}next try in {}", entry.id, entry.error,
             entry.service ? "the running definition stays; " : "", format_duration(entry.retry_delay));
}

void ServiceManager::schedule_retry(Entry& entry) {
  entry.retry_delay =
      entry.retry_delay == Duration::zero() ? kFirstRetry : std::min(entry.retry_delay * 2, kLongestRetry);
  if (!entry.retry) {
    entry.retry =
        std::make_unique<reactor::Timer>(context_.loop, [this, id = entry.id] { retry(std::string(id)); });
  }
  entry.retry->arm(entry.retry_delay);
}

void ServiceManager::retry(const std::string& id) {
  const auto found = entries_.find(id);
  if (stopping_ || found == entries_.end() || !found->second.wanted) return;
  Entry& entry = found->second;
  if (phase_ == Phase::Applying) {  // the plan under way may not have come to this service yet
    entry.retry->arm(kFirstRetry);
    return;
  }
  std::vector<config::Diagnostic> diagnostics;
  auto resolution = loader_.resolve(*entry.wanted, diagnostics);
  std::string why;
  if (resolution == nullptr) {
    why = diagnostics.empty() ? "not possible on this machine" : config::one_line(diagnostics.front());
  } else {
    const Status status = try_to_run(entry, entry.wanted, std::move(resolution));
    if (status) {
      log::info("{}: works again", id);
      entry.error.clear();
      entry.wanted = nullptr;
      entry.retry_delay = {};
      entry.retry.reset();
      context_.own_addresses.set_udp_ports(sockets_.udp_ports());
      return;
    }
    why = status.error().text();
  }
  if (why != entry.error) log::error("{}: failed: {}", id, why);
  entry.error = why;
  schedule_retry(entry);
}

// ---- sockets and services

bool ServiceManager::nothing_could_be_bound() const noexcept {
  const auto failed = [](const auto& entry) { return entry.second.bind_failed; };
  return serving() == 0 && std::any_of(entries_.begin(), entries_.end(), failed);
}

bool ServiceManager::is_leaving(const net::Endpoint& endpoint, const std::string& user) const noexcept {
  if (phase_ != Phase::Applying) return false;
  const auto future = future_users_.find(endpoint);
  return future == future_users_.end() || future->second != user;
}

Result<std::vector<net::BoundSocket*>> ServiceManager::bind_all(const Entry& entry,
                                                                const service::Prepared& prepared) {
  std::vector<net::BoundSocket*> sockets;
  for (const net::Endpoint& endpoint : prepared.resolution->endpoints) {
    net::BoundSocket* socket = sockets_.find(endpoint);
    const std::string user = sockets_.user(endpoint);
    if (socket != nullptr && user != entry.id && !user.empty() && !is_leaving(endpoint, user)) {
      return Error("bind " + endpoint.to_string() + ": used by service '" + user + "'");
    }
    if (socket == nullptr) {
      auto bound = sockets_.bind(endpoint, prepared.definition->backlog, entry.id);
      if (!bound) return std::move(bound.error());
      socket = *bound;
    } else if (std::find(entry.endpoints.begin(), entry.endpoints.end(), endpoint) == entry.endpoints.end()) {
      socket->set_backlog(prepared.definition->backlog);  // it was another service's
    }
    sockets.push_back(socket);
  }
  return sockets;
}

Status ServiceManager::try_to_run(Entry& entry, std::shared_ptr<const config::ServiceDefinition> definition,
                                  std::shared_ptr<const config::Resolution> resolution) {
  auto prepared = service::prepare(std::move(definition), std::move(resolution), context_.inheritance);
  Status status = prepared ? commit(entry, std::move(*prepared)) : Status(std::move(prepared.error()));
  // What was bound, or handed over by another service, for nothing goes again; what the service had stays.
  if (!status) sockets_.release(entry.id, entry.endpoints);
  return status;
}

Status ServiceManager::commit(Entry& entry, service::Prepared prepared) {
  auto sockets = bind_all(entry, prepared);
  if (!sockets) return std::move(sockets.error());
  const std::vector<net::Endpoint> endpoints = prepared.resolution->endpoints;

  std::unique_ptr<service::Service> fresh;
  const bool replace = entry.service == nullptr || !entry.service->can_become(*prepared.definition);
  if (replace) {
    auto made = service::Service::create(context_, prepared);
    if (!made) return std::move(made.error());
    fresh = std::move(*made);
  }
  // An endpoint that comes from another service of this plan leaves it now.
  for (net::BoundSocket* const socket : *sockets) {
    const std::string user = sockets_.user(socket->endpoint());
    if (user == entry.id || user.empty()) continue;
    Entry& other = entry_of(user);
    std::erase(other.endpoints, socket->endpoint());
    if (other.service) {
      std::vector<net::BoundSocket*> rest;
      for (const net::Endpoint& endpoint : other.endpoints)
        rest.push_back(sockets_.find(endpoint));
      (void)other.service->listen_on(rest);  // giving sockets up cannot fail
    }
    sockets_.set_user(socket->endpoint(), entry.id);
  }
  if (replace && entry.service) {
    // Its sockets go over to the new one, which must be the only one to watch them.
    retire_service(std::move(entry.service));
  }
  if (fresh) {
    entry.service = std::move(fresh);
  } else {
    entry.service->apply(std::move(prepared));
  }
  Status status = entry.service->listen_on(*sockets);
  if (!status) {
    retire(entry);
    return status;
  }
  let_go(entry, endpoints);
  entry.endpoints = endpoints;
  return {};
}

// A socket that another service of this plan is going to use stays open for it: who connects meanwhile waits
// in its queue.
void ServiceManager::let_go(const Entry& entry, const std::vector<net::Endpoint>& kept) {
  for (const net::Endpoint& endpoint : entry.endpoints) {
    if (std::find(kept.begin(), kept.end(), endpoint) != kept.end()) continue;
    const auto future = future_users_.find(endpoint);
    if (future != future_users_.end() && future->second != entry.id)
      sockets_.set_user(endpoint, future->second);
  }
  sockets_.release(entry.id, kept);
}

void ServiceManager::retire(Entry& entry) {
  if (entry.service) retire_service(std::move(entry.service));
  let_go(entry, {});
  entry.endpoints.clear();
}

void ServiceManager::retire_service(std::unique_ptr<service::Service> service) {
  service::Service* const leaving = service.get();
  retired_.push_back(std::move(service));
  if (leaving->definition().on_remove == config::OnRemove::Drain) {
    leaving->drain();
  } else {
    leaving->terminate(leaving->definition().stop_timeout, true);
  }
  forget_when_idle(*leaving);
}

void ServiceManager::forget_when_idle(service::Service& leaving) {
  leaving.on_idle([this, gone = &leaving] {
    std::erase_if(retired_, [&](const auto& candidate) { return candidate.get() == gone; });
    if (on_stopped_ && retired_.empty()) std::exchange(on_stopped_, nullptr)();
  });
}

// ---- stop

void ServiceManager::stop(std::function<void()> done) {
  stopping_ = true;
  stepper_.cancel();
  on_stopped_ = std::move(done);
  for (auto& [id, entry] : entries_) {
    entry.retry.reset();
    if (entry.service) retired_.push_back(std::move(entry.service));
  }
  // Those that were on their way out before are told again: one that drains has no more time than the others.
  Duration longest{};
  for (const auto& service : retired_) {
    service::Service* const leaving = service.get();
    if (!ends_on_stop(*leaving)) {
      leaving->drain();
      continue;
    }
    longest = std::max(longest, leaving->definition().stop_timeout);
    leaving->terminate(leaving->definition().stop_timeout, false);
    forget_when_idle(*leaving);
  }
  sockets_ = SocketTable();  // nobody watches them any more; who connects now is refused, not kept waiting
  std::erase_if(retired_, [](const auto& service) { return !ends_on_stop(*service); });
  if (retired_.empty()) {
    context_.loop.defer([this] {
      if (on_stopped_) std::exchange(on_stopped_, nullptr)();
    });
    return;
  }
  stop_deadline_.arm(longest + kAfterKill);
}

void ServiceManager::stop_now() {
  stopping_ = true;
  stepper_.cancel();
  for (auto& [id, entry] : entries_) {
    if (entry.service && ends_on_stop(*entry.service)) entry.service->kill();
  }
  for (const auto& service : retired_)
    service->kill();
}

// ---- status

std::size_t ServiceManager::serving() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.service != nullptr; }));
}

std::vector<ServiceStatus> ServiceManager::status() const {
  std::vector<ServiceStatus> all;
  for (const auto& [id, entry] : entries_) {
    ServiceStatus status{id, ServiceState::Listening, entry.endpoints, 0, {}, entry.error};
    if (entry.service) {
      status.active = entry.service->active();
      status.counters = entry.service->counters();
      if (entry.service->definition().wait && status.active > 0) status.state = ServiceState::Waiting;
      if (!entry.service->pause_reason().empty()) {
        status.state = ServiceState::Paused;
        if (status.error.empty()) status.error = entry.service->pause_reason();
      }
    }
    if (entry.disabled) status.state = ServiceState::Disabled;
    if (!entry.error.empty()) status.state = ServiceState::Failed;
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace xsd::manager
