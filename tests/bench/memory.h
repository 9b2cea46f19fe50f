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
/// Processor time that one process has used so far, without its children.
double cpu_milliseconds(pid_t pid);
/// The sum over the tree.
Holdings holdings(pid_t root);

}  // namespace bench
