// SPDX-License-Identifier: Apache-2.0
//
// LoadMeter: the load of the machine, one minute's mean, for `max_load`. A timer samples it every second
// while somebody asks, so that a client costs no system call; when nobody has asked for a second it stops,
// and an idle daemon sleeps. Owned by the ServiceContext of each process.
#pragma once

#include <functional>
#include <utility>

#include "xsd/reactor/event_loop.h"

namespace xsd::service {

/// From the kernel, without a file: workers cannot open any. 0 where it does not tell.
double read_load() noexcept;

class LoadMeter {
 public:
  explicit LoadMeter(reactor::EventLoop& loop);

  double value();
  /// Another source, for tests.
  void read_with(std::function<double()> read) { read_ = std::move(read); }

 private:
  void sample();

  std::function<double()> read_ = &read_load;
  double value_ = 0;
  bool is_asked_for_ = false;  ///< since the last sample
  reactor::Timer timer_;
};

}  // namespace xsd::service
