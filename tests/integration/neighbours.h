// SPDX-License-Identifier: Apache-2.0
//
// Neighbours: two services that live beside one that does harm, in workers of their own: the built-in echo
// and the plugin plugin_1_0. A thread asks both all the time, over new connections and over one of each that
// is held from the beginning; then they must be as if nothing had happened.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "tests/integration/harness/harness.h"

namespace xsd::test {

/// What an answer may take on a loaded machine.
inline Milliseconds longest_answer() {
  return Milliseconds(is_sanitized() ? 3000 : 1000);
}

class Neighbours {
 public:
  /// Writes their files and a main file into the folder.
  explicit Neighbours(const TempFolder& folder);
  ~Neighbours();
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;

  std::uint16_t echo_port() const noexcept { return echo_; }
  /// Rounds of asking so far.
  std::uint64_t rounds() const noexcept { return rounds_; }
  void begin(Daemon& daemon);
  /// Ends the asking. Fails the test unless every answer was right and in time, and workers, connections and
  /// counters are what they were.
  void end();

 private:
  void work();
  void ask_all();
  void note(bool good, SteadyTime begin, const char* what);

  const std::uint16_t echo_ = free_port();
  const std::uint16_t other_ = free_port();
  Daemon* daemon_ = nullptr;
  pid_t echo_worker_ = 0;
  pid_t other_worker_ = 0;
  std::optional<Client> held_echo_;
  std::optional<Client> held_other_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> rounds_ = 0;
  Milliseconds slowest_{0};
  std::string first_fault_;
  std::thread thread_;
};

}  // namespace xsd::test
