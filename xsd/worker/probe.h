// SPDX-License-Identifier: Apache-2.0
//
// The role `probe`: a process that loads one plugin library to learn what it says of itself and what is wrong
// with the settings that services give to it, and tells that (probe_wire.h). It has made itself safe before
// (process/sandbox.h), and what the library prints goes nowhere. Whatever the library does, this process and
// its answer are all that it can spoil; who has started it waits for a limited time.
#pragma once

#include "xsd/base/unique_fd.h"

namespace xsd::worker {

/// Plays the role to its end.
int run_probe(UniqueFd channel);

}  // namespace xsd::worker
