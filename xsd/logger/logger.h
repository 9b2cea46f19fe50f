// SPDX-License-Identifier: Apache-2.0
//
// The role `logger`: the process that writes the log, so that a disk that hangs stops it and nobody else. It
// runs without privileges, in the sandbox, and opens nothing: the master hands it the target, the receiving
// ends of the pairs by which processes send their lines (feed.h), and the pipes of the programs' standard
// errors.
//
// It trusts the master and nobody else: what comes by a pair is checked line by line (base/log_channel.h), in
// bounded portions. It ends when the master closes the channel, and then writes all that is there.
#pragma once

#include "xsd/base/unique_fd.h"

namespace xsd::logger {

/// `main` of the role; the exit status.
int run_logger(UniqueFd channel);

}  // namespace xsd::logger
