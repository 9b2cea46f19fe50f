// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/child_program.h"

#include <csignal>
#include <utility>

#include <sys/wait.h>

namespace xsd::service {
namespace {

constexpr Duration kReapInterval = std::chrono::milliseconds(50);

}  // namespace

ChildProgram::ChildProgram(ServiceContext& context, Events events)
    : context_(context), events_(std::move(events)) {
  ++context_.processes.running;
}

ChildProgram::~ChildProgram() {
  context_.groups.forget(watch_.pid());
  watch_.release();
  --context_.processes.running;
}

Status ChildProgram::watch(process::Spawned spawned) {
  auto watch = context_.children.watch(spawned.pid, std::move(spawned.pidfd),
                                       [this](const reactor::ChildExit& exit) { handle_exit(exit); });
  if (watch) {
    watch_ = std::move(*watch);
    return {};
  }
  // Nobody would learn of its end. So it is ended, and asked for until it is gone.
  (void)::kill(-spawned.pid, SIGKILL);
  unwatched_ = spawned.pid;
  kill_timer_ = std::make_unique<reactor::Timer>(context_.loop, [this] { reap_unwatched(); });
  kill_timer_->arm(Duration::zero());
  return std::move(watch.error());
}

void ChildProgram::handle_exit(const reactor::ChildExit& exit) {
  events_.on_exit(exit);
  if (kill_timer_ == nullptr) return become_gone();
  ended_ = true;
  context_.groups.watch(exit.pid, [this] { become_gone(); });
}

void ChildProgram::end(Duration grace) {
  if (unwatched_ != 0) return;
  const MonotonicTime kill_time = context_.loop.now() + grace;
  if (kill_timer_ == nullptr) {
    watch_.hold();
    (void)watch_.signal_group(SIGTERM);  // if it has ended already, its exit is on its way
    kill_timer_ = std::make_unique<reactor::Timer>(context_.loop, [this] { kill(); });
  } else if (kill_time >= kill_time_) {
    return;
  }
  kill_time_ = kill_time;
  kill_timer_->arm(grace);
}

void ChildProgram::kill() {
  if (unwatched_ != 0) return;
  (void)watch_.signal_group(SIGKILL);
  if (ended_) return become_gone();
  watch_.release();  // nothing is left to be waited for but its exit
  context_.groups.forget(watch_.pid());
  kill_timer_.reset();
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
