// SPDX-License-Identifier: Apache-2.0
//
// DescriptorReserve: descriptor numbers that connections cannot take, kept for what messages of the master
// bring: without them a worker that has accepted all it can could not be told of a reload. The soft limit
// (RLIMIT_NOFILE) of the process is lowered by them, and put back only while a message is received.
#pragma once

#include <sys/resource.h>

namespace xsd::process {

class DescriptorReserve {
 public:
  /// Of this process, from now on; as much as a message may bring, but at most an eighth of what there is.
  DescriptorReserve() noexcept;
  ~DescriptorReserve();
  DescriptorReserve(const DescriptorReserve&) = delete;
  DescriptorReserve& operator=(const DescriptorReserve&) = delete;

  /// Whether a descriptor has a number of the reserve.
  bool holds(int fd) const noexcept { return static_cast<rlim_t>(fd) >= lowered_.rlim_cur; }

  /// While it lives the numbers can be taken; nullptr: there is nothing to take. Leaves errno alone.
  class Use {
   public:
    explicit Use(const DescriptorReserve* reserve) noexcept;
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const DescriptorReserve* const reserve_;
  };

 private:
  rlimit whole_{};
  rlimit lowered_{};
};

}  // namespace xsd::process
