// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/worker_host.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/manager/remote_service.h"
#include "xsd/process/helper.h"
#include "xsd/service/address_files.h"
#include "xsd/service/sender_names.h"

namespace xsd::manager {
namespace {

constexpr Duration kOldEnough = std::chrono::milliseconds(500);
constexpr Duration kFirstRest = std::chrono::milliseconds(100);
constexpr Duration kLongestRest = std::chrono::seconds(30);
constexpr int kMostEarlyDeaths = 10;
constexpr Duration kLongestStop = std::chrono::seconds(6);
constexpr Duration kLongestParting = std::chrono::seconds(3);
constexpr Duration kLongestEnd = std::chrono::seconds(6);  // a plugin's last work included
// Commands that share a message; a single one may be larger.
constexpr std::size_t kFullMessage = process::kMaxMessage / 2;
// The same of definitions, which bring banners and time zones with them.
constexpr std::size_t kFullDefinitions = std::size_t{16} << 20;
constexpr unsigned kProcessBits = 32;  // of a connection's id: what is counted within a process

std::uint64_t read_number(const std::uint64_t& number) noexcept {
  return *const_cast<const volatile std::uint64_t*>(&number);
}

/// A worker may write there while we read, or anything at all: numbers are numbers.
service::Counters read_cell(const service::Counters& cell) noexcept {
  service::Counters copy;
  static_assert(sizeof copy % sizeof(std::uint64_t) == 0);
  const auto* const from = reinterpret_cast<const volatile std::uint64_t*>(&cell);
  auto* const to = reinterpret_cast<std::uint64_t*>(&copy);
  for (std::size_t i = 0; i < sizeof copy / sizeof(std::uint64_t); ++i)
    to[i] = from[i];
  copy.active = std::min(copy.active, copy.started);
  return copy;
}

std::string read_name(const std::array<char, 32>& name) {
  std::string copy;
  for (const volatile char& letter : name) {
    const char c = letter;
    if (c == '\0') break;
    copy += c;
  }
  return copy;
}

}  // namespace

WorkerPurpose WorkerPurpose::of(const service::Prepared& prepared) {
  const auto& image = prepared.resolution->plugin_image;
  if (image) return {image, image->needs};
  const plugin::PluginEntry* const builtin = plugin::find_plugin(prepared.definition->plugin);
  return {nullptr, builtin != nullptr ? builtin->needs() : 0U};
}

std::string WorkerPurpose::title() const {
  if (image) return image->name;
  return (needs & XSD_NEEDS_NETWORK) != 0 ? "network built-in" : "built-in";
}

WorkerHost::WorkerHost(WorkerSetup& setup, WorkerPurpose purpose, std::string title)
    : setup_(setup),
      purpose_(std::move(purpose)),
      is_shared_(title.empty()),
      title_(is_shared_ ? purpose_.title() : std::move(title)),
      resting_(setup.context.loop, [this] { start(); }),
      flusher_(setup.context.loop, [this] { flush(); }),
      stopped_(setup.context.loop, [this] { distrust("was stopped"); }),
      parting_(setup.context.loop, [this] { distrust(ending_ ? "did not end" : "closed its channel"); }) {}

WorkerHost::~WorkerHost() {
  channel_.reset();  // it ends by itself
}

// ---- services

worker::ServiceNumber WorkerHost::join(RemoteService& service) {
  Member member{&service, next_cell_};
  if (free_cells_.empty()) {
    ++next_cell_;
  } else {
    member.cell = free_cells_.back();
    free_cells_.pop_back();
  }
  const worker::ServiceNumber number = ++setup_.last_number;
  members_.emplace(number, member);
  ++borrowers_;
  return number;
}

void WorkerHost::leave(worker::ServiceNumber number) {
  --borrowers_;
  const auto found = members_.find(number);
  if (found != members_.end()) {
    found->second.service = nullptr;
    if (is_running()) {
      say(worker::Kill{number});
      return flush();  // while what was said before has its descriptors
    }
    free_cells_.push_back(found->second.cell);
    members_.erase(found);
  }
  if (is_empty()) setup_.on_empty();
}

RemoteService* WorkerHost::find(worker::ServiceNumber number) {
  const auto found = members_.find(number);
  if (found == members_.end()) {
    distrust("speaks of a service that it does not have");
    return nullptr;
  }
  return found->second.service;
}

service::Counters WorkerHost::counters(worker::ServiceNumber number) const noexcept {
  const auto found = members_.find(number);
  if (found == members_.end() || page_.data() == nullptr) return {};
  return read_cell(page().cells[found->second.cell]);
}

std::vector<std::pair<std::string, std::uint64_t>> WorkerHost::metrics(worker::ServiceNumber number) const {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  if (page_.data() == nullptr) return found;
  for (std::size_t i = 0; i < worker::kMaxMetricCells; ++i) {
    if (read_number(page().metric_owners[i]) != number) continue;
    const worker::MetricCell& cell = page().metrics[i];
    const std::string name = read_name(cell.name);
    if (plugin::is_metric_name(name)) found.emplace_back(name, read_number(cell.value));
  }
  return found;
}

// ---- what is said

void WorkerHost::define(worker::ServiceNumber number, const std::string& definition) {
  if (!is_running()) {
    if (!resting_.armed()) {
      start();  // who is new hears of all services
    } else if (RemoteService& service = *members_.at(number).service; service.is_making()) {
      if (!last_fault_.empty()) service.fail("its worker cannot be started: " + last_fault_);
    }
    return;
  }
  worker::append_definition(definitions_, {number, members_.at(number).cell, definition});
  if (definitions_.size() > kFullDefinitions) return flush();
  flush_later();
}

void WorkerHost::support(const config::ClientRules& lists) {
  if (!is_running() || !lists.has_names()) return;
  may_ask_names_ = true;
  service::for_each_file(lists, [this](policy::AccessListKind, const std::string& path) { lend(path); });
}

void WorkerHost::lend(const std::string& path) {
  service::AddressFileSource* const files = setup_.context.address_files;
  if (files == nullptr || !files->is_there(path)) return;  // it comes before its service gets sockets
  auto file = files->use(path);
  if (std::find(lent_.begin(), lent_.end(), file) == lent_.end()) lent_.push_back(std::move(file));
  flush_later();
}

void WorkerHost::say(const worker::ToWorker& command, std::vector<int> fds) {
  if (!is_running()) return;
  if (outgoing_fds_.size() + fds.size() > process::kMaxMessageFds || outgoing_.size() > kFullMessage) flush();
  worker::append(outgoing_, command);
  outgoing_fds_.insert(outgoing_fds_.end(), fds.begin(), fds.end());
  flush_later();
}

bool WorkerHost::is_ready() const noexcept {
  return is_running() && !channel_->is_over() && channel_->waiting() == 0 && !stopped_.armed();
}

void WorkerHost::tell_change() {
  for (const auto& [number, member] : members_) {
    if (member.service != nullptr) member.service->on_change();
  }
}

void WorkerHost::forget_unsaid() noexcept {
  lent_.clear();
  definitions_.clear();
  outgoing_.clear();
  outgoing_fds_.clear();
}

void WorkerHost::flush_later() {
  if (!flusher_.armed()) flusher_.arm(Duration::zero());
}

void WorkerHost::flush_files() {
  for (const auto& file : lent_) {
    std::string message;
    worker::append(message, worker::LentFile{file->path, file->version});
    const int fd = file->memory->get();
    channel_->send(message, {&fd, 1});
  }
}

// Files before the services that name them, and definitions before what else was said, which may be about
// services that are new in them.
void WorkerHost::flush() {
  flusher_.cancel();
  if (!is_running()) return;
  flush_files();
  if (!definitions_.empty()) {
    const auto memory = seal_bytes("xsd definitions", std::exchange(definitions_, {}));
    if (!memory) return distrust("cannot be told of services: " + memory.error().text());
    std::string message;
    worker::append(message, worker::Definitions{});
    const int fd = memory->get();
    channel_->send(message, {&fd, 1});
  }
  if (!outgoing_.empty()) channel_->send(outgoing_, outgoing_fds_);
  forget_unsaid();
}

void WorkerHost::set_udp_ports() {
  say(worker::UdpPorts{setup_.udp_ports});
}

void WorkerHost::lend_file(const std::string& path) {
  const bool is_read = std::any_of(members_.begin(), members_.end(), [&](const auto& member) {
    return member.second.service != nullptr && member.second.service->reads_file(path);
  });
  if (is_running() && is_read) lend(path);
}

void WorkerHost::tell_ban(const policy::Ban& ban, const policy::BanChange& change) {
  if (change.removed) say(worker::Unbanned{*change.removed});
  say(worker::Banned{ban});
}

// ---- the process

void WorkerHost::start() {
  if (members_.empty()) return setup_.on_empty();
  const Status started = try_start();
  if (started) {
    last_fault_.clear();
    return;
  }
  rest_ = next_rest();
  if (last_fault_ != started.error().text()) {
    last_fault_ = started.error().text();
    log::error("worker {}: cannot be started: {}; trying again, every {} in the end", title_, last_fault_,
               format_duration(kLongestRest));
  }
  channel_.reset();
  resting_.arm(rest_);
  // Who does not work yet is tried again by its owner. The others wait for the next process, and what is in
  // their queues with them.
  for (const auto& [number, member] : members_) {
    if (member.service != nullptr && member.service->is_making())
      member.service->fail("its worker cannot be started: " + last_fault_);
  }
}

Duration WorkerHost::next_rest() const noexcept {
  return std::min(std::max(rest_ * 2, kFirstRest), kLongestRest);
}

std::string WorkerHost::why_absent() const {
  if (!resting_.armed()) return {};
  return last_fault_.empty() ? "its worker has died early" : "its worker cannot be started: " + last_fault_;
}

Status WorkerHost::try_start() {
  auto page = SharedPage::create("xsd worker page", sizeof(worker::WorkerPage));
  if (!page) return std::move(page.error());
  auto process = setup_.context.roles.start({.role = "worker",
                                             .title = "xsd: worker " + title_,
                                             .credentials = setup_.credentials,
                                             .whole_environment = purpose_.image == nullptr});
  if (!process) return std::move(process.error());
  const auto give_up = [&](Error error) {
    process::end_unwatched(process->pid);
    return error;
  };
  auto channel = process::Channel::create(
      setup_.context.loop, std::move(process->channel),
      {.on_message = [this](std::string_view message,
                            std::vector<UniqueFd> fds) { on_message(message, std::move(fds)); },
       .on_end =
           [this](const std::string& why) {
             // Its end follows, if that is the reason; else it is brought about.
             why.empty() ? parting_.arm(kLongestParting) : distrust("broke its channel: " + why);
             tell_change();
           },
       .on_room = [this] { tell_change(); }});
  if (!channel) return give_up(std::move(channel.error()));
  auto child = setup_.context.children.watch(process->pid, std::move(process->pidfd),
                                             [this](const reactor::ChildExit& exit) { on_exit(exit); });
  if (!child) return give_up(std::move(child.error()));
  page_ = std::move(*page);
  channel_ = std::move(*channel);
  child_ = std::move(*child);
  started_ = setup_.context.loop.clock().monotonic();
  forget_unsaid();
  may_ask_names_ = false;

  if (Status status = greet(); !status) return status;
  if (!setup_.udp_ports.empty()) set_udp_ports();
  for (const policy::Ban& ban : setup_.context.bans.list(started_))
    say(worker::Banned{ban});
  for (const auto& [number, member] : members_) {
    if (member.service != nullptr) member.service->begin_again();
  }
  return {};
}

Status WorkerHost::greet() {
  if (setup_.context.logger != nullptr && log_ == nullptr) {
    auto feed = logger::LineFeed::create(*setup_.context.logger);
    if (!feed) return std::move(feed.error());
    log_ = std::move(*feed);
  }
  worker::Hello hello;
  hello.title = title_;
  hello.poller = static_cast<std::uint8_t>(setup_.context.loop.poller_kind());
  log::put_settings(hello.log_settings, log::settings());
  hello.has_log = log_ != nullptr;
  hello.first_connection = ++setup_.last_process << kProcessBits;
  std::vector<int> fds = {page_.fd()};
  if (log_) fds.push_back(log_->sending_end());
  hello.needs_files = (purpose_.needs & XSD_NEEDS_FILES) != 0;
  hello.needs_network = (purpose_.needs & XSD_NEEDS_NETWORK) != 0;
  if (purpose_.image) {
    hello.plugin = purpose_.image->name;
    hello.library_path = purpose_.image->path;
    fds.push_back(purpose_.image->fd.get());
  }
  std::string message;
  worker::append(message, hello);
  channel_->send(message, fds);
  return {};
}

void WorkerHost::set_log() {
  worker::LogSettings command;
  log::put_settings(command.log_settings, log::settings());
  say(command);
}

void WorkerHost::look_for_stop() {
  switch (child_.take_motion()) {
    case reactor::ChildWatch::Motion::None:
      return;
    case reactor::ChildWatch::Motion::Stopped:
      log::warning("worker {}: was stopped by a signal; it is replaced in {} unless it goes on", title_,
                   format_duration(kLongestStop));
      stopped_.arm(kLongestStop);
      return tell_change();
    case reactor::ChildWatch::Motion::Continued:
      if (stopped_.armed()) log::info("worker {}: goes on", title_);
      stopped_.cancel();
      return tell_change();
  }
}

void WorkerHost::fence(std::function<void()> done) {
  if (!is_running()) return done();
  fenced_.push_back(std::move(done));
  say(worker::Fence{++fence_serial_});
}

void WorkerHost::end_fences() {
  for (const auto& done : std::exchange(fenced_, {}))
    done();
}

void WorkerHost::end() {
  flush();
  ending_ = true;
  resting_.cancel();
  channel_.reset();
  parting_.arm(kLongestEnd);
}

void WorkerHost::kill() noexcept {
  (void)child_.signal(SIGKILL);  // it has ended: then there is nothing to end
}

// Whatever it may still do is of no interest any more; its end is on_exit.
void WorkerHost::distrust(const std::string& why) {
  if (why_killed_.empty()) why_killed_ = why;
  kill();
}

void WorkerHost::on_exit(const reactor::ChildExit& exit) {
  if (is_running()) channel_->receive_rest();
  std::string how = exit.text();
  if (read_number(page().hung) != 0) how = "did not react for too long";
  if (!why_killed_.empty()) {
    how = "was killed: it " + std::exchange(why_killed_, {});
    if (ending_) log::warning("worker {}: {}", title_, how);
  }
  bury(how);
}

void WorkerHost::bury(const std::string& how) {
  channel_.reset();
  child_ = {};
  stopped_.cancel();
  parting_.cancel();
  asked_.clear();
  forget_unsaid();
  end_fences();
  std::uint64_t lost = 0;
  const worker::ServiceNumber busy = read_number(page().busy_with);
  const bool was_needed = std::any_of(members_.begin(), members_.end(),
                                      [](const auto& member) { return member.second.service != nullptr; });
  for (auto member = members_.begin(); member != members_.end();) {
    const service::Counters counted = read_cell(page().cells[member->second.cell]);
    lost += counted.active;
    if (member->second.service != nullptr) {
      member->second.service->on_lost(counted);
      ++member;
    } else {
      free_cells_.push_back(member->second.cell);
      member = members_.erase(member);
    }
  }
  if (!was_needed || ending_) return setup_.on_empty();
  const Duration age = setup_.context.loop.clock().monotonic() - started_;
  const bool early = age < kOldEnough;
  early_deaths_ = early ? early_deaths_ + 1 : 0;
  rest_ = early ? next_rest() : Duration::zero();
  log::error("worker {}: {}; {} connections lost; {}", title_, how, lost,
             early ? "the next one starts in " + format_duration(rest_) : "the next one starts now");
  blame(busy, how);
  resting_.arm(rest_);
}

/// A service that has taken its worker down when it was being made has failed; and so has the one that does
/// it again and again.
void WorkerHost::blame(worker::ServiceNumber number, const std::string& how) {
  const bool again_and_again = early_deaths_ >= kMostEarlyDeaths;
  if (again_and_again) early_deaths_ = 0;
  const auto found = members_.find(number);
  if (found != members_.end() && found->second.service != nullptr) {
    if (again_and_again || found->second.service->is_making())
      found->second.service->fail("its worker " + how);
    return;
  }
  if (!again_and_again) return;
  for (const auto& [each, member] : members_) {
    if (member.service != nullptr) member.service->fail("its worker " + how);
  }
}

// ---- what it says

void WorkerHost::on_message(std::string_view message, std::vector<UniqueFd> fds) {
  if (!why_killed_.empty()) return;
  const auto events = worker::decode_from_worker(message);
  if (!events) return distrust("sent a message that makes no sense");
  std::span<UniqueFd> left(fds);
  for (const worker::FromWorker& event : *events) {
    const std::size_t count = worker::descriptors_of(event);
    if (count > left.size()) return distrust("sent a message without its descriptors");
    std::visit([&](const auto& one) { hear(one, left.first(count)); }, event);
    left = left.subspan(count);
    if (!why_killed_.empty()) return;
  }
}

void WorkerHost::hear(const worker::Up& event, std::span<UniqueFd> /*fds*/) {
  if (event.error.empty()) return;
  distrust("is not safe: " + event.error);
  for (const auto& [number, member] : members_) {
    if (member.service != nullptr) member.service->fail("its worker is not safe: " + event.error);
  }
}

void WorkerHost::hear(const worker::Answer& event, std::span<UniqueFd> /*fds*/) {
  if (RemoteService* const service = find(event.service)) service->on_answer(event.error);
}

void WorkerHost::hear(const worker::Ended& event, std::span<UniqueFd> /*fds*/) {
  RemoteService* const service = find(event.service);
  const auto found = members_.find(event.service);
  if (found == members_.end()) return;
  if (service != nullptr && !service->may_end()) return distrust("ended a service by itself");
  if (service != nullptr) service->on_ended();
  free_cells_.push_back(found->second.cell);
  members_.erase(found);
  if (is_empty()) setup_.on_empty();
}

void WorkerHost::hear(const worker::Fenced& event, std::span<UniqueFd> /*fds*/) {
  if (event.serial == fence_serial_) end_fences();
}

void WorkerHost::hear(const worker::HandOver& event, std::span<UniqueFd> fds) {
  RemoteService* const service = find(event.service);
  if (service == nullptr) return;
  if (!service->hand_over({std::move(fds[0]), event.connection, event.remote, event.local, event.target}))
    distrust("handed a connection over to a service that it may not name");
}

void WorkerHost::hear(const worker::StartProgram& event, std::span<UniqueFd> fds) {
  RemoteService* const service = find(event.service);
  if (service == nullptr) return;
  if (!service->start_program({.id = event.connection,
                               .program = event.program,
                               .environment = event.environment,
                               .directory = event.directory,
                               .socket = std::move(fds[0])}))
    distrust("asked for a program that it may not have");
}

void WorkerHost::hear(const worker::DropProgram& event, std::span<UniqueFd> /*fds*/) {
  if (RemoteService* const service = find(event.service)) service->drop_program(event.connection);
}

void WorkerHost::hear(const worker::DealTaken& event, std::span<UniqueFd> /*fds*/) {
  RemoteService* const service = find(event.service);
  if (service != nullptr && !service->take_deal(event.connection))
    distrust("took a connection that it was not dealt");
}

void WorkerHost::hear(const worker::DealEnded& event, std::span<UniqueFd> /*fds*/) {
  RemoteService* const service = find(event.service);
  if (service != nullptr && !service->end_deal(event.connection))
    distrust("ended a connection that it does not have");
}

void WorkerHost::hear(const worker::AskNames& event, std::span<UniqueFd> /*fds*/) {
  if (!may_ask_names_ || !event.peer.is_ip() || asked_.size() == service::SenderNames::kMostAsked)
    return distrust("asked for names that it has no use for");
  inquirer::InquirerProcess* const inquirer = setup_.context.inquirer;
  if (inquirer == nullptr || !names_pace_.take(service::SenderNames::kPace, setup_.context.loop.now()))
    return say(worker::NamesOf{event.peer});
  const auto place = asked_.emplace(asked_.end());
  *place = inquirer->ask({.kind = inquirer::Question::Kind::Names, .peer = event.peer}, -1,
                         [this, place, peer = event.peer](const inquirer::Answer& answer) {
                           const bool are_known = answer.state != inquirer::Answer::State::Unknown;
                           say(worker::NamesOf{peer, are_known, answer.texts});
                           asked_.erase(place);
                         });
}

}  // namespace xsd::manager
