// SPDX-License-Identifier: Apache-2.0
//
// The load. Every operation is checked to the last byte, and whatever goes wrong is counted by its kind.
// Clients use many source addresses of 127.0.0.0/8 so that ports do not run out. All loops end at a deadline.
#pragma once

#include <cstdint>
#include <string>

#include "process.h"

namespace bench {

enum class Kind { Echo, Daytime, Tiny };  // what a short connection expects

struct Tally {
  std::uint64_t ok = 0;
  std::uint64_t refused = 0;
  std::uint64_t reset = 0;
  std::uint64_t cut_short = 0;  // ended, or answered, with less or something else than it should
  std::uint64_t timed_out = 0;
  std::uint64_t other = 0;

  std::uint64_t bad() const { return refused + reset + cut_short + timed_out + other; }
  /// Counts a call that failed with this errno value.
  void add_error(int error);
  Tally& operator+=(const Tally& more);
};

std::string describe(const Tally& tally);

struct ShortLoad {
  std::uint16_t port = 0;
  Kind kind = Kind::Echo;
  std::uint64_t connections = 0;  // at most so many
  unsigned parallel = 16;
  Deadline deadline;
  int stop_fd = -1;  // ends early when this becomes readable or is hung up; -1: never
};

/// Connections of one operation each, `parallel` of them under way at any time.
/// Echo: connect, send 64 bytes, receive them, shut down, see the end. Others: connect, read to the end.
Tally run_short(const ShortLoad& load);

/// Datagrams of 64 bytes, 16 under way at any time.
Tally run_udp(std::uint16_t port, std::uint64_t datagrams, Deadline deadline);

/// Round trips of 16 KiB over 4 connections.
Tally run_stream(std::uint16_t port, std::uint64_t round_trips, Deadline deadline);

/// A TCP socket connected to 127.0.0.1:`port` from the next source address, blocking with `timeout` on every
/// call; -errno on failure.
int connect_from_next_source(std::uint16_t port, std::chrono::milliseconds timeout);

/// One operation; true if all was as it should be.
bool ask_once(std::uint16_t port, Kind kind, std::chrono::milliseconds timeout);

}  // namespace bench
