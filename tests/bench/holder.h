// SPDX-License-Identifier: Apache-2.0
//
// Clients in a process of their own: Holder keeps idle echo connections open, LoadProcess makes short
// connections until it is told to stop. Both are forks of the driver and end with it, or when told, or at
// their deadline.
#pragma once

#include <sys/types.h>

#include "client.h"

namespace bench {

class Helper {
 public:
  Helper() = default;
  Helper(Helper&& other) noexcept;
  Helper& operator=(Helper&& other) noexcept;
  ~Helper();

 protected:
  /// Forks. In the child, true with both pipe ends set; the caller then works and calls finish_child.
  xsd::Result<bool> fork_child();
  /// Takes one answer of exactly `size` bytes from the child; false if it died or the deadline passed.
  bool receive(void* answer, std::size_t size, Deadline deadline);
  /// By a byte, not by hanging up: a helper forked later holds a copy of our end.
  void tell_to_stop();

  pid_t pid_ = -1;
  xsd::UniqueFd control_;  // parent: write end; child: read end, readable when it is to stop
  xsd::UniqueFd answers_;  // parent: read end; child: write end
};

class Holder : public Helper {
 public:
  /// Opens `count` connections to an echo service, sends 64 bytes over each and gets them back, then holds
  /// them.
  static xsd::Result<Holder> start(std::uint16_t port, unsigned count, Deadline deadline);
  /// How many are still open and silent; then closes them and ends.
  xsd::Result<unsigned> release(Deadline deadline);
};

class LoadProcess : public Helper {
 public:
  static xsd::Result<LoadProcess> start(std::uint16_t port, Kind kind, unsigned parallel, Deadline deadline);
  xsd::Result<Tally> stop(Deadline deadline);
};

}  // namespace bench
