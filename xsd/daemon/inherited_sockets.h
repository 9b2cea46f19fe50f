// SPDX-License-Identifier: Apache-2.0
//
// InheritedSockets: the sockets that whoever started us has bound for us (sd_listen_fds(3)): those of a
// socket unit, and those that the xsd before us has left with the service manager (notifier.h). They are
// found by where they are bound, not by their names: a service whose `listen` says the same takes them over.
#pragma once

#include <string>
#include <vector>

#include "xsd/base/error.h"
#include "xsd/net/socket.h"

namespace xsd::daemon {

struct InheritedSockets {
  struct Fault {
    std::string name;  ///< that the manager gave it; may be empty
    Error error;
  };
  struct Kept {
    std::string name;
    net::BoundSocket socket;
  };
  std::vector<Kept> kept{};                  ///< by an earlier one of us
  std::vector<net::BoundSocket> of_units{};  ///< the others
  std::vector<Fault> faults{};               ///< what nobody could serve; closed

  /// Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and takes all LISTEN_ variables out of our environment.
  /// To be called once, before anything is opened and before the process detaches: the descriptors from 3 on
  /// are meant.
  static InheritedSockets take();
};

}  // namespace xsd::daemon
