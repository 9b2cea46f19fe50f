// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/remote_service.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/config/definition_wire.h"
#include "xsd/service/address_files.h"
#include "xsd/service/plugin_service.h"

namespace xsd::manager {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);

std::string encode(const service::Prepared& prepared) {
  return config::encode_definition(*prepared.definition, *prepared.resolution);
}

}  // namespace

RemoteService::RemoteService(service::ServiceContext& context, RequestHandler& requests, WorkerHost& host,
                             service::Prepared prepared, Events events)
    : ManagedService(std::move(prepared)),
      requests_(requests),
      host_(host),
      events_(std::move(events)),
      number_(host.join(*this)),
      patience_(context.loop, [this] { lose_patience(); }),
      teller_(context.loop, [this] { tell(); }) {
  patience_.arm(kPatience);
  define(encode(prepared_));
}

RemoteService::~RemoteService() {
  requests_.programs().drop_all(*this);
  host_.leave(number_);
}

void RemoteService::define(const std::string& definition) {
  ++unanswered_;
  is_told_of_sockets_ = false;  // it counts them by their place in the definition
  if (reads_datagrams()) host_.support(*this->definition().clients);
  host_.define(number_, definition);
}

bool RemoteService::reads_file(const std::string& path) const {
  bool reads = false;
  if (!reads_datagrams()) return reads;
  service::for_each_file(*definition().clients, [&](policy::AccessListKind, const std::string& named) {
    reads = reads || named == path;
  });
  return reads;
}

bool RemoteService::can_become(const service::Prepared& next) const noexcept {
  return state_ != State::Failed && ManagedService::can_become(next);
}

void RemoteService::apply(service::Prepared next) {
  const bool same_options =
      definition().backlog == next.definition->backlog && definition().flags == next.definition->flags;
  const std::string text = encode(next);
  const bool is_news = text != encode(prepared_);
  prepared_ = std::move(next);
  if (is_news) define(text);
  if (same_options) return;
  for (net::BoundSocket* const socket : sockets_) {
    (void)socket->set_backlog(definition().backlog);  // it listens
    // What cannot be set now could not be set when the socket was made, and failed the service then.
    (void)service::prepare_plugin_socket(definition(), *socket);
  }
}

Status RemoteService::listen_on(const std::vector<net::BoundSocket*>& sockets) {
  std::vector<net::BoundSocket*> added;
  for (net::BoundSocket* const socket : sockets) {
    if (std::find(sockets_.begin(), sockets_.end(), socket) != sockets_.end()) continue;
    if (Status status = service::prepare_plugin_socket(definition(), *socket); !status) return status;
    added.push_back(socket);
  }
  if (is_told_of_sockets_ && sockets == sockets_) return {};
  sockets_ = sockets;
  send_sockets(added);
  return {};
}

void RemoteService::send_sockets(const std::vector<net::BoundSocket*>& sockets) {
  for (std::size_t begin = 0; begin < sockets.size(); begin += process::kMaxMessageFds) {
    const std::size_t end = std::min(begin + process::kMaxMessageFds, sockets.size());
    worker::Sockets command{number_, {}};
    std::vector<int> fds;
    for (std::size_t i = begin; i < end; ++i) {
      command.endpoints.push_back(index_of(*sockets[i]));
      fds.push_back(sockets[i]->fd());
    }
    host_.say(command, std::move(fds));
  }
  worker::ListenOn command{number_, {}};
  for (const net::BoundSocket* const socket : sockets_)
    command.endpoints.push_back(index_of(*socket));
  host_.say(command);
  is_told_of_sockets_ = true;
}

std::uint32_t RemoteService::index_of(const net::BoundSocket& socket) const noexcept {
  const auto& endpoints = prepared_.resolution->endpoints;
  const auto found = std::find(endpoints.begin(), endpoints.end(), socket.endpoint());
  return static_cast<std::uint32_t>(found - endpoints.begin());
}

// ---- deals

void RemoteService::deal(Dealt dealt) {
  host_.say(worker::Deal{number_, dealt.id, dealt.remote, dealt.local, dealt.user}, {dealt.socket.get()});
  untaken_.push_back(std::move(dealt));
}

bool RemoteService::take_deal(std::uint64_t id) {
  if (untaken_.empty() || untaken_.front().id != id) return false;
  untaken_.pop_front();
  taken_.insert(id);
  return true;
}

bool RemoteService::end_deal(std::uint64_t id) {
  if (taken_.erase(id) == 0) return false;
  if (events_.on_deal_over) events_.on_deal_over(id);
  on_change();
  return true;
}

void RemoteService::on_change() {
  if (events_.on_change) events_.on_change();
}

// ---- the end

void RemoteService::drain() {
  terminate(Duration::zero(), false);
}

void RemoteService::terminate(Duration grace, bool close_connections) {
  if (close_connections || grace > Duration::zero())
    return end(worker::Terminate{number_, grace, close_connections}, grace + kPatience);
  end(worker::Drain{number_});
}

void RemoteService::kill() {
  end(worker::Kill{number_}, kPatience);
}

void RemoteService::end(const worker::ToWorker& command, std::optional<Duration> limit) {
  sockets_.clear();
  patience_.cancel();
  state_ = State::Ending;
  if (ended_ || !host_.is_running()) return become_idle();
  host_.say(command);
  if (limit) patience_.arm(*limit);
}

void RemoteService::lose_patience() {
  if (state_ == State::Ending) return host_.distrust("does not end " + name());
  fail("no answer from its worker within " + format_duration(kPatience));
}

void RemoteService::on_idle(std::function<void()> handler) {
  on_idle_ = std::move(handler);
  if (ended_) teller_.arm(Duration::zero());
}

void RemoteService::become_idle() {
  patience_.cancel();
  ended_ = true;
  teller_.arm(Duration::zero());
}

void RemoteService::tell() {
  if (state_ == State::Ending) {
    if (ended_ && on_idle_) std::exchange(on_idle_, nullptr)();
    return;
  }
  if (state_ == State::Failed && sockets_.empty()) return events_.on_made();
  if (state_ == State::Failed) return events_.on_failed(*this, failure_);
  events_.on_made();
}

// ---- what its worker does

void RemoteService::on_answer(const std::string& error) {
  if (unanswered_ > 0) --unanswered_;
  on_change();
  if (state_ == State::Ending || state_ == State::Failed) return;
  if (!error.empty()) return fail(error);
  patience_.cancel();
  if (state_ != State::Making) return;
  state_ = State::Working;
  on_change();
  teller_.arm(Duration::zero());
}

void RemoteService::on_ended() {
  before_ += host_.counters(number_);
  ended_ = true;
  end_deals();
  if (state_ == State::Ending) become_idle();
}

void RemoteService::on_lost(const service::Counters& counted) {
  before_ += counted;
  add_metrics(metrics_before_);
  requests_.programs().drop_all(*this);
  end_deals();
  if (state_ == State::Ending) become_idle();
}

void RemoteService::end_deals() {
  for (const std::uint64_t id : std::exchange(taken_, {}))
    if (events_.on_deal_over) events_.on_deal_over(id);
  if (!untaken_.empty()) events_.on_returned(std::exchange(untaken_, {}));
  on_change();
}

void RemoteService::begin_again() {
  if (state_ == State::Ending || state_ == State::Failed) return;
  unanswered_ = 0;
  define(encode(prepared_));
  if (state_ == State::Making) return;
  patience_.arm(kPatience);
  send_sockets(sockets_);
}

void RemoteService::fail(std::string why) {
  if (state_ == State::Ending || state_ == State::Failed) return;
  state_ = State::Failed;
  patience_.cancel();
  failure_ = std::move(why);
  teller_.arm(Duration::zero());
}

// ---- what its plugin asks

bool RemoteService::hand_over(plugin::HandOver request) {
  const int error = service::check_hand_over(definition(), request.service);
  if (error != 0) return unanswered_ > 0;
  (void)requests_.hand_over(*this, std::move(request));  // what becomes of it is recorded
  return true;
}

bool RemoteService::start_program(plugin::ProgramStart request) {
  const int error = service::check_program_start(definition(), request);
  if (error == -ENOENT && unanswered_ > 0) {
    program_ended(request.id, error, 0, 0);
    return true;
  }
  if (error != 0) return false;
  return requests_.start_program(*this, std::move(request)) == 0;
}

void RemoteService::drop_program(std::uint64_t id) {
  requests_.drop_program(*this, id);
}

void RemoteService::program_ended(std::uint64_t id, int error, int exit_status, int signal) {
  host_.say(worker::ProgramEnded{number_, id, error, exit_status, signal});
}

// ---- status

void RemoteService::add_metrics(std::map<std::string, std::uint64_t>& sum) const {
  for (const auto& [name, value] : host_.metrics(number_)) {
    // The worker is not trusted: it cannot fill our memory with names.
    if (sum.size() < plugin::kMaxMetrics || sum.contains(name)) sum[name] += value;
  }
}

std::vector<std::pair<std::string, std::uint64_t>> RemoteService::metrics() const {
  std::map<std::string, std::uint64_t> sum = metrics_before_;
  if (host_.is_running() && !ended_) add_metrics(sum);
  return {sum.begin(), sum.end()};
}

std::string RemoteService::pause_reason() const {
  if (std::string why = host_.why_absent(); !why.empty()) return why;
  const bool is_paused = host_.is_running() && !ended_ && host_.counters(number_).paused != 0;
  return is_paused ? "more connections within a second than 'cps' allows" : "";
}

std::uint64_t RemoteService::active() const noexcept {
  return host_.is_running() && !ended_ ? host_.counters(number_).active : 0;
}

service::Counters RemoteService::counters() const noexcept {
  service::Counters sum = before_;
  if (host_.is_running() && !ended_) {
    const service::Counters now = host_.counters(number_);
    sum += now;
    sum.active = now.active;
  }
  return sum;
}

std::optional<plugin::DatagramCounters> RemoteService::datagrams() const noexcept {
  if (!reads_datagrams()) return std::nullopt;
  return counters().datagrams;
}

}  // namespace xsd::manager
