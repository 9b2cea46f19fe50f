// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/transition.h"

#include <algorithm>
#include <cerrno>

namespace xsd::manager {
namespace {

// The message waits for it, and so does the rest of the plan.
constexpr Duration kOwnersLimit = std::chrono::milliseconds(500);

bool needs_preparing(const Action& action) noexcept {
  return action.kind == ActionKind::Start || action.kind == ActionKind::Change;
}

std::string place_of(const config::ServiceDefinition& definition) {
  return definition.file + ":" + std::to_string(definition.where.line) + ":" +
         std::to_string(definition.where.column) + ": ";
}

}  // namespace

tl::expected<Ready, Obstacle> make_ready(service::ServiceContext& context, SocketTable& sockets,
                                         const MakeService& make, const Current& current,
                                         std::shared_ptr<const config::ServiceDefinition> definition,
                                         std::shared_ptr<const config::Resolution> resolution,
                                         const SocketTable::MayTake& may_take,
                                         std::vector<std::pair<net::Endpoint, std::string>>& borrowed) {
  const std::string place = place_of(*definition);
  const auto fail = [&](Obstacle obstacle) {
    sockets.give_back(current.id, current.held);
    return tl::unexpected(std::move(obstacle));
  };
  auto prepared = service::prepare(std::move(definition), std::move(resolution), context);
  if (!prepared) return fail({place + prepared.error().text(), false, {}, {}, {}});
  auto bound =
      sockets.bind_all(prepared->resolution->endpoints, prepared->definition->backlog, current.id, may_take);
  if (!bound) {
    Obstacle obstacle{bound.error().error.text(), true, {}, {}, bound.error().user};
    if (bound.error().error.number() == EADDRINUSE) obstacle.busy = bound.error().endpoint;
    return fail(std::move(obstacle));
  }
  const auto lost = std::find_if(bound->sockets.begin(), bound->sockets.end(),
                                 [&](const auto* socket) { return !context.loop.can_watch(socket->fd()); });
  if (lost != bound->sockets.end()) {
    return fail({(*lost)->endpoint().to_string() + ": this poller cannot watch descriptor " +
                     std::to_string((*lost)->fd()),
                 true,
                 {},
                 {},
                 {}});
  }
  Ready ready{std::move(*prepared), nullptr, std::move(bound->sockets)};
  if (current.service == nullptr || !current.service->can_become(ready.prepared)) {
    auto made = make(ready.prepared);
    if (!made) return fail({made.error().text(), false, {}, {}, {}});
    ready.fresh = std::move(*made);
  }
  borrowed = std::move(bound->borrowed);
  return ready;
}

Transition::Transition(service::ServiceContext& context, SocketTable& sockets, MakeService make,
                       const std::map<std::string, RunningEntry>& running, config::Snapshot snapshot)
    : context_(context),
      sockets_(sockets),
      make_(std::move(make)),
      snapshot_(std::move(snapshot)),
      plan_(make_plan(running, snapshot_)),
      outcomes_(plan_.size()) {
  // Faulty services, and those of files that cannot be understood, go on as they are: nobody else gets their
  // sockets.
  std::unordered_map<std::string_view, ActionKind> planned;
  planned.reserve(plan_.size());
  for (const Action& action : plan_) {
    if (action.kind != ActionKind::Fault) planned.emplace(action.id, action.kind);
  }
  for (const auto& [id, entry] : running) {
    if (entry.endpoints == nullptr) continue;
    if (const auto found = planned.find(id); found != planned.end()) {
      if (found->second != ActionKind::Change) continue;
      held_.emplace(id, *entry.endpoints);
      current_.emplace(id, entry.service);
      continue;
    }
    for (const net::Endpoint& endpoint : *entry.endpoints)
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

const std::string* Transition::future_user(const net::Endpoint& endpoint) const noexcept {
  const auto future = future_users_.find(endpoint);
  return future == future_users_.end() ? nullptr : &future->second;
}

bool Transition::is_leaving(const net::Endpoint& endpoint, const std::string& user) const noexcept {
  const std::string* const future = future_user(endpoint);
  return future == nullptr || *future != user;
}

void Transition::keeps(const std::string& id, const std::vector<net::Endpoint>& endpoints) {
  for (const net::Endpoint& endpoint : endpoints)
    future_users_[endpoint] = id;
}

bool Transition::step(Duration budget) {
  const Clock& clock = context_.loop.clock();
  const MonotonicTime end = clock.monotonic() + budget;
  is_waiting_ = false;
  while (stage_ != Stage::Done && !is_waiting_) {
    if (stage_ == Stage::Owners) {
      if (!owners_->step(clock, end - clock.monotonic()) && clock.monotonic() < owners_deadline_) break;
      name_owners();
      stage_ = Stage::Making;
    } else {
      work();
    }
    if (clock.monotonic() >= end) break;
  }
  return stage_ == Stage::Done;
}

void Transition::work() {
  if (stage_ == Stage::Prepare) {
    if (next_ < plan_.size()) return prepare(next_++);
    stage_ = Stage::Settle;
    return;
  }
  if (stage_ == Stage::Making) return await_making();
  settle();
  std::vector<net::Endpoint> busy;
  for (const Outcome& outcome : outcomes_) {
    if (outcome.obstacle.busy) busy.push_back(*outcome.obstacle.busy);
  }
  stage_ = busy.empty() ? Stage::Making : Stage::Owners;
  if (busy.empty()) return;
  owners_ = std::make_unique<net::PortOwnerSearch>(busy);
  owners_deadline_ = context_.loop.clock().monotonic() + kOwnersLimit;
}

void Transition::await_making() {
  bool has_failed = false;
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    const auto& ready = outcomes_[i].ready;
    if (!ready || ready->fresh == nullptr) continue;
    is_waiting_ = is_waiting_ || ready->fresh->is_making();
    const std::string why = ready->fresh->failure();
    if (why.empty()) continue;
    fail(i, {why, false, {}, {}, {}});
    has_failed = true;
  }
  if (has_failed) settle();
  if (!is_waiting_) stage_ = Stage::Done;
}

const std::vector<net::Endpoint>& Transition::held_by(const std::string& id) const {
  static const std::vector<net::Endpoint> kNothing;
  const auto held = held_.find(id);
  return held == held_.end() ? kNothing : held->second;
}

void Transition::prepare(std::size_t action) {
  const Action& wanted = plan_[action];
  if (!needs_preparing(wanted)) return;
  Outcome& outcome = outcomes_[action];
  const auto current = current_.find(wanted.id);
  auto ready = make_ready(
      context_, sockets_, make_,
      {wanted.id, held_by(wanted.id), current == current_.end() ? nullptr : current->second},
      wanted.loaded->definition, wanted.loaded->resolution,
      [this](const net::Endpoint& endpoint, const std::string& user) { return is_leaving(endpoint, user); },
      outcome.borrowed);
  if (!ready) return fail(action, std::move(ready.error()));
  outcome.ready = std::move(*ready);
}

void Transition::fail(std::size_t action, Obstacle obstacle) {
  const std::string& id = plan_[action].id;
  Outcome& outcome = outcomes_[action];
  if (outcome.ready) sockets_.give_back(id, held_by(id));
  outcome.ready.reset();
  outcome.borrowed.clear();
  outcome.obstacle = std::move(obstacle);
  keeps(id, held_by(id));
}

void Transition::settle() {
  for (bool settled = false; !settled;) {
    settled = true;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const auto& borrowed = outcomes_[i].borrowed;
      const auto lost = std::find_if(borrowed.begin(), borrowed.end(), [&](const auto& loan) {
        return sockets_.user(loan.first) == loan.second && !is_leaving(loan.first, loan.second);
      });
      if (lost == borrowed.end()) continue;
      fail(i, {used_by(lost->first, lost->second).text(), true, {}, {}, lost->second});
      settled = false;
    }
  }
}

void Transition::name_owners() {
  for (Outcome& outcome : outcomes_) {
    if (outcome.obstacle.busy) outcome.obstacle.owner = owners_->owner(*outcome.obstacle.busy);
  }
  owners_.reset();
}

tl::expected<Ready, Obstacle> Transition::take(std::size_t action) {
  Outcome& outcome = outcomes_[action];
  if (!outcome.ready) return tl::unexpected(std::move(outcome.obstacle));
  return std::move(*outcome.ready);
}

}  // namespace xsd::manager
