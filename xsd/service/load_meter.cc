// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/load_meter.h"

#include <sys/sysinfo.h>

namespace xsd::service {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(1);
constexpr double kLoadUnit = 65536;  // SI_LOAD_SHIFT of <linux/sysinfo.h>

}  // namespace

double read_load() noexcept {
  struct sysinfo info {};
  return sysinfo(&info) == 0 ? static_cast<double>(info.loads[0]) / kLoadUnit : 0;
}

LoadMeter::LoadMeter(reactor::EventLoop& loop)
    : timer_(loop, [this] {
        if (is_asked_for_) sample();
      }) {}

double LoadMeter::value() {
  if (!timer_.armed()) sample();
  is_asked_for_ = true;
  return value_;
}

void LoadMeter::sample() {
  value_ = read_();
  is_asked_for_ = false;
  timer_.arm(kPeriod);
}

}  // namespace xsd::service
