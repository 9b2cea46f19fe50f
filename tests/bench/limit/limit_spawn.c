// SPDX-License-Identifier: Apache-2.0
//
// Reference for a program per connection: accept, vfork-like clone that shares the descriptor table, exec.
// The child gets the world that docs promise for xsd's programs: connection on 0, 1 and 2 and nothing else
// open, own session, cwd /, umask 022, empty signal mask, the limit of open files as it was at start,
// no_new_privs, the identity of `nobody` when started as root, the whole documented environment. Children are
// reaped.
//
// limit_spawn [--hold N] PROGRAM: N descriptors are kept open all the time.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "limit.h"

extern char** environ;

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

enum { kFloor = 64, kStackSize = 64 * 1024, kTextSize = 2048, kVariables = 64, kKnown = 12 };

struct World {
  char* program;
  char* argv[2];
  char* envp[kVariables + 1];
  char text[kTextSize];
  size_t text_used;
  int inherited;  // how many of envp are the daemon's own
  int change_user;
  uid_t uid;
  gid_t gid;
  struct rlimit files;
  sigset_t mask;
  int connection;
  const char* step;
  int error;
};

static _Alignas(64) char stack[kStackSize];

static int starts_with(const char* text, const char* prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void inherit_environment(struct World* world) {
  static const char* const names[] = {"PATH=", "LANG=", "LC_", "TZ="};
  for (char** variable = environ; *variable != NULL; ++variable) {
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
      if (world->inherited < kVariables - kKnown && starts_with(*variable, names[i])) {
        world->envp[world->inherited++] = *variable;
      }
    }
  }
}

static void add_variable(struct World* world, int index, const char* name, const char* value) {
  char* place = world->text + world->text_used;
  const size_t left = kTextSize - world->text_used;
  const int size = snprintf(place, left, "%s=%s", name, value);
  if (size < 0 || (size_t)size >= left) limit_fail("environment");
  world->text_used += (size_t)size + 1;
  world->envp[world->inherited + index] = place;
}

static void build_environment(struct World* world, const struct sockaddr_in* peer, unsigned long serial) {
  struct sockaddr_in local;
  socklen_t size = sizeof local;
  if (getsockname(world->connection, (struct sockaddr*)&local, &size) != 0) limit_fail("getsockname");
  char remote_address[INET_ADDRSTRLEN];
  char local_address[INET_ADDRSTRLEN];
  char remote_port[8];
  char local_port[8];
  char connection[24];
  if (inet_ntop(AF_INET, &peer->sin_addr, remote_address, sizeof remote_address) == NULL ||
      inet_ntop(AF_INET, &local.sin_addr, local_address, sizeof local_address) == NULL) {
    limit_fail("inet_ntop");
  }
  snprintf(remote_port, sizeof remote_port, "%u", (unsigned)ntohs(peer->sin_port));
  snprintf(local_port, sizeof local_port, "%u", (unsigned)ntohs(local.sin_port));
  snprintf(connection, sizeof connection, "%lx", serial);
  world->text_used = 0;
  add_variable(world, 0, "REMOTE_HOST", remote_address);
  add_variable(world, 1, "REMOTE_ADDR", remote_address);
  add_variable(world, 2, "REMOTE_PORT", remote_port);
  add_variable(world, 3, "SERVER_ADDR", local_address);
  add_variable(world, 4, "SERVER_PORT", local_port);
  add_variable(world, 5, "PROTO", "TCP");
  add_variable(world, 6, "TCPREMOTEIP", remote_address);
  add_variable(world, 7, "TCPREMOTEPORT", remote_port);
  add_variable(world, 8, "TCPLOCALIP", local_address);
  add_variable(world, 9, "TCPLOCALPORT", local_port);
  add_variable(world, 10, "XSD_SERVICE", "tiny");
  add_variable(world, 11, "XSD_CONNECTION", connection);
  world->envp[world->inherited + kKnown] = NULL;
}

static int give_up(struct World* world, const char* step) {
  world->step = step;
  world->error = errno;
  _exit(127);
}

// Runs in the child on the parent's memory, which stands still until exec. The descriptor table is the
// parent's own until close_range has unshared it.
static int child(void* argument) {
  struct World* world = argument;
  if (syscall(SYS_close_range, kFloor, ~0U, CLOSE_RANGE_UNSHARE) != 0)
    return give_up(world, "close_range unshare");
  if (setsid() < 0) return give_up(world, "setsid");
  for (int fd = 0; fd <= 2; ++fd) {
    if (dup2(world->connection, fd) < 0) return give_up(world, "dup2");
  }
  if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) return give_up(world, "close_range");
  if (chdir("/") != 0) return give_up(world, "chdir");
  umask(022);
  if (setrlimit(RLIMIT_NOFILE, &world->files) != 0) return give_up(world, "setrlimit");
  if (world->change_user) {
    // The plain system calls: the library's own would look for other threads.
    if (syscall(SYS_setgroups, 1, &world->gid) != 0) return give_up(world, "setgroups");
    if (syscall(SYS_setresgid, world->gid, world->gid, world->gid) != 0) return give_up(world, "setresgid");
    if (syscall(SYS_setresuid, world->uid, world->uid, world->uid) != 0) return give_up(world, "setresuid");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return give_up(world, "no_new_privs");
  if (sigprocmask(SIG_SETMASK, &world->mask, NULL) != 0) return give_up(world, "sigprocmask");
  execve(world->program, world->argv, world->envp);
  return give_up(world, "exec");
}

static void hold_open(long count) {
  const int source = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (source < 0) limit_fail("/dev/null");
  for (long i = 0; i < count; ++i) {
    if (fcntl(source, F_DUPFD_CLOEXEC, kFloor) < 0) limit_fail("hold");
  }
  close(source);
}

int main(int argc, char** argv) {
  static struct World world;
  long hold = 0;
  if (argc == 4 && strcmp(argv[1], "--hold") == 0) {
    hold = strtol(argv[2], NULL, 10);
  } else if (argc != 2) {
    fprintf(stderr, "usage: limit_spawn [--hold N] PROGRAM\n");
    return 2;
  }
  world.program = argv[argc - 1];
  world.argv[0] = world.program;
  world.files = limit_raise_files();
  sigemptyset(&world.mask);
  inherit_environment(&world);
  if (geteuid() == 0) {
    const struct passwd* user = getpwnam("nobody");
    if (user == NULL) limit_fail("nobody");
    world.change_user = 1;
    world.uid = user->pw_uid;
    world.gid = user->pw_gid;
  }

  const int low = limit_listen(SOCK_STREAM, 0);
  const int listener = fcntl(low, F_DUPFD_CLOEXEC, kFloor);
  if (listener < 0) limit_fail("F_DUPFD_CLOEXEC");
  close(low);
  hold_open(hold);
  limit_ready(listener);

  for (unsigned long serial = 1;; ++serial) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    world.connection = accept4(listener, (struct sockaddr*)&peer, &size, SOCK_CLOEXEC);
    if (world.connection < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      limit_fail("accept4");
    }
    build_environment(&world, &peer, serial);
    world.error = 0;
    const int pid =
        clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &world);
    if (pid < 0) limit_fail("clone");
    if (world.error != 0) {
      errno = world.error;
      limit_fail(world.step);
    }
    close(world.connection);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
