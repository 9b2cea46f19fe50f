// SPDX-License-Identifier: Apache-2.0
//
// Nginx: the reference of `http`, one nginx of the system with one worker process, a generated configuration
// and everything that it writes in a temporary folder. Ends with its owner; also when the driver is killed.
#pragma once

#include <cstdint>
#include <filesystem>

#include "cpu_meter.h"
#include "options.h"
#include "process.h"

namespace bench {

class Nginx {
 public:
  Nginx(Nginx&&) noexcept = default;
  Nginx& operator=(Nginx&&) noexcept = default;
  ~Nginx();

  /// Whether there is one on this machine.
  static bool is_installed();
  /// Serves the files of `root` on a free port of 127.0.0.1; returns once it listens.
  static xsd::Result<Nginx> start(const Options& options, CpuMeter& meter, int cpu,
                                  const std::filesystem::path& root);

  std::uint16_t port() const { return port_; }
  /// `error` with the end of what nginx wrote.
  xsd::Error explain(const std::string& error) const;

 private:
  Nginx() = default;

  TemporaryFolder folder_;
  Process process_;
  std::uint16_t port_ = 0;
};

}  // namespace bench
