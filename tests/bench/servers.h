// SPDX-License-Identifier: Apache-2.0
//
// The two sides of a comparison: References (the bare programs of limit/, one process per operation) and
// Daemon (one xsd with a generated configuration in a temporary folder). Both end with their owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cpu_meter.h"
#include "options.h"
#include "process.h"

namespace bench {

struct Ports {
  std::uint16_t echo = 0;
  std::uint16_t daytime = 0;
  std::uint16_t udp_echo = 0;
  std::uint16_t tiny = 0;
  std::uint16_t tiny_held = 0;  // the same, in a server that holds many descriptors
  std::uint16_t http = 0;
};

class References {
 public:
  static xsd::Result<References> start(const Options& options, CpuMeter& meter, int cpu, unsigned held);
  const Ports& ports() const { return ports_; }

 private:
  xsd::Result<std::uint16_t> launch(const Options& options, CpuMeter& meter, int cpu,
                                    const std::string& program, std::vector<std::string> arguments);

  TemporaryFolder folder_;
  std::vector<Process> processes_;
  Ports ports_;
};

class Daemon {
 public:
  /// The folder and the main file; nothing runs yet.
  static xsd::Result<Daemon> prepare(const Options& options);

  /// The library of a plugin that is not built in; services may name it.
  xsd::Status add_plugin(const std::filesystem::path& library);
  /// Writes conf.d/NAME.yaml. `more` are further lines of the service.
  xsd::Status plugin_service(const std::string& name, const std::string& plugin, std::uint16_t port,
                             bool with_udp, const std::string& more = {});
  xsd::Status program_service(const std::string& name, std::uint16_t port, const std::string& more = {});

  /// Starts it and waits for READY=1. `meter` may be null.
  xsd::Status start(CpuMeter* meter, int cpu, Deadline deadline);
  /// HUP, nothing waited for.
  xsd::Status hang_up();
  /// HUP, then READY=1.
  xsd::Status reload(Deadline deadline);
  /// TERM; at once when it is slow.
  void stop();

  pid_t pid() const { return process_.pid(); }
  /// `error` with the end of what the daemon wrote.
  xsd::Error explain(const std::string& error) const;

 private:
  const Options* options_ = nullptr;
  TemporaryFolder folder_;
  std::optional<ReadySocket> ready_;
  Process process_;
};

}  // namespace bench
