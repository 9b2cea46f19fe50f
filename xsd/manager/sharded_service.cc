// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/sharded_service.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "xsd/base/assert.h"
#include "xsd/service/plugin_service.h"

namespace xsd::manager {

ShardedService::ShardedService(service::ServiceContext& context, RequestHandler& requests,
                               const std::vector<WorkerHost*>& hosts, const service::Prepared& prepared,
                               RemoteService::Events events)
    : Service(context, prepared), requests_(requests), events_(std::move(events)) {
  for (WorkerHost* const host : hosts) {
    shards_.push_back(std::make_unique<RemoteService>(
        context, requests, *host, prepared,
        RemoteService::Events{.on_made = [this] { tell_made(); },
                              .on_failed = [this](ManagedService&, const std::string&) { tell_made(); },
                              .on_deal_over = [this](std::uint64_t id) { release(id); },
                              .on_change =
                                  [this] {
                                    deal_waiting();
                                    check_idle();
                                  },
                              .on_returned =
                                  [this](std::list<Dealt> deals) {
                                    waiting_.splice(waiting_.begin(), deals);  // they have waited longest
                                  }}));
  }
}

ShardedService::~ShardedService() {
  listeners_.clear();
}

// ---- life

bool ShardedService::is_making() const noexcept {
  return failure().empty() &&
         (Service::is_making() ||
          std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->is_making(); }));
}

std::string ShardedService::failure() const {
  if (std::string why = Service::failure(); !why.empty()) return why;
  for (const auto& shard : shards_) {
    if (std::string why = shard->failure(); !why.empty()) return why;
  }
  return {};
}

void ShardedService::tell_made() {
  if (is_making()) return;
  if (!has_sockets_) return events_.on_made();
  if (const std::string why = failure(); !why.empty()) events_.on_failed(*this, why);
}

bool ShardedService::can_become(const service::Prepared& next) const noexcept {
  return failure().empty() && Service::can_become(next);
}

void ShardedService::apply(service::Prepared next) {
  for (const auto& shard : shards_)
    shard->apply(next);
  Service::apply(std::move(next));
}

Status ShardedService::listen_on(const std::vector<net::BoundSocket*>& sockets) {
  std::vector<net::BoundSocket*> streams;
  std::vector<net::BoundSocket*> datagrams;
  for (net::BoundSocket* const socket : sockets)
    (socket->endpoint().transport == net::Transport::Datagram ? datagrams : streams).push_back(socket);
  if (Status status = Service::listen_on(streams); !status) return status;
  has_sockets_ = !sockets.empty();
  // Several shards have none of them: the configuration sees to that.
  return shards_.size() == 1 ? shards_.front()->listen_on(datagrams) : Status();
}

void ShardedService::terminate(Duration grace, bool close_connections) {
  give_up_newcomers();
  drain();
  for (const auto& shard : shards_) {
    if (close_connections) requests_.programs().end_all(*shard, grace);
    shard->terminate(grace, close_connections);
  }
  deal_waiting();
}

void ShardedService::kill() {
  give_up_newcomers();
  drain();
  for (const auto& shard : shards_)
    shard->kill();
  deal_waiting();
}

// ---- connections

service::Listener::Mode ShardedService::listener_mode(const net::Endpoint& /*endpoint*/) const noexcept {
  return service::Listener::Mode::AcceptNonBlocking;
}

Status ShardedService::prepare_socket(net::BoundSocket& socket) {
  return service::prepare_plugin_socket(definition(), socket);
}

void ShardedService::adopt_listener(service::Listener& listener) {
  if (holds_) listener.suspend();
}

void ShardedService::on_input(service::Listener& /*listener*/) {
  XSD_ASSERT(false);  // datagrams are read by the shard
}

void ShardedService::on_connection(service::Listener& listener, UniqueFd socket,
                                   const net::SocketAddress& remote) {
  const std::uint64_t id = ++context_.last_connection;
  const net::SocketAddress local = listener.local_of(socket.get());
  if (!greet(socket, id, &remote, &local)) return;
  if (admit(socket, id, remote, local, false)) on_let_in(std::move(socket), id, remote, local);
}

void ShardedService::on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                               const net::SocketAddress& local) {
  waiting_.push_back({std::move(socket), id, remote, local, std::string(user_of(id))});
  deal_waiting();
}

RemoteService* ShardedService::choose_shard() noexcept {
  RemoteService* best = nullptr;
  const std::size_t first = next_;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const std::size_t index = (first + i) % shards_.size();
    RemoteService& shard = *shards_[index];
    if (!shard.is_ready() || (best != nullptr && shard.deals() >= best->deals())) continue;
    best = &shard;
    next_ = index + 1;
  }
  return best;
}

void ShardedService::deal_waiting() {
  while (!waiting_.empty()) {
    RemoteService* const shard = choose_shard();
    if (shard == nullptr) break;
    shard->deal(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  const bool is_over =
      std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->may_end(); });
  if (is_over) refuse_waiting();
  hold_or_resume();
}

void ShardedService::refuse_waiting() {
  for (Dealt& dealt : std::exchange(waiting_, {}))
    refuse(policy::Reason::Draining, dealt.id, &dealt.remote, &dealt.local, std::move(dealt.socket));
}

void ShardedService::hold_or_resume() {
  const bool holds =
      std::none_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->is_ready(); });
  if (std::exchange(holds_, holds) == holds) return;
  for (const auto& listener : listeners_)
    holds ? listener->suspend() : listener->resume();
}

// ---- status

// While one of them is there the others are not missed.
std::string ShardedService::pause_reason() const {
  for (const auto& shard : shards_) {
    if (shard->pause_reason().empty()) return Service::pause_reason();
  }
  return shards_.front()->pause_reason();
}

std::uint64_t ShardedService::active() const noexcept {
  return std::accumulate(shards_.begin(), shards_.end(), std::uint64_t{waiting_.size() + newcomers()},
                         [](std::uint64_t sum, const auto& shard) { return sum + shard->deals(); });
}

service::Counters ShardedService::counters() const noexcept {
  service::Counters sum = *counters_;
  for (const auto& shard : shards_)
    sum += shard->counters();
  sum.active = active();
  return sum;
}

std::optional<plugin::DatagramCounters> ShardedService::datagrams() const noexcept {
  return shards_.front()->datagrams();
}

std::vector<std::pair<std::string, std::uint64_t>> ShardedService::metrics() const {
  std::map<std::string, std::uint64_t> sum;
  for (const auto& shard : shards_) {
    for (const auto& [name, value] : shard->metrics())
      sum[name] += value;
  }
  return {sum.begin(), sum.end()};
}

}  // namespace xsd::manager
