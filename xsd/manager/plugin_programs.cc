// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/plugin_programs.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/base/text.h"

namespace xsd::manager {
namespace {

constexpr std::uint64_t kMostOfOneService = 256;
constexpr Duration kComplainAgain = std::chrono::seconds(60);

std::string_view name_of(std::string_view variable) noexcept {
  return variable.substr(0, variable.find('='));
}

/// What is asked for takes the place of what the service's file says.
void add_environment(process::ExecPlan& plan, const std::vector<std::string>& more) {
  for (const std::string& variable : more) {
    const auto same =
        std::find_if(plan.environment.begin(), plan.environment.end(),
                     [&](const std::string& other) { return name_of(other) == name_of(variable); });
    if (same != plan.environment.end()) {
      *same = variable;
    } else {
      plan.environment.push_back(variable);
    }
  }
}

}  // namespace

PluginPrograms::PluginPrograms(service::ServiceContext& context)
    : context_(context), teller_(context.loop, [this] { tell_failures(); }) {}

PluginPrograms::~PluginPrograms() {
  on_empty_ = nullptr;
  kill();
}

void PluginPrograms::start(service::ManagedService& service, plugin::ProgramStart start) {
  const int error = try_start(service, start);
  if (error == 0) return;
  failures_.push_back({&service, start.id, -error});
  teller_.arm(Duration::zero());
}

/// 0 or a positive errno.
int PluginPrograms::try_start(service::ManagedService& service, const plugin::ProgramStart& start) {
  const service::Prepared& prepared = service.prepared();
  if (stopping_) return ESHUTDOWN;
  if (const std::string_view limit = find_limit(*prepared.definition); !limit.empty()) {
    complain(service.name(), "programs are not started: too many run already (" + std::string(limit) + ")");
    return EAGAIN;
  }
  if (prepared.programs == nullptr) return ENOENT;
  const auto declared = prepared.programs->find(start.program);
  if (declared == prepared.programs->end()) return ENOENT;
  process::ExecPlan plan = *declared->second;
  add_environment(plan, start.environment);
  if (!start.directory.empty()) plan.directory = start.directory;

  process::SpawnRequest request;
  request.socket = start.socket.get();
  request.standard_error = standard_error(*prepared.definition, plan);
  request.unconnected = true;
  request.keeps_tree = prepared.definition->times->max_duration.has_value();
  auto spawned = context_.spawner.spawn(plan, request);
  if (!spawned) {
    complain(service.name(), "program " + quoted(start.program) + ": " + spawned.error().text(plan));
    return spawned.error().error;
  }
  const Place place = programs_.insert(programs_.end(), {prepared.definition, &service, start.id, nullptr});
  place->child = std::make_unique<service::ChildProgram>(
      context_, service::ChildProgram::Events{
                    .on_exit = [this, place](const reactor::ChildExit& exit) { on_exit(*place, exit); },
                    .on_gone = [this, place] { on_gone(place); }});
  const Status watched = place->child->watch(std::move(*spawned), *prepared.definition);
  if (watched) return 0;
  complain(service.name(), "program " + quoted(start.program) + ": " + watched.error().text());
  place->service = nullptr;
  return EAGAIN;
}

std::string_view PluginPrograms::find_limit(const config::ServiceDefinition& definition) const noexcept {
  const config::Limit& all = context_.processes.limit;
  if (!all.is_unlimited() && context_.processes.running >= all.value) return "daemon: max_processes";
  const std::uint64_t running = count(definition.id);
  if (running >= definition.instances.value) return "instances";
  return running >= kMostOfOneService ? "256 of one service" : "";
}

std::uint64_t PluginPrograms::count(const std::string& id) const noexcept {
  return static_cast<std::uint64_t>(
      std::count_if(programs_.begin(), programs_.end(),
                    [&](const Program& program) { return program.definition->id == id; }));
}

int PluginPrograms::standard_error(const config::ServiceDefinition& definition,
                                   const process::ExecPlan& plan) {
  if (definition.stderr_target == config::StderrTarget::Socket) return -1;
  // Of the daemon: /dev/null, open for reading and writing.
  if (definition.stderr_target == config::StderrTarget::Null) return STDIN_FILENO;
  ErrorOutput& output = error_outputs_[definition.id];
  output.is_retired = false;
  if (!output.pipe) {
    auto pipe = service::StderrPipe::create(context_.loop, context_.logger, definition.id);
    if (!pipe) {
      complain(definition.id, pipe.error().text() + "; standard error is thrown away");
      return STDIN_FILENO;
    }
    output.pipe = std::move(*pipe);
  }
  return output.pipe->write_end(plan.credentials);
}

// Clients can make it happen as often as they like.
void PluginPrograms::complain(const std::string& service, std::string text) {
  Complaint& last = complaints_[service];
  const MonotonicTime now = context_.loop.now();
  if (last.text == text && now - last.time < kComplainAgain) return;
  log::error("{}: {}", service, text);
  last = {std::move(text), now};
}

void PluginPrograms::tell_failures() {
  // What is asked for in answer to one has its turn later.
  for (std::size_t count = failures_.size(); count > 0 && !failures_.empty(); --count) {
    const Failure failure = failures_.front();
    failures_.pop_front();
    failure.service->program_ended(failure.id, failure.error, 0, 0);
  }
}

void PluginPrograms::on_exit(Program& program, const reactor::ChildExit& exit) {
  if (exit.for_memory)
    log::warning("{}: the program {} was killed for want of memory", program.definition->id, exit.pid);
  service::ManagedService* const service = std::exchange(program.service, nullptr);
  if (service == nullptr) return;
  service->program_ended(program.id, 0, exit.signalled ? 0 : exit.code, exit.signalled ? exit.code : 0);
}

void PluginPrograms::on_gone(Place place) {
  const std::string id = place->definition->id;
  programs_.erase(place);
  const auto output = error_outputs_.find(id);
  if (output != error_outputs_.end() && output->second.is_retired && count(id) == 0)
    error_outputs_.erase(output);
  if (programs_.empty() && on_empty_) on_empty_();
}

// ---- ends

void PluginPrograms::drop(const service::ManagedService& service, std::uint64_t id) {
  std::erase_if(failures_,
                [&](const Failure& failure) { return failure.service == &service && failure.id == id; });
  for (Program& program : programs_) {
    if (program.service != &service || program.id != id) continue;
    program.service = nullptr;
    program.child->end(program.definition->stop_timeout);
  }
}

void PluginPrograms::drop_all(const service::ManagedService& service) {
  std::erase_if(failures_, [&](const Failure& failure) { return failure.service == &service; });
  for (Program& program : programs_) {
    if (program.service != &service) continue;
    program.service = nullptr;
    program.child->end(program.definition->stop_timeout);
  }
}

void PluginPrograms::end_all(const service::ManagedService& service, Duration grace) {
  for (Program& program : programs_) {
    if (program.service == &service) program.child->end(grace);
  }
}

void PluginPrograms::retire(const std::string& id) {
  complaints_.erase(id);
  const auto output = error_outputs_.find(id);
  if (output == error_outputs_.end()) return;
  output->second.is_retired = true;
  if (count(id) == 0) error_outputs_.erase(output);
}

Duration PluginPrograms::stop() {
  stopping_ = true;
  Duration longest{};
  for (Program& program : programs_) {
    longest = std::max(longest, program.definition->stop_timeout);
    program.child->end(program.definition->stop_timeout);
  }
  return longest;
}

void PluginPrograms::kill() {
  stopping_ = true;
  for (Place program = programs_.begin(); program != programs_.end();) {
    const Place next = std::next(program);
    program->child->kill();
    program = next;
  }
}

}  // namespace xsd::manager
