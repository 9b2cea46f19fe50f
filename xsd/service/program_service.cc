// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/program_service.h"

#include <algorithm>
#include <cerrno>

#include "xsd/base/number.h"
#include "xsd/service/child_program.h"
#include "xsd/service/timed_socket.h"
#include "xsd/service/wait_socket.h"

namespace xsd::service {
namespace {

constexpr Duration kFirstBackOff = std::chrono::seconds(1);
constexpr Duration kLongestBackOff = std::chrono::seconds(60);
constexpr Duration kTemporaryPause = std::chrono::seconds(1);
constexpr Duration kDescriptorPause = std::chrono::milliseconds(250);
constexpr Duration kRoomPause = std::chrono::seconds(1);
constexpr int kMaxAttempts = 5;
constexpr unsigned kUnreadStarts = 3;
// A stream server may serve one client and end, and the next client be there by then. So when it happens
// again and again the kernel is asked who is in the queue; where it does not tell, nobody can know.
constexpr unsigned kSuspiciousStarts = 4;
constexpr unsigned kEmptyWakes = 3;
constexpr Duration kQuickExit = std::chrono::seconds(1);

bool is_lack_of_descriptors(int error) noexcept {
  return error == EMFILE || error == ENFILE;
}

}  // namespace

struct ProgramService::Instance {
  std::shared_ptr<const config::ServiceDefinition> definition;
  std::uint64_t id = 0;
  net::SocketAddress remote;
  net::SocketAddress local;
  MonotonicTime started;
  Listener* waiting_listener = nullptr;  ///< of a `wait` service: the listener whose socket it has
  std::optional<QueueHead> head;         ///< of a datagram `wait` service: what it was started for
  unsigned clients = 0;              ///< of a stream `wait` service: how many were in the queue at its start
  std::optional<ClientQueue> queue;  ///< and who, if that is in question and known
  std::unique_ptr<ChildProgram> child;
  std::unique_ptr<TimedSocket> connection;  ///< if the definition has a use for it
};

ProgramService::ProgramService(ServiceContext& context, Prepared prepared)
    : Service(context, std::move(prepared)),
      back_off_(context.loop, [this] { on_back_off_over(); }),
      room_(context.loop, [this] { on_room(); }) {}

Result<std::unique_ptr<Service>> ProgramService::create(ServiceContext& context, Prepared prepared) {
  std::unique_ptr<ProgramService> made(new ProgramService(context, std::move(prepared)));
  return made;
}

ProgramService::~ProgramService() {
  listeners_.clear();
}

void ProgramService::apply(Prepared next) {
  Service::apply(std::move(next));
  if (definition().stderr_target != config::StderrTarget::Log && instances_.empty()) stderr_pipe_.reset();
  failures_ = 0;
  unread_starts_ = 0;
  if (back_off_.armed()) back_off_.arm(Duration::zero());
  if (room_.armed()) room_.arm(Duration::zero());
}

Listener::Mode ProgramService::listener_mode(const net::Endpoint& /*endpoint*/) const noexcept {
  return definition().wait ? Listener::Mode::Notify : Listener::Mode::AcceptBlocking;
}

void ProgramService::adopt_listener(Listener& listener) {
  if (back_off_.armed()) listener.suspend();
}

void ProgramService::release_listener(Listener& listener) {
  if (asked_) asked_->erase(&listener);
  for (Instance& instance : instances_) {
    if (instance.waiting_listener != &listener) continue;
    // Its socket changed or went: without TERM it would go on serving the old port for ever.
    (void)take_back(instance);
    instance.child->end(instance.definition->stop_timeout);
  }
}

// An error if there are no descriptors for it now.
Result<int> ProgramService::standard_error() {
  switch (definition().stderr_target) {
    case config::StderrTarget::Socket:
      return -1;
    case config::StderrTarget::Null:
      return STDIN_FILENO;  // of the daemon: /dev/null, open for reading and writing
    case config::StderrTarget::Log:
      break;
  }
  if (!stderr_pipe_) {
    auto pipe = StderrPipe::create(context_.loop, context_.logger, name());
    if (!pipe) {
      if (is_lack_of_descriptors(pipe.error().number())) return std::move(pipe.error());
      log::warning("{}: {}; standard error is thrown away", name(), pipe.error().text());
      return STDIN_FILENO;
    }
    stderr_pipe_ = std::move(*pipe);
  }
  return stderr_pipe_->write_end(prepared_.plan->credentials);
}

void ProgramService::on_connection(Listener& listener, UniqueFd socket, const net::SocketAddress& remote) {
  const std::uint64_t id = ++context_.last_connection;
  const net::SocketAddress local = listener.local_of(socket.get());
  take(std::move(socket), id, remote, local);
}

void ProgramService::take(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                          const net::SocketAddress& local) {
  if (!greet(socket, id, &remote, &local)) return;
  // The rest of a batch, or of the queue of a socket that goes.
  if (refuse_while_backing_off(socket, id, remote, local)) return;
  if (admit(socket, id, remote, local, true)) start_connection(std::move(socket), id, remote, local, 1);
}

void ProgramService::on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                               const net::SocketAddress& local) {
  if (refuse_while_backing_off(socket, id, remote, local)) return;
  start_connection(std::move(socket), id, remote, local, 1);
}

bool ProgramService::refuse_while_backing_off(UniqueFd& socket, std::uint64_t id,
                                              const net::SocketAddress& remote,
                                              const net::SocketAddress& local) {
  if (!back_off_.armed()) return false;
  const auto reason = retry_ ? policy::Reason::Resources : policy::Reason::Spawn;
  refuse(reason, id, &remote, &local, std::move(socket));
  return true;
}

void ProgramService::start_connection(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                                      const net::SocketAddress& local, int attempts) {
  std::unique_ptr<TimedSocket> connection;
  if (keeps_sockets()) {
    if (!find_room(socket, id, &remote, &local)) return;
    connection = std::make_unique<TimedSocket>(context_.loop, socket.get());
  }
  const StartResult result = start(socket.get(), nullptr, id, remote, local);
  const bool keeps = (definition().flags & config::kFlagNoRetry) == 0;
  switch (result) {
    case StartResult::Started:
      if (connection) keep(instances_.back(), std::move(connection), std::move(socket));
      return;
    case StartResult::Failed:
      return release(id);
    case StartResult::NoRoom:
      refuse(policy::Reason::Resources, id, &remote, &local, std::move(socket));
      return;
    case StartResult::NoDescriptors:
      if (keeps) break;
      refuse(policy::Reason::Resources, id, &remote, &local, std::move(socket));
      return;
    case StartResult::Temporary:
      if (keeps && attempts < kMaxAttempts) break;
      refuse(policy::Reason::Spawn, id, &remote, &local, std::move(socket));
      return;
  }
  const int made = result == StartResult::NoDescriptors ? attempts - 1 : attempts;
  retry_.emplace(Retry{raise_fd(std::move(socket)), id, remote, local, made});
}

// Only with these keys: it costs a descriptor, and the client sees no end as long as it is open.
bool ProgramService::keeps_sockets() const noexcept {
  const config::ProgramTimes& times = *definition().times;
  return times.lingering > Duration::zero() || times.start_timeout || definition().idle_timeout;
}

void ProgramService::keep(Instance& instance, std::unique_ptr<TimedSocket> connection, UniqueFd socket) {
  instance.connection = std::move(connection);
  instance.connection->begin(raise_fd(std::move(socket)), *instance.definition,
                             [&instance] { instance.child->time_out(instance.definition->stop_timeout); });
}

void ProgramService::on_input(Listener& listener) {
  const int fd = listener.socket().fd();
  if (is_shut_down(fd)) {  // by somebody that an earlier server has left behind
    if (mend(listener)) on_empty_wake();
    return;
  }
  const bool datagram = listener.endpoint().transport == net::Transport::Datagram;
  const std::optional<QueueHead> head = datagram ? queue_head(fd) : std::nullopt;
  if (datagram && !head) {
    // A checksum error took it away, or an error of an earlier reply was all there was.
    if (!drain_errors(fd) && is_ready(fd)) on_empty_wake();
    return;
  }
  empty_wakes_ = 0;
  if (!is_welcome(listener, head)) return;
  if (!has_room(listener)) return;
  if (head && asks() && !is_vetted(listener, *head)) return;
  const std::uint64_t id = ++context_.last_connection;
  const unsigned clients = datagram ? 0 : queued_clients(fd);
  std::optional<ClientQueue> queue;
  if (!datagram && unread_starts_ >= kSuspiciousStarts) queue = ClientQueue::of(fd);
  const StartResult result = start(fd, &listener, id, {}, listener.endpoint().address);
  if (result == StartResult::NoRoom) {
    warn_once(policy::Reason::Resources, "clients wait: no descriptor is left that select can hold");
    wait_for_room(listener);
  }
  if (result == StartResult::Started) {
    count_pace(true);  // of a `wait` service its starts
    instances_.back().head = head;
    instances_.back().clients = clients;
    instances_.back().queue = std::move(queue);
  }
}

// Whom a `wait` server would be started for.
bool ProgramService::is_welcome(Listener& listener, const std::optional<QueueHead>& head) {
  if (!head) {
    if (wait_until_open()) return false;
    if (!is_overloaded("clients wait")) return true;
    wait_for_room(listener);
    return false;
  }
  const auto bar = find_datagram_bar(head->sender);
  if (!bar) return true;
  drop_sender(listener, head->sender, *bar);
  return false;
}

// Nobody waits for an answer, so this is counted as with a plugin's datagrams, not recorded one by one.
void ProgramService::drop_sender(Listener& listener, const net::SocketAddress& sender,
                                 policy::Reason reason) {
  count_refusal(reason);
  if (reason == policy::Reason::Address || reason == policy::Reason::Libwrap) {
    warn_once(reason, "datagrams from " + sender.host() + " are dropped (" +
                          (reason == policy::Reason::Address ? "only_from, no_access" : "libwrap") + ")");
  }
  drop_head(listener.socket().fd());
}

// The datagram stays where it is, and its listener is not watched, until there is an answer. What is in front
// of the queue then is asked about if it is another one.
bool ProgramService::is_vetted(Listener& listener, const QueueHead& head) {
  if (!asked_) asked_ = std::make_unique<AskedHeads>();
  auto asked = asked_->find(&listener);
  if (asked != asked_->end() && !(asked->second.head == head)) {
    asked_->erase(asked);
    asked = asked_->end();
  }
  if (asked == asked_->end()) {
    asked = asked_->emplace(&listener, AskedHead{head, make_vetting({head.sender, {}, -1}), {}}).first;
    asked->second.outcome =
        asked->second.vetting->begin([this, heard = &listener](const Vetting::Outcome& outcome) {
          asked_->at(heard).outcome = outcome;
          if (!back_off_.armed() && !is_taken(*heard)) heard->resume();
        });
  }
  if (!asked->second.outcome) {
    listener.suspend();
    return false;
  }
  const auto refusal = asked->second.outcome->refusal;
  asked_->erase(asked);
  if (refusal) drop_sender(listener, head.sender, *refusal);
  return !refusal;
}

ProgramService::StartResult ProgramService::start(int socket, Listener* waiting_listener, std::uint64_t id,
                                                  const net::SocketAddress& remote,
                                                  const net::SocketAddress& local) {
  const net::Endpoint* const endpoint = waiting_listener != nullptr ? &waiting_listener->endpoint() : nullptr;
  const policy::ConnectionId id_text(id);
  const Result<int> error_output = standard_error();
  if (!error_output) return lack_descriptors(error_output.error().number());
  if (!can_watch_another(socket)) return StartResult::NoRoom;
  const process::SpawnRequest request{
      .socket = socket,
      .standard_error = *error_output,
      .listening = waiting_listener != nullptr,
      .keeps_tree = definition().times->max_duration.has_value(),
      .transport = endpoint != nullptr ? endpoint->transport : net::Transport::Stream,
      .remote = remote,
      .local = local,
      .connection_id = id_text.text(),
  };
  policy::RecordSubject subject{
      .service = name(), .connection = id, .from = &remote, .to = &local, .user = user_of(id)};
  auto spawned = context_.spawner.spawn(*prepared_.plan, request);
  if (!spawned) {
    const std::string text = spawned.error().text(*prepared_.plan);
    if (is_lack_of_descriptors(spawned.error().error)) return lack_descriptors(spawned.error().error);
    if (spawned.error().temporary()) {
      warn_once(policy::Reason::Spawn,
                "cannot start: " + text + "; trying again every " + format_duration(kTemporaryPause));
      pause(kTemporaryPause, "cannot start: " + text);
      return StartResult::Temporary;
    }
    context_.records.end(definition(), subject, {.error = text});
    back_off("cannot start: " + text);
    return StartResult::Failed;
  }
  const InstanceRef instance = instances_.emplace(instances_.end());
  instance->definition = prepared_.definition;
  instance->id = id;
  instance->remote = remote;
  instance->local = local;
  instance->started = context_.loop.now();
  const pid_t pid = spawned->pid;
  instance->child = std::make_unique<ChildProgram>(
      context_, ChildProgram::Events{
                    .on_exit = [this, instance](const reactor::ChildExit& exit) { on_exit(*instance, exit); },
                    .on_gone = [this, instance] { forget(instance); }});
  if (const Status watched = instance->child->watch(std::move(*spawned), definition()); !watched) {
    const std::string text = watched.error().text();
    context_.records.end(definition(), subject, {.error = text});
    back_off(text);
    return StartResult::Failed;
  }
  instance->waiting_listener = waiting_listener;
  ++counters_->started;
  context_.gate.passed();
  if (waiting_listener == nullptr) failures_ = 0;  // whether a `wait` server is well is seen when it ends
  subject.pid = pid;
  context_.records.start(definition(), subject);
  if (waiting_listener != nullptr) {
    waiting_listener->suspend();
    if (context_.on_lent) context_.on_lent(waiting_listener->endpoint());
  }
  return StartResult::Started;
}

Listener* ProgramService::take_back(Instance& instance) {
  Listener* const listener = std::exchange(instance.waiting_listener, nullptr);
  if (listener != nullptr && context_.on_returned) context_.on_returned(listener->endpoint());
  return listener;
}

void ProgramService::on_exit(Instance& instance, const reactor::ChildExit& exit) {
  policy::RecordOutcome outcome{.duration = context_.loop.now() - instance.started};
  (exit.signalled ? outcome.signal : outcome.exit) = exit.code;
  if (instance.child->timed_out()) outcome.reason = policy::Reason::Timeout;
  if (exit.code >= 0) outcome.cpu = exit.usage.cpu;
  outcome.peak_kib = exit.usage.peak_kib;
  outcome.for_memory = exit.for_memory;
  if (exit.for_memory) log::warning("{}: the program {} was killed for want of memory", name(), exit.pid);
  context_.records.end(*instance.definition,
                       {.service = instance.definition->id,
                        .connection = instance.id,
                        .from = &instance.remote,
                        .to = &instance.local,
                        .pid = exit.pid,
                        .user = user_of(instance.id)},
                       outcome);
  if (instance.connection) end_connection(instance);
  if (instance.waiting_listener != nullptr) on_wait_exit(instance, exit);
}

void ProgramService::end_connection(Instance& instance) {
  UniqueFd socket = std::exchange(instance.connection, nullptr)->end();
  const Duration lingering = instance.definition->times->lingering;
  if (lingering > Duration::zero()) context_.drained_close.add(std::move(socket), lingering);
}

// The socket is ours to watch again.
void ProgramService::on_wait_exit(Instance& instance, const reactor::ChildExit& exit) {
  Listener& listener = *take_back(instance);
  judge(instance, listener.socket().fd(), exit.signalled || exit.code != 0);
  if (!mend(listener) || back_off_.armed()) return;
  if (room_.armed()) on_room(&listener);  // those that have waited come first
  listener.resume();
}

// Whoever had the socket may have made it useless for others. False if it still is: the service pauses.
bool ProgramService::mend(Listener& listener) {
  net::BoundSocket& socket = listener.socket();
  const std::string place = socket.endpoint().to_string();
  const bool open = undo_connect(socket);
  if (open && listener.is_watched() && !is_shut_down(socket.fd())) return true;
  (void)socket.set_backlog(definition().backlog);  // TCP listens again; what does not is seen below
  if (!open || !listener.is_watched() || is_shut_down(socket.fd())) {
    const Status status = listener.reopen(definition().backlog);
    if (!status) {
      back_off("the program has shut " + place + " down: " + status.error().text());
      return false;
    }
    (void)prepare_socket(socket);  // as in apply()
  }
  log::warning("{}: the program has shut {} down; it is open again", name(), place);
  return true;
}

// A socket that is ready all the time, whatever is done with it, would wake us without end.
void ProgramService::on_empty_wake() {
  if (++empty_wakes_ < kEmptyWakes) return;
  empty_wakes_ = 0;
  back_off("the socket is ready but there is nothing in it");
}

// A `wait` server that fails at once, or leaves what it was started for, would be started again without end.
void ProgramService::judge(const Instance& instance, int socket, bool failed) {
  const bool quick = context_.loop.now() - instance.started < kQuickExit;
  if (instance.head) {
    if (queue_head(socket) == instance.head) {
      ++unread_starts_;
      if (unread_starts_ >= kUnreadStarts) {
        drop_head(socket);
        log::warning("{}: {} starts left a datagram from {} unread; it is dropped", name(), unread_starts_,
                     instance.head->sender.to_string());
        unread_starts_ = 0;
      }
      back_off("the program ended without reading its datagram");
      return;
    }
  } else if (failed && quick) {
    back_off("the program ended at once");
    return;
  } else if (const unsigned clients = quick ? queued_clients(socket) : 0;
             clients > 0 && clients >= instance.clients) {
    const auto queue = instance.queue ? ClientQueue::of(socket) : std::nullopt;
    if (queue && !queue->has_moved_since(*instance.queue)) {
      back_off("the program ended without serving its clients");
      return;
    }
    if (!queue) {
      unread_starts_ = std::min(unread_starts_ + 1, kSuspiciousStarts);
      return;
    }
  }
  unread_starts_ = 0;
  failures_ = 0;
}

bool ProgramService::has_room(Listener& listener) {
  if (!find_limit(true, "clients wait")) return true;
  wait_for_room(listener);
  return false;
}

void ProgramService::wait_for_room(Listener& listener) {
  listener.suspend();
  room_.arm(kRoomPause);
}

void ProgramService::on_room(const Listener* but) {
  room_.cancel();
  if (back_off_.armed()) return;
  for (const auto& listener : listeners_) {
    if (listener.get() != but && !is_taken(*listener)) listener->resume();
  }
}

// For want of descriptors nobody in this process gets far; who tries, and when, is the same for all.
ProgramService::StartResult ProgramService::lack_descriptors(int error) {
  context_.gate.shut(name(), error);
  pause(kDescriptorPause, "cannot start: " + errno_text(error));
  return StartResult::NoDescriptors;
}

void ProgramService::back_off(std::string why) {
  const auto time = std::min<Duration>(kLongestBackOff, kFirstBackOff * (1LL << std::min(failures_, 6U)));
  ++failures_;
  log::error("{}: {}; pausing {}", name(), why, format_duration(time));
  pause(time, std::move(why));
}

void ProgramService::pause(Duration time, std::string why) {
  pause_reason_ = std::move(why);
  for (const auto& listener : listeners_)
    listener->suspend();
  back_off_.arm(time);
}

void ProgramService::on_back_off_over() {
  if (context_.gate.is_shut()) {
    back_off_.arm(kDescriptorPause);
    return;
  }
  pause_reason_.clear();
  if (retry_) {
    Retry retry = std::move(*retry_);
    retry_.reset();
    start_connection(std::move(retry.socket), retry.id, retry.remote, retry.local, retry.attempts + 1);
    check_idle();  // it may have been the last that a service on its way out had
    if (back_off_.armed()) return;
  }
  for (const auto& listener : listeners_) {
    if (is_taken(*listener)) continue;
    if (definition().wait && !mend(*listener)) return;
    listener->resume();
  }
}

bool ProgramService::is_taken(const Listener& listener) const noexcept {
  return std::any_of(instances_.begin(), instances_.end(),
                     [&](const Instance& instance) { return instance.waiting_listener == &listener; });
}

void ProgramService::forget(InstanceRef instance) {
  release(instance->id);
  instances_.erase(instance);
  if (room_.armed()) on_room();
  check_idle();
}

void ProgramService::give_up_retry() {
  if (retry_) {
    refuse(policy::Reason::Draining, retry_->id, &retry_->remote, &retry_->local, std::move(retry_->socket));
  }
  retry_.reset();
  back_off_.cancel();
}

void ProgramService::terminate(Duration grace, bool /*close_connections*/) {
  give_up_retry();
  give_up_newcomers();
  for (Instance& instance : instances_) {
    (void)take_back(instance);
    instance.child->end(grace);
  }
  drain();
}

void ProgramService::leave() {
  give_up_retry();
  give_up_newcomers();
  for (Instance& instance : instances_) {
    Listener* const listener = std::exchange(instance.waiting_listener, nullptr);
    if (listener != nullptr) listener->socket().leave_file();
  }
  drain();
}

void ProgramService::kill() {
  terminate(Duration::zero(), true);
  for (auto instance = instances_.begin(); instance != instances_.end();) {
    const auto next = std::next(instance);
    instance->child->kill();
    instance = next;
  }
}

}  // namespace xsd::service
