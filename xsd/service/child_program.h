// SPDX-License-Identifier: Apache-2.0
//
// ChildProgram: a program that runs, and its end. Owned by whoever had it started; borrows the context, whose
// budget of processes it is counted in as long as it lives.
//
//   running      watched through its pidfd
//   ending       got TERM; KILL follows when its grace is over. Its exit is held (a zombie), so that
//                its process group stays addressable
//   left         its main process has ended while ending, but others of its group live on: they have
//                what is left of the grace
//   gone         reaped, nothing of it is left that we wait for: `on_gone`
//
// One whose definition has a `max_duration` is followed as a whole tree (process/process_tree.h): it is ended
// as such, and it is gone when all of it is, also, where the kernel tells of that, if its main process ended
// by itself. When that time is over it is ended as by end(stop_timeout).
//
// One that cannot be watched is killed, and asked for until it is gone. Destroying a ChildProgram leaves the
// program alone; its exit is then taken quietly.
#pragma once

#include <functional>
#include <memory>

#include "xsd/process/process_tree.h"
#include "xsd/process/spawner.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/service/context.h"

namespace xsd::service {

class ChildProgram {
 public:
  struct Events {
    /// Its main process has ended. Must not end or destroy this object.
    std::function<void(const reactor::ChildExit&)> on_exit;
    /// Called once; the owner destroys this object then.
    std::function<void()> on_gone;
  };

  ChildProgram(ServiceContext& context, Events events);
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  /// Takes over what the spawner has started; with a `max_duration` it was told to keep its tree. On failure
  /// it is killed and will be gone, without on_exit.
  Status watch(process::Spawned spawned, const config::ServiceDefinition& definition);

  /// TERM to its group, and KILL when the grace is over; asked again, the shorter grace counts.
  void end(Duration grace);
  /// KILL to its group. `on_gone` may be called from within.
  void kill();
  /// As end(), because a time is over that the definition gives it.
  void time_out(Duration grace);
  bool timed_out() const noexcept { return timed_out_; }

 private:
  struct Bounded;

  void handle_exit(const reactor::ChildExit& exit);
  void wait_for_tree();
  void on_grace_over();
  void on_duration_over();
  void reap_unwatched();
  void become_gone();

  ServiceContext& context_;
  Events events_;
  pid_t unwatched_ = 0;     ///< it was killed because it cannot be watched
  bool ended_ = false;      ///< the main process has; only its group or tree is waited for
  bool killed_ = false;     ///< it was sent KILL
  bool timed_out_ = false;  ///< it was ended by time_out()
  std::unique_ptr<reactor::Timer> kill_timer_;  ///< set while ending
  MonotonicTime kill_time_{};                   ///< when it fires
  reactor::ChildWatch watch_;
  std::unique_ptr<Bounded> bounded_;  ///< with a `max_duration`
};

}  // namespace xsd::service
