// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/detach.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsd/daemon/exit_status.h"

namespace xsd::daemon {
namespace {

[[noreturn]] void wait_for_child(pid_t child, const UniqueFd& pipe) {
  char ready = 0;
  ssize_t count = 0;
  do {
    count = read(pipe.get(), &ready, 1);
  } while (count < 0 && errno == EINTR);
  if (count == 1) _exit(kExitSuccess);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : kExitFailure);
}

}  // namespace

Result<Detacher> Detacher::detach() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno(errno, "detach: pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = fork();
  if (child < 0) return Error::from_errno(errno, "detach: fork");
  if (child > 0) {
    write_end.reset();
    wait_for_child(child, read_end);
  }
  if (setsid() < 0) return Error::from_errno(errno, "detach: setsid");
  if (chdir("/") != 0) return Error::from_errno(errno, "detach: chdir");
  return Detacher(raise_fd(std::move(write_end)));
}

void Detacher::release() {
  if (!parent_) return;
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = STDIN_FILENO; null && fd <= STDERR_FILENO; ++fd)
    (void)dup2(null.get(), fd);
  const char ready = 1;
  (void)write(parent_.get(), &ready, 1);  // a caller that went away does not need it
  parent_.reset();
}

Status secure_standard_descriptors() {
  int null = -1;
  do {
    null = open("/dev/null", O_RDWR);
    if (null < 0) return Error::from_errno(errno, "open /dev/null");
  } while (null <= STDERR_FILENO);
  const UniqueFd owner(null);
  if (dup2(null, STDIN_FILENO) < 0) return Error::from_errno(errno, "standard input");
  return {};
}

}  // namespace xsd::daemon
