// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/worker.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "xsd/base/log.h"
#include "xsd/base/shared_memory.h"
#include "xsd/base/text.h"
#include "xsd/base/wire.h"
#include "xsd/config/definition_wire.h"
#include "xsd/plugin/library.h"
#include "xsd/plugin/registry.h"
#include "xsd/process/channel.h"
#include "xsd/process/descriptor_reserve.h"
#include "xsd/process/sandbox.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/service/address_files.h"
#include "xsd/service/context.h"
#include "xsd/service/plugin_requests.h"
#include "xsd/service/plugin_service.h"
#include "xsd/service/sender_names.h"
#include "xsd/worker/page.h"
#include "xsd/worker/protocol.h"
#include "xsd/worker/watchdog.h"

namespace xsd::worker {
namespace {

constexpr int kExitInOrder = 0;
constexpr int kExitFailed = 1;
constexpr Duration kLogRetry = std::chrono::milliseconds(100);
constexpr std::size_t kLargestDefinitions = std::size_t{256} * 1024 * 1024;

class Worker final : public service::PluginRequests {
 public:
  Worker(Hello hello, SharedPage page, const plugin::PluginEntry* plugin,
         std::unique_ptr<reactor::EventLoop> loop)
      : hello_(std::move(hello)),
        page_(std::move(page)),
        plugin_(plugin),
        loop_(std::move(loop)),
        context_(*loop_, process::Inheritance::capture()),
        sender_names_(context_.hash_seed,
                      [this](const net::SocketAddress& peer) {
                        (void)tell(AskNames{peer});
                        return inquirer::Asked();
                      }),
        log_retry_(*loop_, [this] {
          if (!log::flush_backlog()) log_retry_.arm(kLogRetry);
        }) {
    log::on_backlog([this] { log_retry_.arm(kLogRetry); });
    context_.last_connection = hello_.first_connection;
    context_.sockets_come_prepared = true;
    context_.plugin_requests = this;
    context_.address_files = &files_;
    context_.sender_names = &sender_names_;
    context_.busy_with = &this->page().busy_with;
  }

  /// Serves until the master is gone or wants no more.
  int run(UniqueFd channel, const Status& ready);

  int hand_over(service::ManagedService& service, plugin::HandOver request) override;
  int start_program(service::ManagedService& service, plugin::ProgramStart request) override;
  void drop_program(service::ManagedService& service, std::uint64_t id) override;
  MakeMetric metric_maker(const service::ManagedService& service) override;

 private:
  struct Slot {
    std::unique_ptr<service::PluginService> service;
    std::uint32_t cell = 0;
    std::vector<std::unique_ptr<net::BoundSocket>> sockets;
  };
  using Fds = std::vector<UniqueFd>;

  void on_message(std::string_view message, Fds fds);
  void obey(const Hello& /*command*/, std::span<UniqueFd> /*fds*/) { stop("a second greeting"); }
  void obey(const Definitions& command, std::span<UniqueFd> fds);
  void obey(const Deal& command, std::span<UniqueFd> fds);
  void obey(const Sockets& command, std::span<UniqueFd> fds);
  void obey(const ListenOn& command, std::span<UniqueFd> fds);
  void obey(const Drain& command, std::span<UniqueFd> fds);
  void obey(const Terminate& command, std::span<UniqueFd> fds);
  void obey(const Kill& command, std::span<UniqueFd> fds);
  void obey(const ProgramEnded& command, std::span<UniqueFd> fds);
  void obey(const Fence& command, std::span<UniqueFd> fds);
  void obey(const UdpPorts& command, std::span<UniqueFd> fds);
  void obey(const LogSettings& command, std::span<UniqueFd> fds);
  void obey(const Banned& command, std::span<UniqueFd> fds);
  void obey(const Unbanned& command, std::span<UniqueFd> fds);
  void obey(const LentFile& command, std::span<UniqueFd> fds);
  void obey(const NamesOf& command, std::span<UniqueFd> fds);

  void define(const DefinitionEntry& entry);
  Status make(const DefinitionEntry& entry, service::Prepared prepared);
  Slot* find(ServiceNumber number);
  void end_when_idle(ServiceNumber number);
  void forget(ServiceNumber number);
  std::uint64_t* make_metric(ServiceNumber number, std::string_view name) noexcept;
  void free_metrics(ServiceNumber number) noexcept;
  /// 0, or a negative errno if the command is too long for a message.
  int tell(const FromWorker& command, UniqueFd fd = {});
  void tell_now();
  void tell_taken(const std::vector<ToWorker>& commands);
  void stop(const char* why);
  WorkerPage& page() noexcept { return *static_cast<WorkerPage*>(page_.data()); }

  const Hello hello_;
  const process::DescriptorReserve reserve_;
  SharedPage page_;
  const plugin::PluginEntry* plugin_;  ///< that was loaded; nullptr: the built-in ones
  std::unique_ptr<reactor::EventLoop> loop_;
  service::ServiceContext context_;
  service::LentAddressFiles files_;
  service::SenderNames sender_names_;
  reactor::Timer log_retry_;
  std::unique_ptr<process::Channel> channel_;
  std::unordered_map<ServiceNumber, Slot> slots_;
  config::ClientFiles last_files_;  ///< of a definition
  std::string outgoing_;            ///< what is told at the end of this turn
  Fds outgoing_fds_;
  bool tells_ = false;
  int status_ = kExitInOrder;
};

int Worker::run(UniqueFd channel, const Status& ready) {
  auto made = process::Channel::create(
      *loop_, std::move(channel),
      {.on_message = [this](std::string_view message, Fds fds) { on_message(message, std::move(fds)); },
       .on_end = [this](const std::string&) { loop_->stop(); },
       .reserve = &reserve_});
  if (!made) return kExitFailed;
  channel_ = std::move(*made);
  (void)tell(Up{ready ? std::string() : ready.error().text()});
  if (!ready) {
    tell_now();
    return kExitFailed;
  }
  Watchdog::start(*loop_, page().hung);
  loop_->run();
  slots_.clear();
  log::flush();
  return status_;
}

void Worker::stop(const char* why) {
  log::error("worker {}: {}; ending", hello_.title, why);
  status_ = kExitFailed;
  loop_->stop();
}

void Worker::on_message(std::string_view message, Fds fds) {
  const auto commands = decode_to_worker(message);
  if (!commands) return stop("a message of the master makes no sense");
  tell_taken(*commands);
  std::span<UniqueFd> left(fds);
  for (const ToWorker& command : *commands) {
    const std::size_t count = std::min(descriptors_of(command), left.size());
    // There may have been no room for them, not even in the reserve; a connection that is dealt is refused
    // then.
    if (count < descriptors_of(command) && !std::holds_alternative<Deal>(command))
      return stop("a message of the master lacks descriptors");
    std::visit([&](const auto& one) { obey(one, left.first(count)); }, command);
    left = left.subspan(count);
  }
}

// At once: a connection that takes the process down must not be dealt to the next one, and one that has only
// waited for us then must.
void Worker::tell_taken(const std::vector<ToWorker>& commands) {
  bool has_taken = false;
  for (const ToWorker& command : commands) {
    const auto* const deal = std::get_if<Deal>(&command);
    if (deal == nullptr || find(deal->service) == nullptr) continue;
    (void)tell(DealTaken{deal->service, deal->connection});
    has_taken = true;
  }
  if (has_taken) tell_now();
}

// ---- what the master says

void Worker::obey(const Definitions& /*command*/, std::span<UniqueFd> fds) {
  const auto memory = read_sealed(fds[0].get(), kLargestDefinitions);
  if (!memory) return stop(memory.error().text().c_str());
  const auto entries = decode_definitions(*memory);
  if (!entries) return stop("the definitions make no sense");
  for (const DefinitionEntry& entry : *entries)
    define(entry);
  files_.tidy();  // only now: what was lent before is for these
}

void Worker::define(const DefinitionEntry& entry) {
  auto wired = config::decode_definition(entry.definition, last_files_);
  if (!wired || entry.cell >= kMaxCells) return stop("a definition makes no sense");
  if (const auto* const files = wired->resolution->files.find()) last_files_ = *files;
  service::Prepared prepared;
  const std::string& name = wired->definition->plugin;
  prepared.plugin = plugin_ != nullptr && plugin_->name == name ? plugin_ : plugin::find_plugin(name);
  prepared.definition = std::move(wired->definition);
  prepared.resolution = std::move(wired->resolution);
  prepared.number = entry.service;
  if (Slot* const slot = find(entry.service)) {
    slot->service->apply(std::move(prepared));
    (void)tell(Answer{entry.service, {}});
    return;
  }
  const Status made = make(entry, std::move(prepared));
  (void)tell(Answer{entry.service, made ? std::string() : made.error().text()});
  if (made) return;
  free_metrics(entry.service);
  (void)tell(Ended{entry.service});
}

Status Worker::make(const DefinitionEntry& entry, service::Prepared prepared) {
  if (prepared.plugin == nullptr) return Error("the worker has no such plugin");
  auto made = service::PluginService::create(context_, std::move(prepared));
  if (!made) return std::move(made.error());
  (*made)->on_connection_end([this, number = entry.service](std::uint64_t id) {
    if (id < hello_.first_connection) (void)tell(DealEnded{number, id});
  });
  page().cells[entry.cell] = {};
  (*made)->count_in(page().cells[entry.cell]);
  slots_[entry.service] = {std::move(*made), entry.cell, {}};
  return {};
}

Worker::Slot* Worker::find(ServiceNumber number) {
  const auto found = slots_.find(number);
  return found == slots_.end() ? nullptr : &found->second;
}

// A service that is not there any more has ended while the command was on its way.
void Worker::obey(const Deal& command, std::span<UniqueFd> fds) {
  Slot* const slot = find(command.service);
  if (slot == nullptr) return;
  UniqueFd socket = fds.empty() ? UniqueFd() : std::move(fds[0]);
  if (socket && reserve_.holds(socket.get())) socket.reset();
  if (!slot->service->take(std::move(socket), command.connection, command.remote, command.local,
                           command.user))
    (void)tell(DealEnded{command.service, command.connection});
}

void Worker::obey(const Sockets& command, std::span<UniqueFd> fds) {
  Slot* const slot = find(command.service);
  if (slot == nullptr) return;
  const auto& endpoints = slot->service->prepared().resolution->endpoints;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const std::uint32_t index = command.endpoints[i];
    if (index >= endpoints.size()) return stop("a socket of no endpoint");
    slot->sockets.push_back(
        std::make_unique<net::BoundSocket>(net::BoundSocket::adopt(endpoints[index], std::move(fds[i]))));
  }
}

void Worker::obey(const ListenOn& command, std::span<UniqueFd> /*fds*/) {
  Slot* const slot = find(command.service);
  if (slot == nullptr) return;
  const auto& endpoints = slot->service->prepared().resolution->endpoints;
  std::unordered_map<net::Endpoint, net::BoundSocket*, net::EndpointHash> have;
  for (const auto& socket : slot->sockets)
    have[socket->endpoint()] = socket.get();  // of two the later one, which has been bound anew
  std::vector<net::BoundSocket*> wanted;
  for (const std::uint32_t index : command.endpoints) {
    if (index >= endpoints.size()) return stop("a socket of no endpoint");
    const auto socket = have.find(endpoints[index]);
    if (socket == have.end()) return stop("a socket that was not sent");
    wanted.push_back(socket->second);
  }
  if (const Status status = slot->service->listen_on(wanted); !status) {
    (void)tell(Answer{command.service, status.error().text()});
    return;
  }
  std::erase_if(slot->sockets, [&](const auto& socket) {
    return std::find(wanted.begin(), wanted.end(), socket.get()) == wanted.end();
  });
}

void Worker::obey(const Drain& command, std::span<UniqueFd> /*fds*/) {
  Slot* const slot = find(command.service);
  if (slot == nullptr) return;
  slot->service->drain();
  end_when_idle(command.service);
}

void Worker::obey(const Terminate& command, std::span<UniqueFd> /*fds*/) {
  Slot* const slot = find(command.service);
  if (slot == nullptr) return;
  slot->service->terminate(command.grace, command.close_connections);
  end_when_idle(command.service);
}

void Worker::obey(const Kill& command, std::span<UniqueFd> /*fds*/) {
  Slot* const slot = find(command.service);
  if (slot == nullptr) return;
  slot->service->drain();
  slot->service->kill();
  end_when_idle(command.service);
}

void Worker::end_when_idle(ServiceNumber number) {
  slots_.at(number).sockets.clear();
  slots_.at(number).service->on_idle([this, number] { forget(number); });
}

void Worker::forget(ServiceNumber number) {
  slots_.erase(number);
  free_metrics(number);
  (void)tell(Ended{number});
}

void Worker::obey(const ProgramEnded& command, std::span<UniqueFd> /*fds*/) {
  Slot* const slot = find(command.service);
  if (slot != nullptr)
    slot->service->program_ended(command.connection, command.error, command.exit, command.signal);
}

void Worker::obey(const Fence& command, std::span<UniqueFd> /*fds*/) {
  (void)tell(Fenced{command.serial});
}

void Worker::obey(const UdpPorts& command, std::span<UniqueFd> /*fds*/) {
  context_.own_addresses.set_udp_ports({command.ports.begin(), command.ports.end()});
  context_.own_addresses.refresh();
}

void Worker::obey(const LogSettings& command, std::span<UniqueFd> /*fds*/) {
  WireReader reader(command.log_settings);
  const log::Settings settings = log::get_settings(reader);
  if (!reader.is_complete()) return stop("settings of the log make no sense");
  log::change_settings(settings);
}

void Worker::obey(const Banned& command, std::span<UniqueFd> /*fds*/) {
  (void)context_.bans.add(command.ban, loop_->now());  // over already, or known: then there is nothing to do
}

void Worker::obey(const Unbanned& command, std::span<UniqueFd> /*fds*/) {
  (void)context_.bans.remove(command.source);
}

void Worker::obey(const LentFile& command, std::span<UniqueFd> fds) {
  if (!files_.take(command.path, command.version, fds[0])) stop("a file of addresses makes no sense");
}

void Worker::obey(const NamesOf& command, std::span<UniqueFd> /*fds*/) {
  sender_names_.learn(command.peer, {command.are_known, command.names}, loop_->now());
}

// ---- what it tells

int Worker::tell(const FromWorker& command, UniqueFd fd) {
  std::string one;
  append(one, command);
  if (one.size() > process::kMaxMessage) return -ENOBUFS;
  if (outgoing_.size() + one.size() > process::kMaxMessage || outgoing_fds_.size() == process::kMaxMessageFds)
    tell_now();
  outgoing_ += one;
  if (fd) outgoing_fds_.push_back(std::move(fd));
  if (!std::exchange(tells_, true)) loop_->defer([this] { tell_now(); });
  return 0;
}

void Worker::tell_now() {
  tells_ = false;
  if (outgoing_.empty()) return;
  std::vector<int> fds;
  for (const UniqueFd& fd : outgoing_fds_)
    fds.push_back(fd.get());
  channel_->send(outgoing_, fds);
  outgoing_.clear();
  outgoing_fds_.clear();
}

// ---- what plugins ask

int Worker::hand_over(service::ManagedService& service, plugin::HandOver request) {
  return tell(HandOver{service.prepared().number, request.id, request.remote, request.local, request.service},
              std::move(request.socket));
}

int Worker::start_program(service::ManagedService& service, plugin::ProgramStart request) {
  return tell(StartProgram{service.prepared().number, request.id, request.program,
                           std::move(request.environment), request.directory},
              std::move(request.socket));
}

void Worker::drop_program(service::ManagedService& service, std::uint64_t id) {
  (void)tell(DropProgram{service.prepared().number, id});
}

Worker::MakeMetric Worker::metric_maker(const service::ManagedService& service) {
  return
      [this, number = service.prepared().number](std::string_view name) { return make_metric(number, name); };
}

std::uint64_t* Worker::make_metric(ServiceNumber number, std::string_view name) noexcept {
  auto& owners = page().metric_owners;
  const auto free = std::find(owners.begin(), owners.end(), 0U);
  if (free == owners.end()) return nullptr;
  MetricCell& cell = page().metrics[static_cast<std::size_t>(free - owners.begin())];
  cell = {};
  name.copy(cell.name.data(), cell.name.size() - 1);
  *free = number;
  return &cell.value;
}

void Worker::free_metrics(ServiceNumber number) noexcept {
  std::replace(page().metric_owners.begin(), page().metric_owners.end(), number, ServiceNumber{0});
}

/// What makes the process safe before it does anything for anybody; then the plugin, which runs code when it
/// is loaded.
Status make_ready(const Hello& hello, std::vector<UniqueFd>& fds, const plugin::PluginEntry*& plugin) {
  WireReader reader(hello.log_settings);
  const log::Settings settings = log::get_settings(reader);
  if (!reader.is_complete()) return Error("settings of the log make no sense");
  if (hello.has_log) {
    log::open_channel(raise_fd(std::move(fds[1])), settings);
  } else {
    log::change_settings(settings);
  }
  if (Status safe = process::enter_sandbox({.files = hello.needs_files, .network = hello.needs_network});
      !safe)
    return safe;
  if (hello.plugin.empty()) return {};
  const UniqueFd library = raise_fd(std::move(fds.back()));
  auto loaded = plugin::load_library(hello.plugin, hello.library_path, library.get());
  if (!loaded) return std::move(loaded.error()).within("plugin " + quoted(hello.plugin));
  plugin = *loaded;
  return {};
}

}  // namespace

int run_worker(UniqueFd channel) {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP})
    sigdelset(&all, fault);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  update_fd_floor();

  auto first = process::receive_first_message(channel.get());
  if (!first) return kExitInOrder;  // the master has gone, or changed its mind
  auto commands = decode_to_worker(first->bytes);
  Hello* const hello = commands && commands->size() == 1 ? std::get_if<Hello>(commands->data()) : nullptr;
  if (hello == nullptr || first->fds.size() != descriptors_of(*hello)) return kExitFailed;
  auto page = SharedPage::attach(std::move(first->fds[0]), sizeof(WorkerPage));
  static const SystemClock kClock;
  auto loop = reactor::EventLoop::create(static_cast<reactor::PollerKind>(hello->poller), kClock);
  if (!page || !loop) return kExitFailed;
  const plugin::PluginEntry* plugin = nullptr;
  const Status ready = make_ready(*hello, first->fds, plugin);
  Worker worker(*hello, std::move(*page), plugin, std::move(*loop));
  return worker.run(std::move(channel), ready);
}

}  // namespace xsd::worker
