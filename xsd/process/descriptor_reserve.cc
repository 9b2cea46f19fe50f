// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/descriptor_reserve.h"

#include <algorithm>
#include <cerrno>

#include "xsd/process/channel.h"

namespace xsd::process {
namespace {

// Where it fails the numbers are just not kept, or not given: as without a reserve.
void set(const rlimit& limit) noexcept {
  const int error = errno;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  errno = error;
}

}  // namespace

DescriptorReserve::DescriptorReserve() noexcept {
  if (getrlimit(RLIMIT_NOFILE, &whole_) != 0) whole_ = {RLIM_INFINITY, RLIM_INFINITY};
  lowered_ = whole_;
  if (whole_.rlim_cur == RLIM_INFINITY) return;
  lowered_.rlim_cur -= std::min<rlim_t>(kMaxMessageFds, whole_.rlim_cur / 8);
  set(lowered_);
}

DescriptorReserve::~DescriptorReserve() {
  set(whole_);
}

DescriptorReserve::Use::Use(const DescriptorReserve* reserve) noexcept : reserve_(reserve) {
  if (reserve_ != nullptr) set(reserve_->whole_);
}

DescriptorReserve::Use::~Use() {
  if (reserve_ != nullptr) set(reserve_->lowered_);
}

}  // namespace xsd::process
