// SPDX-License-Identifier: Apache-2.0
//
// CpuMeter: processor time (user and system) of a server and all that it starts. Where a cpuacct control
// group (v1) can be made, that group counts, to the nanosecond. Elsewhere /proc is summed over the live tree:
// schedstat (nanoseconds) of every process, plus what was waited for (clock ticks, so rounds must be long).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

class CpuMeter {
 public:
  /// A meter with nothing in it yet; makes the group where that is possible.
  explicit CpuMeter(const std::string& name);
  CpuMeter(const CpuMeter&) = delete;
  CpuMeter& operator=(const CpuMeter&) = delete;
  /// Removes the group; every process of it must have ended.
  ~CpuMeter();

  /// What a new process writes itself to before exec; empty where /proc is used.
  std::string procs_file() const;
  /// For the /proc way: a process whose tree counts.
  void add(pid_t pid) { roots_.push_back(pid); }

  /// The time used so far, once the servers have come to rest (bounded wait).
  std::chrono::nanoseconds read_at_rest() const;

  const char* method() const { return group_.empty() ? "/proc" : "cpuacct"; }

 private:
  std::chrono::nanoseconds read() const;

  std::filesystem::path group_;
  std::vector<pid_t> roots_;
};

}  // namespace bench
