// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/service_manager.h"

#include <algorithm>
#include <unordered_set>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/manager/mux_targets.h"

namespace xsd::manager {
namespace {

// Services are gone when their connections are; what their plugins have left for threads (run_blocking) is
// waited for then.
constexpr Duration kWorkersEnd = std::chrono::seconds(3);
// What was killed needs a moment to end; after that nothing keeps the daemon.
constexpr Duration kAfterKill = std::chrono::milliseconds(500);

bool ends_on_stop(const service::ManagedService& service) {
  return service.definition().on_stop != config::OnStop::Leave;
}

void stop_service_now(service::ManagedService& service) {
  if (ends_on_stop(service)) {
    service.kill();
  } else {
    service.leave();
  }
}

}  // namespace

std::string_view state_name(ServiceState state) noexcept {
  static constexpr std::string_view kNames[] = {"listening", "waiting",  "paused",
                                                "draining",  "disabled", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

ServiceManager::ServiceManager(service::ServiceContext& context, config::Loader& loader, PluginCache& plugins,
                               Hooks hooks)
    : context_(context),
      loader_(loader),
      hooks_(std::move(hooks)),
      requests_(context,
                [this](const std::string& id) {
                  const auto found = entries_.find(id);
                  return found == entries_.end() ? nullptr : found->second.service.get();
                }),
      stop_deadline_(context.loop,
                     [this] {
                       for (const auto& service : retired_)
                         service->kill();
                       requests_.programs().kill();
                       log::warning("some programs did not end; leaving them");
                       if (on_stopped_) std::exchange(on_stopped_, nullptr)();
                     }),
      stepper_(context.loop, [this] { step(); }),
      inquiry_(context.loop, context.children, context.roles, plugins),
      retrier_(context.loop, [this] { go_on_retrying(); }) {
  context_.plugin_requests = &requests_;
  requests_.programs().on_empty([this] { check_stopped(); });
}

ServiceManager::~ServiceManager() {
  // Services borrow the sockets.
  transition_.reset();
  for (auto& [id, entry] : entries_) {
    entry.coming.reset();
    entry.service.reset();
  }
  retired_.clear();
  context_.plugin_requests = nullptr;
}

void ServiceManager::use_workers(std::optional<process::Credentials> credentials) {
  if (workers_) return workers_->set_credentials(std::move(credentials));
  workers_ = std::make_unique<Workers>(context_, requests_, std::move(credentials));
  context_.plugins_work_elsewhere = true;
}

ServiceManager::Entry& ServiceManager::entry_of(const std::string& id) {
  Entry& entry = entries_[id];
  entry.id = id;
  return entry;
}

// ---- from one configuration to the next

Summary ServiceManager::start(config::Snapshot snapshot) {
  starting_ = true;
  is_at_work_ = true;
  begin_plan(std::move(snapshot));
  while (phase_ != Phase::Quiet && !stopping_) {
    go_on();
    // Workers answer through the loop.
    if (is_waiting()) context_.loop.run_once();
  }
  starting_ = false;
  is_at_work_ = false;
  // What was wanted meanwhile comes after whatever else belongs to the start.
  if (reload_wanted_) context_.loop.defer([this] { request_reload(); });
  return summary_;
}

void ServiceManager::request_reload() {
  if (stopping_) return;
  if (is_at_work_) {
    reload_wanted_ = true;
    return;
  }
  begin_reload();
}

void ServiceManager::on_child_signal() {
  if (workers_) workers_->look_for_stop();
}

void ServiceManager::on_log_change() {
  if (workers_) workers_->set_log();
}

std::set<std::string> ServiceManager::log_places() const {
  std::set<std::string> places;
  for (const auto& [id, entry] : entries_) {
    if (entry.service) places.insert(entry.service->definition().log->place());
  }
  for (const auto& service : retired_)
    places.insert(service->definition().log->place());
  return places;
}

bool ServiceManager::is_waiting() const noexcept {
  return phase_ == Phase::Settling || (phase_ == Phase::Preparing && transition_->is_waiting());
}

void ServiceManager::begin_reload() {
  is_at_work_ = true;
  reload_wanted_ = false;
  inquiry_.cancel();
  put_off_retries();
  phase_ = Phase::Loading;
  if (hooks_.on_reload_begin) hooks_.on_reload_begin();
  loader_.begin();
  step_later();
}

void ServiceManager::step_later() {
  stepper_.arm(Duration::zero());
}

void ServiceManager::load_some() {
  switch (loader_.step(kStepBudget)) {
    case config::Loader::Progress::More:
      return step_later();
    case config::Loader::Progress::NeedsAnswers:
      phase_ = Phase::Asking;
      return inquiry_.ask(loader_.questions(), [this](config::Answers answers) {
        loader_.answer(std::move(answers));
        phase_ = Phase::Loading;
        load_some();
      });
    case config::Loader::Progress::Done:
      break;
  }
  config::Snapshot snapshot = loader_.take();
  if (snapshot.rejected) {
    (void)DiagnosticLog(snapshot.diagnostics).step(context_.loop.clock(), std::chrono::hours(1));
    log::error("reload: the main file or its defaults are faulty; everything stays as it was");
    return end_reload();
  }
  begin_plan(std::move(snapshot));
  step_later();
}

void ServiceManager::step() {
  if (phase_ == Phase::Loading) return load_some();
  go_on();
  // A worker's answer goes on; where none was asked, the next step, which is armed already.
  if (is_waiting() || stepper_.armed()) return;
  if (phase_ != Phase::Quiet) return step_later();
  log::info("reload: started {}, stopped {}, changed {}, kept {}, failed {}", summary_.started,
            summary_.stopped, summary_.changed, summary_.kept, summary_.failed);
  end_reload();
}

void ServiceManager::end_reload() {
  phase_ = Phase::Quiet;
  is_at_work_ = false;
  if (hooks_.on_reload_end) hooks_.on_reload_end();
  if (reload_wanted_) begin_reload();
}

void ServiceManager::begin_plan(config::Snapshot snapshot) {
  phase_ = Phase::Telling;
  summary_ = {};
  next_action_ = 0;
  for (const auto& [id, entry] : entries_) {
    RunningEntry& view = running_[id];
    view.file = entry.file;
    view.serving = entry.service != nullptr;
    view.endpoints = &entry.endpoints;
    view.named_in = entry.named_in;
    if (!entry.fault.empty()) view.faulty_since = entry.faulty_since;
    if (entry.service) {
      view.service = entry.service.get();
      view.definition = entry.service->prepared().definition;
      view.resolution = entry.service->prepared().resolution;
    }
  }
  add_mux_targets(snapshot, running_);
  transition_ = std::make_unique<Transition>(
      context_, sockets_, [this](service::Prepared prepared) { return make_service(std::move(prepared)); },
      running_, std::move(snapshot));
  diagnostic_log_ = DiagnosticLog(transition_->snapshot().diagnostics, std::move(diagnostic_log_));
}

void ServiceManager::go_on() {
  switch (phase_) {
    case Phase::Quiet:
    case Phase::Loading:
    case Phase::Asking:
      return;
    case Phase::Telling:
      if (!diagnostic_log_.step(context_.loop.clock(), kStepBudget)) return;
      if (hooks_.on_settings) hooks_.on_settings(transition_->snapshot());
      context_.processes.limit = transition_->snapshot().daemon.max_processes;
      phase_ = Phase::Preparing;
      return;
    case Phase::Preparing:
      if (!transition_->step(kStepBudget)) return;
      running_.clear();
      phase_ = Phase::Applying;
      take_ports_over();  // before anybody answers at one that is new
      return;
    case Phase::Applying:
      if (apply_some()) settle();
      return;
    case Phase::Settling:
      return;
  }
}

bool ServiceManager::apply_some() {
  const MonotonicTime end = context_.loop.clock().monotonic() + kStepBudget;
  const std::size_t count = transition_->plan().size();
  while (next_action_ < count) {
    run(next_action_++);
    if (context_.loop.clock().monotonic() >= end) break;
  }
  return next_action_ == count;
}

// What was let go of is closed everywhere, and what is new is watched, before anybody is told that the plan
// is done.
void ServiceManager::settle() {
  phase_ = Phase::Settling;
  if (!workers_) return finish_plan();
  workers_->fence([this] {
    if (phase_ != Phase::Settling) return;
    finish_plan();
    if (!starting_) step_later();
  });
}

void ServiceManager::finish_plan() {
  phase_ = Phase::Quiet;
  ++generation_;
  take_ports_over();
  context_.own_addresses.refresh();
  transition_.reset();
}

void ServiceManager::take_ports_over() {
  const auto ports = sockets_.udp_ports();
  if (workers_) workers_->set_udp_ports({ports.begin(), ports.end()});
  context_.own_addresses.set_udp_ports(ports);
}

void ServiceManager::run(std::size_t number) {
  const Action& action = transition_->plan()[number];
  if (action.kind == ActionKind::Stop) {
    const auto found = entries_.find(action.id);
    if (found->second.service) count(summary_.stopped, "stopped", action.id);
    retire(found->second);
    entries_.erase(found);
    return;
  }
  Entry& entry = entry_of(action.id);
  entry.file = action.loaded->file;
  entry.named_in = generation_;
  entry.disabled = action.kind == ActionKind::Disable;
  if (entry.fault.empty()) entry.faulty_since = generation_;
  entry.fault.clear();
  const bool is_fault_of_text = action.kind == ActionKind::Fault && action.loaded->definition == nullptr;
  // What it was meant to be before is still wanted while nobody knows what it is meant to be now.
  if (!is_fault_of_text) {
    entry.coming_endpoints = action.loaded->coming_endpoints;
    entry.error.clear();
    entry.bind_failed = false;
    entry.wanted = nullptr;
    entry.retry.reset();
    entry.retry_delay = {};
    drop_coming(entry);
  }
  switch (action.kind) {
    case ActionKind::Disable:
      if (entry.service) count(summary_.stopped, "stopped", action.id);
      ++summary_.disabled;
      retire(entry);
      return;
    case ActionKind::Fault:
      // The diagnostic has been logged with its place already.
      ++summary_.failed;
      (is_fault_of_text ? entry.fault : entry.error) = action.loaded->error;
      if (is_fault_of_text) return;
      entry.cause = entry.error;
      entry.wanted = action.loaded->definition;
      schedule_retry(entry);
      return;
    case ActionKind::Keep: {
      ++summary_.kept;
      // Prepared anew as well: what depends on the machine may have changed behind the same words.
      auto ready = get_ready(entry, action.loaded->definition, action.loaded->resolution);
      if (ready && ready->fresh == nullptr) {
        const Status status = commit(entry, std::move(*ready));
        if (status) return;
        ready = tl::unexpected(Obstacle{status.error().text(), false, {}, {}, {}});
      } else if (ready) {
        // It failed after the plan was made; the retry makes it anew.
        ready = tl::unexpected(
            Obstacle{entry.service ? entry.service->failure() : entry.error, false, {}, {}, {}});
      }
      --summary_.kept;
      transition_->keeps(entry.id, entry.endpoints);
      return fail(entry, action.loaded->definition, std::move(ready.error()));
    }
    case ActionKind::Change:
    case ActionKind::Start:
    case ActionKind::Stop:
      break;
  }
  auto ready = transition_->take(number);
  if (!ready) {
    entry.coming_endpoints = action.loaded->resolution->endpoints;
    return fail(entry, action.loaded->definition, ready.error());
  }
  if (const Status status = commit(entry, std::move(*ready)); !status) {
    transition_->keeps(entry.id, entry.endpoints);
    return fail(entry, action.loaded->definition, {status.error().text(), false, {}, {}, {}});
  }
  if (action.kind == ActionKind::Start) count(summary_.started, "started", action.id);
  if (action.kind == ActionKind::Change) count(summary_.changed, "changed", action.id);
}

void ServiceManager::count(std::size_t& counter, std::string_view what, const std::string& id) {
  constexpr std::size_t kNamed = 20;  // of each; beyond that a person looks at the files
  if (++counter <= kNamed && !starting_) log::info("{} {}", what, id);
}

void ServiceManager::fail(Entry& entry, std::shared_ptr<const config::ServiceDefinition> wanted,
                          Obstacle obstacle) {
  ++summary_.failed;
  entry.error = obstacle.text();
  entry.cause = std::move(obstacle.error);
  entry.blocker = std::move(obstacle.blocker);
  entry.bind_failed = obstacle.is_bind;
  entry.wanted = std::move(wanted);
  schedule_retry(entry);
  log::error("{}: failed: {}; {}next try in {}", entry.id, entry.error,
             entry.service ? "the running definition stays; " : "", format_duration(entry.retry_delay));
}

// ---- sockets and services

bool ServiceManager::nothing_could_be_bound() const noexcept {
  const auto failed = [](const auto& entry) { return entry.second.bind_failed; };
  return serving() == 0 && std::any_of(entries_.begin(), entries_.end(), failed);
}

Result<std::unique_ptr<service::ManagedService>> ServiceManager::make_service(service::Prepared prepared) {
  if (workers_ && prepared.definition->kind == config::ServiceKind::Plugin) {
    const std::string id = prepared.definition->id;
    return workers_->create(std::move(prepared),
                            {.on_made = [this, id] { on_made(id); },
                             .on_failed = [this](service::ManagedService& service,
                                                 const std::string& why) { on_failed(service, why); }});
  }
  auto made = service::Service::create(context_, std::move(prepared));
  if (!made) return std::move(made.error());
  return std::unique_ptr<service::ManagedService>(std::move(*made));
}

tl::expected<Ready, Obstacle> ServiceManager::get_ready(
    Entry& entry, std::shared_ptr<const config::ServiceDefinition> definition,
    std::shared_ptr<const config::Resolution> resolution) {
  std::vector<std::pair<net::Endpoint, std::string>> borrowed;
  return make_ready(
      context_, sockets_, [this](service::Prepared prepared) { return make_service(std::move(prepared)); },
      {entry.id, entry.endpoints, entry.service.get()}, std::move(definition), std::move(resolution),
      [](const net::Endpoint&, const std::string&) { return false; }, borrowed);
}

Status ServiceManager::commit(Entry& entry, Ready ready) {
  const std::vector<net::Endpoint> endpoints = ready.prepared.resolution->endpoints;
  std::unique_ptr<service::ManagedService> fresh = std::move(ready.fresh);
  const bool replace = fresh != nullptr;
  if (!replace && (entry.service == nullptr || !entry.service->failure().empty())) {
    sockets_.give_back(entry.id, entry.endpoints);
    return Error(entry.service ? entry.service->failure() : "it has failed meanwhile");
  }
  // An endpoint that comes from another service of this plan leaves it now.
  for (net::BoundSocket* const socket : ready.sockets) {
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
    // Its sockets go over to the new one, which must be the only one to watch them. What runs may finish
    // where only how it is started has changed.
    const bool same_kind = entry.service->definition().kind == ready.prepared.definition->kind;
    retire_service(std::move(entry.service), same_kind);
  }
  if (fresh) {
    entry.service = std::move(fresh);
  } else {
    entry.service->apply(std::move(ready.prepared));
  }
  Status status = entry.service->listen_on(ready.sockets);
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
    const std::string* const future = transition_ ? transition_->future_user(endpoint) : nullptr;
    if (future != nullptr && *future != entry.id) sockets_.set_user(endpoint, *future);
  }
  sockets_.release(entry.id, kept);
}

void ServiceManager::retire(Entry& entry) {
  if (entry.service) retire_service(std::move(entry.service), false);
  let_go(entry, {});
  entry.endpoints.clear();
}

void ServiceManager::retire_service(std::unique_ptr<service::ManagedService> service, bool drain) {
  service::ManagedService* const leaving = service.get();
  retired_.push_back(std::move(service));
  if (drain || leaving->definition().on_remove == config::OnRemove::Drain) {
    leaving->drain();
  } else {
    leaving->terminate(leaving->definition().stop_timeout, true);
    requests_.programs().end_all(*leaving, leaving->definition().stop_timeout);
  }
  requests_.programs().retire(leaving->name());
  forget_when_idle(*leaving);
}

void ServiceManager::forget_when_idle(service::ManagedService& leaving) {
  leaving.on_idle([this, gone = &leaving] {
    std::erase_if(retired_, [&](const auto& candidate) { return candidate.get() == gone; });
    check_stopped();
  });
}

void ServiceManager::check_stopped() {
  if (on_stopped_ && retired_.empty() && requests_.programs().is_empty())
    std::exchange(on_stopped_, nullptr)();
}

// ---- stop

Duration ServiceManager::stop(std::function<void()> done) {
  stopping_ = true;
  phase_ = Phase::Quiet;
  stepper_.cancel();
  inquiry_.cancel();
  retrier_.cancel();
  on_stopped_ = std::move(done);
  transition_.reset();
  for (auto& [id, entry] : entries_) {
    entry.retry.reset();
    entry.coming.reset();
    entry.endpoints.clear();
    if (entry.service) retired_.push_back(std::move(entry.service));
  }
  // Those that were on their way out before are told again: one that drains has no more time than the others.
  Duration longest = requests_.programs().stop();
  for (const auto& service : retired_) {
    service::ManagedService* const leaving = service.get();
    if (!ends_on_stop(*leaving)) {
      leaving->leave();
      continue;
    }
    longest = std::max(longest, leaving->definition().stop_timeout);
    leaving->terminate(leaving->definition().stop_timeout, false);
    forget_when_idle(*leaving);
  }
  if (workers_) workers_->flush();
  // Nobody watches them any more: who connects now is refused, not kept waiting, unless they are kept for the
  // next of us, those that have come back from servers too.
  (void)sockets_.keep_rest();
  sockets_.clear();
  std::erase_if(retired_, [](const auto& service) { return !ends_on_stop(*service); });
  if (retired_.empty() && requests_.programs().is_empty()) {
    context_.loop.defer([this] { check_stopped(); });
    return kWorkersEnd;
  }
  stop_deadline_.arm(longest + kAfterKill);
  return longest + kAfterKill + kWorkersEnd;
}

void ServiceManager::stop_now() {
  hurries_ = true;
  if (ends_workers_) return workers_->kill();
  stopping_ = true;
  phase_ = Phase::Quiet;
  stepper_.cancel();
  inquiry_.cancel();
  retrier_.cancel();
  for (auto& [id, entry] : entries_) {
    if (entry.service) stop_service_now(*entry.service);
  }
  for (const auto& service : retired_)
    stop_service_now(*service);
  requests_.programs().kill();
}

void ServiceManager::end_workers() {
  stop_deadline_.cancel();
  if (!workers_) return;
  ends_workers_ = true;
  workers_->end(hurries_ ? kAfterKill : kWorkersEnd);
}

// ---- status

std::unordered_set<net::Endpoint, net::EndpointHash> ServiceManager::coming_endpoints() const {
  std::unordered_set<net::Endpoint, net::EndpointHash> endpoints;
  for (const auto& [id, entry] : entries_) {
    if (entry.wanted) endpoints.insert(entry.coming_endpoints.begin(), entry.coming_endpoints.end());
  }
  return endpoints;
}

std::size_t ServiceManager::serving() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.service != nullptr; }));
}

std::vector<ServiceStatus> ServiceManager::status() const {
  std::vector<ServiceStatus> all;
  for (const auto& [id, entry] : entries_) {
    const std::string& error = entry.error.empty() ? entry.fault : entry.error;
    ServiceStatus status{id, ServiceState::Listening, entry.endpoints, 0, {}, error};
    if (entry.service) {
      status.active = entry.service->active();
      status.counters = entry.service->counters();
      status.datagrams = entry.service->datagrams();
      status.metrics = entry.service->metrics();
      if (entry.service->definition().wait && status.active > 0) status.state = ServiceState::Waiting;
      if (!entry.service->pause_reason().empty()) {
        status.state = ServiceState::Paused;
        if (status.error.empty()) status.error = entry.service->pause_reason();
      }
    }
    if (entry.disabled) status.state = ServiceState::Disabled;
    if (!error.empty()) status.state = ServiceState::Failed;
    // After a stop has begun all that runs is on its way out, below.
    if (!stopping_ || entry.service || !error.empty()) all.push_back(std::move(status));
  }
  for (const auto& service : retired_)
    all.push_back({service->name(), ServiceState::Draining, {}, service->active(), service->counters(), {}});
  return all;
}

}  // namespace xsd::manager
