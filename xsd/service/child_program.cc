// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/child_program.h"

#include <csignal>
#include <utility>

#include <sys/wait.h>

namespace xsd::service {
namespace {

constexpr Duration kReapInterval = std::chrono::milliseconds(50);
constexpr Duration kKillInterval = std::chrono::milliseconds(20);
constexpr int kKills = 20;

}  // namespace

struct ChildProgram::Bounded {
  Bounded(ChildProgram& program, process::Spawned& spawned, const config::ServiceDefinition& definition)
      : tree(program.context_.loop, spawned.pid, std::move(spawned.group)),
        pid(spawned.pid),
        grace(definition.stop_timeout),
        service(definition.id),
        over(program.context_.loop, [&program] { program.on_duration_over(); }) {}

  process::ProcessTree tree;
  pid_t pid;
  Duration grace;
  std::string service;
  int kills = 0;  ///< of its tree, before the main process is killed too
  reactor::Timer over;
};

ChildProgram::ChildProgram(ServiceContext& context, Events events)
    : context_(context), events_(std::move(events)) {
  ++context_.processes.running;
}

ChildProgram::~ChildProgram() {
  context_.groups.forget(watch_.pid());
  watch_.release();
  --context_.processes.running;
}

Status ChildProgram::watch(process::Spawned spawned, const config::ServiceDefinition& definition) {
  if (const auto& most = definition.times->max_duration) {
    bounded_ = std::make_unique<Bounded>(*this, spawned, definition);
    bounded_->over.arm(*most);
  }
  auto watch = context_.children.watch(spawned.pid, std::move(spawned.pidfd),
                                       [this](const reactor::ChildExit& exit) { handle_exit(exit); });
  if (watch) {
    watch_ = std::move(*watch);
    return {};
  }
  // Nobody would learn of its end. So it is ended, and asked for until it is gone.
  if (bounded_) {
    (void)bounded_->tree.kill();
    bounded_->over.cancel();
  }
  (void)::kill(-spawned.pid, SIGKILL);
  unwatched_ = spawned.pid;
  kill_timer_ = std::make_unique<reactor::Timer>(context_.loop, [this] { reap_unwatched(); });
  kill_timer_->arm(Duration::zero());
  return std::move(watch.error());
}

void ChildProgram::handle_exit(const reactor::ChildExit& exit) {
  events_.on_exit(exit);
  ended_ = true;
  if (bounded_) return wait_for_tree();
  if (kill_timer_ == nullptr) return become_gone();
  context_.groups.watch(exit.pid, [this] { become_gone(); });
}

void ChildProgram::wait_for_tree() {
  process::ProcessTree& tree = bounded_->tree;
  tree.forget_main();
  const bool by_itself = kill_timer_ == nullptr && !killed_;
  if (by_itself && !tree.outlives_main()) return become_gone();
  if (tree.outlives_main() || killed_) return tree.on_empty([this] { become_gone(); });
  // Its group first: there the walk may have missed somebody.
  context_.groups.watch(bounded_->pid, [this] { bounded_->tree.on_empty([this] { become_gone(); }); });
}

void ChildProgram::end(Duration grace) {
  if (unwatched_ != 0) return;
  const MonotonicTime kill_time = context_.loop.now() + grace;
  if (kill_timer_ == nullptr) {
    watch_.hold();
    if (bounded_) bounded_->tree.signal(SIGTERM, watch_.pid());
    (void)watch_.signal_group(SIGTERM);  // if it has ended already, its exit is on its way
    kill_timer_ = std::make_unique<reactor::Timer>(context_.loop, [this] { on_grace_over(); });
  } else if (kill_time >= kill_time_) {
    return;
  }
  kill_time_ = kill_time;
  kill_timer_->arm(grace);
}

void ChildProgram::on_grace_over() {
  if (bounded_ && !ended_ && !bounded_->tree.kill() && ++bounded_->kills < kKills)
    return kill_timer_->arm(kKillInterval);
  kill();
}

void ChildProgram::kill() {
  if (unwatched_ != 0) return;
  killed_ = true;
  if (bounded_)
    (void)bounded_->tree.kill();  // what is left of it now is looked for when the main process ended
  (void)watch_.signal_group(SIGKILL);
  if (ended_ && !bounded_) return become_gone();
  context_.groups.forget(watch_.pid());
  watch_.release();  // nothing is left to be waited for but its exit, and its tree
  kill_timer_.reset();
  if (ended_) bounded_->tree.on_empty([this] { become_gone(); });
}

void ChildProgram::time_out(Duration grace) {
  if (kill_timer_ == nullptr && !killed_) timed_out_ = true;
  end(grace);
}

void ChildProgram::on_duration_over() {
  if (ended_ && kill_timer_ == nullptr && !killed_)
    log::info("{}: what process {} has left behind is ended (max_duration)", bounded_->service,
              bounded_->pid);
  time_out(bounded_->grace);
}

void ChildProgram::reap_unwatched() {
  if (waitpid(unwatched_, nullptr, WNOHANG) == 0) {
    kill_timer_->arm(kReapInterval);
  } else {
    become_gone();
  }
}

void ChildProgram::become_gone() {
  const std::function<void()> gone = std::move(events_.on_gone);  // it ends us
  gone();
}

}  // namespace xsd::service
