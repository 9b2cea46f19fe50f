// SPDX-License-Identifier: Apache-2.0
//
// What a process tree holds, as /proc tells it: memory, descriptors, zombies, time.
#pragma once

#include <cstddef>
#include <vector>

#include <sys/types.h>

namespace bench {

struct Holdings {
  long pss_kib = 0;
  long rss_kib = 0;
  long descriptors = 0;
  long zombies = 0;
  long processes = 0;
};

/// `roots` and their descendants, zombies included.
std::vector<pid_t> process_trees(const std::vector<pid_t>& roots);
/// Processor time that a daemon and those of its processes that are of the same program (workers, logger)
/// have used so far; not what they started.
double daemon_milliseconds(pid_t daemon);
/// The sum over the tree.
Holdings holdings(pid_t root);

}  // namespace bench
