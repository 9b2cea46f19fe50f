// SPDX-License-Identifier: Apache-2.0
//
// MemoryKills: how often the kernel has killed a process for want of memory in the control group of this one,
// which its children share. It tells nobody whom; so of a child that was killed, and not by us, it can be
// asked whether that has happened since somebody asked last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "xsd/base/unique_fd.h"

namespace xsd::reactor {

class MemoryKills {
 public:
  /// Of this process's group (cgroups(7), both versions); where there is no such count nothing is ever told.
  static MemoryKills of_own_group();
  /// From a file with a line "oom_kill NUMBER", as `memory.events` is.
  static MemoryKills at(const std::string& path);

  /// True if there was one that has not been asked about yet; then it has.
  bool take() noexcept;

 private:
  std::optional<std::uint64_t> read() const noexcept;

  UniqueFd file_;
  std::uint64_t taken_ = 0;
};

}  // namespace xsd::reactor
