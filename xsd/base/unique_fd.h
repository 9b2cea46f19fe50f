// SPDX-License-Identifier: Apache-2.0
//
// UniqueFd: the one owner of a descriptor; closes it. Plus the rule of low and high numbers.
//
// A program is started by a clone that shares our descriptor table and then unshares the part below
// `fd_floor()` (xsd/process/spawner.h), so what it costs depends on how many numbers below the floor are
// taken, not on how many sockets the daemon holds. Hence: whatever lives longer than one handler is moved to
// a number at or above the floor with `raise_fd`; what a child is to inherit is given a number below it with
// `lower_fd` just before the clone.
#pragma once

#include <utility>

#include "xsd/base/result.h"

namespace xsd {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes what is held; errno is left as it was.
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// The number from which long-lived descriptors live: 64, but at most a quarter of RLIMIT_NOFILE's soft
/// limit.
int fd_floor() noexcept;
/// Reads RLIMIT_NOFILE anew; call it after the limit was raised at start.
void update_fd_floor() noexcept;

/// Moves `fd` to a number at or above the floor. Where none is free the descriptor stays as it is.
[[nodiscard]] UniqueFd raise_fd(UniqueFd fd) noexcept;

/// A duplicate of `fd`, close-on-exec, at the lowest free number.
Result<UniqueFd> lower_fd(int fd);

/// A duplicate, close-on-exec, at or above the floor.
Result<UniqueFd> duplicate_fd(int fd);

}  // namespace xsd
