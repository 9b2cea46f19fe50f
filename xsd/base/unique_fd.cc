// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "xsd/base/assert.h"

namespace xsd {
namespace {

constexpr int kHighestFloor = 64;

int floor_from_limit() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kHighestFloor;
  const rlim_t quarter = limit.rlim_cur / 4;
  return static_cast<int>(std::clamp<rlim_t>(quarter, 4, kHighestFloor));
}

// A plain number that every descriptor passes by; set again once, at start, before there is any loop.
int floor_value = 0;

}  // namespace

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "xsd: bug: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

void UniqueFd::reset(int fd) noexcept {
  const int old = std::exchange(fd_, fd);
  if (old < 0) return;
  const int saved = errno;
  // close(2): on Linux the number is free again even after EINTR, so there is nothing to retry or to report.
  (void)::close(old);
  errno = saved;
}

int fd_floor() noexcept {
  if (floor_value == 0) floor_value = floor_from_limit();
  return floor_value;
}

void update_fd_floor() noexcept {
  floor_value = floor_from_limit();
}

UniqueFd raise_fd(UniqueFd fd) noexcept {
  if (!fd || fd.get() >= fd_floor()) return fd;
  const int raised = fcntl(fd.get(), F_DUPFD_CLOEXEC, fd_floor());
  if (raised < 0) return fd;
  return UniqueFd(raised);
}

Result<UniqueFd> lower_fd(int fd) {
  const int lowered = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (lowered < 0) return Error::from_errno(errno, "dup");
  return UniqueFd(lowered);
}

Result<UniqueFd> duplicate_fd(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, fd_floor());
  if (copy < 0) return Error::from_errno(errno, "dup");
  return UniqueFd(copy);
}

}  // namespace xsd
