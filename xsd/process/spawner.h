// SPDX-License-Identifier: Apache-2.0
//
// Spawner: starts programs. One clone(VM, FILES, PIDFD, CHILD_CLEARTID) that copies neither page tables nor
// the descriptor table; the child first unshares the descriptors below the floor (close_range(floor, ~0,
// CLOSE_RANGE_UNSHARE)), so the cost is the same with 10 or 10 000 open sockets. As with vfork the parent
// waits until the child execs or exits, and the child leaves its failure as {step, errno} in the parent's
// memory. Where the kernel or a sandbox refuses to share or unshare descriptors, the table is copied from
// then on.
//
// Unlike with vfork the wait is bounded, because users of the service's uid can get at the child before its
// exec. One that somebody stops is told to go on within 5 ms; the third time it is killed, and so is
// one that did not get there after 5 s. A killed child that is still in our memory after 100 ms more (a
// system call that nothing interrupts) runs no instruction of ours any more, but the kernel may still write
// to its stack, to the room for its groups and to the word that says that it has left. These are left to it,
// the next child gets new ones, and it is reaped by a later spawn. There are at most 16 of those.
//
// A program that is to have a cgroup is started in it by clone3(2), which the library does not offer with a
// stack of the caller's: on processors that we have no words for, and where the call is refused, there is
// none.
//
// Order in the child (child_setup.cc): unshare descriptors, setsid (and, without a cgroup, subreaper),
// descriptors 0-2 (and 3 for a listening socket), close everything else, resource limits, nice, umask,
// chroot, directory, no_new_privs, empty signal mask, supplementary groups, gid, uid (each verified), execve.
// The first step that fails ends the child with status 127: a program never runs with less protection than
// its service asks for. The uid comes last: from there on the service's user may signal the child.
//
// What the daemon owes: no signal is ignored (reset_signal_dispositions() at start) and none that arrives
// from outside has a handler (they are blocked and read through signalfd): handlers of the daemon would run
// in its own memory.
//
// Side effects on the daemon. Blocking mode belongs to the open file, not to the descriptor: after a spawn,
// failed ones included, what the request named is in blocking mode for the daemon too, so a listening socket
// is set to non-blocking again before it is watched again. And once a program was started under
// another uid the kernel takes the daemon, whose memory the child shared, for one that changed its ids: it no
// longer dumps core (prctl(2), PR_SET_DUMPABLE).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"
#include "xsd/net/endpoint.h"
#include "xsd/process/child_vectors.h"
#include "xsd/process/control_group.h"
#include "xsd/process/exec_plan.h"

namespace xsd::process {

struct ChildSetup;

enum class SpawnStep : std::uint8_t {
  Clone,  ///< no child came to be: EAGAIN, ENOMEM; the step to retry
  Descriptors,
  Session,
  Limits,
  Nice,
  Chroot,
  Directory,
  Groups,
  Gid,
  Uid,
  NoNewPrivs,
  SignalMask,
  Exec,
};

/// The word for logs: "clone", "descriptors", "setsid", "rlimit", "nice", "chroot", "chdir", "setgroups",
/// "setgid", "setuid", "no_new_privs", "sigmask", "exec".
std::string_view step_name(SpawnStep step) noexcept;

/// Sets every signal that this process was started with as ignored to its default, so that programs find
/// default dispositions (execve resets handlers, not this). Once, at the start of main, before any handler
/// exists.
Status reset_signal_dispositions();

/// What differs from one start to the next. Everything is borrowed for the call.
struct SpawnRequest {
  /// Becomes 0 and 1 (and 3 if `listening`), set to blocking mode. The spawner duplicates it to a low number
  /// if it is at or above the floor.
  int socket = -1;
  /// Becomes 2, set to blocking mode: a descriptor, or -1 for the socket itself.
  int standard_error = -1;
  /// The socket listens: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES are set and the socket is at 3 as well.
  bool listening = false;
  /// The program and all that comes from it are to be ended as a whole (process_tree.h): it gets a cgroup of
  /// its own or, where that cannot be had, the children that lose their parents among those that it starts.
  bool keeps_tree = false;
  /// There is no connection to speak of: of the variables below only XSD_SERVICE is set.
  bool unconnected = false;
  net::Transport transport = net::Transport::Stream;
  /// Unspecified for `listening`: then no REMOTE_*.
  net::SocketAddress remote;
  net::SocketAddress local;
  /// XSD_CONNECTION.
  std::string_view connection_id;
};

struct Spawned {
  pid_t pid = 0;
  UniqueFd pidfd;        ///< close-on-exec, at or above the floor
  ControlGroup group{};  ///< that it was started in; empty: none
};

struct SpawnFailure {
  SpawnStep step;
  int error;  ///< errno
  /// True if nothing is wrong with the service: too many processes, no memory, no descriptors. Worth another
  /// try.
  bool temporary() const noexcept;
  /// "exec /usr/sbin/in.fingerd: No such file or directory"
  std::string text(const ExecPlan& plan) const;
};

class Spawner {
 public:
  /// `share_descriptors` false: the fallback from the start.
  explicit Spawner(bool share_descriptors = true);
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Starts the program. On failure no child is left (one that came to be has been reaped), unless it could
  /// not be ended in time: then the failure is ETIMEDOUT, see above.
  tl::expected<Spawned, SpawnFailure> spawn(const ExecPlan& plan, const SpawnRequest& request) noexcept;

  /// False once the descriptor-sharing clone was refused and the fallback is in use.
  bool shares_descriptors() const noexcept { return shares_descriptors_; }

 private:
  struct Outcome;
  /// A killed child that is still there, with what the kernel may write to on its behalf.
  struct Stuck {
    UniqueFd pidfd;
    void* stack;
    std::vector<gid_t> groups;
  };

  bool map_stack() noexcept;
  Outcome start(ChildSetup& setup, bool share, int group) noexcept;
  void reap_stuck() noexcept;

  void* stack_ = nullptr;  // the lowest page is the guard, the highest bytes are the word of wait_for_exec
  ChildVectors vectors_;
  ControlGroups control_groups_;
  std::vector<gid_t> groups_;  // sorted, then as much room again for what the kernel says
  std::vector<Stuck> stuck_;
  bool shares_descriptors_ = true;
};

}  // namespace xsd::process
