// SPDX-License-Identifier: Apache-2.0
//
// Detaching from the caller (daemon(7)), with a caller that learns the truth: it waits until the daemon
// serves or has failed, and exits with the daemon's status.
#pragma once

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"

namespace xsd::daemon {

class Detacher {
 public:
  /// Forks. Returns in the child, which leads a new session; the parent waits in here and exits with the
  /// status that the child gives, or ends with.
  static Result<Detacher> detach();
  /// Nothing to tell.
  Detacher() = default;

  /// The daemon serves: the parent exits with 0, and descriptors 0-2 become /dev/null.
  void release();

 private:
  explicit Detacher(UniqueFd parent) : parent_(std::move(parent)) {}
  UniqueFd parent_;
};

/// Makes sure that descriptors 0, 1 and 2 exist: whatever we open must never get one of these numbers. What
/// was closed becomes /dev/null. Descriptor 0 always becomes /dev/null, open for reading and writing: the
/// daemon reads nothing from there.
Status secure_standard_descriptors();

}  // namespace xsd::daemon
