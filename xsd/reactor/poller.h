// SPDX-License-Identifier: Apache-2.0
//
// Poller: the demultiplexer behind the loop: epoll, poll or select. Level-triggered, one entry a descriptor,
// each with a 64-bit token that comes back with the events. All three behave the same for the loop; the same
// tests run over each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/base/result.h"

namespace xsd::reactor {

/// A set of the constants below.
using Events = unsigned;
inline constexpr Events kNone = 0;
inline constexpr Events kReadable = 1;  ///< data, end of file, or a connection to accept
inline constexpr Events kWritable = 2;  ///< room to write
inline constexpr Events kPriority = 4;  ///< urgent data (tcp(7), poll(2) POLLPRI)
/// Only reported, never asked for: error or hang-up in both directions. It is reported together with
/// kReadable and kWritable as far as these are asked for, so that a handler which only reads or writes meets
/// the error there. (Select cannot see it for an entry that asks for kPriority alone.)
inline constexpr Events kHangup = 8;

enum class PollerKind : std::uint8_t { Epoll, Poll, Select };

std::string_view poller_name(PollerKind kind) noexcept;
std::optional<PollerKind> parse_poller(std::string_view name) noexcept;

struct ReadyEntry {
  std::uint64_t token;
  Events events;
};

class Poller {
 public:
  static Result<std::unique_ptr<Poller>> create(PollerKind kind);
  virtual ~Poller() = default;

  virtual PollerKind kind() const noexcept = 0;
  /// False for numbers that this poller cannot hold.
  virtual bool can_hold(int fd) const noexcept = 0;
  /// Fails with EEXIST for a descriptor that is there already, EBADF for none, EPERM for a file that is
  /// always ready (regular files and directories), EINVAL for one that `can_hold` denies, ENOMEM or ENOSPC.
  /// `interest` may be kNone: the entry then stays silent, hang-ups included.
  virtual Status add(int fd, Events interest, std::uint64_t token) = 0;
  virtual void modify(int fd, Events interest, std::uint64_t token) noexcept = 0;
  virtual void remove(int fd) noexcept = 0;
  /// Waits until something is ready, `longest` has passed (rounded up to what the call can express; nullopt:
  /// for ever), or a signal interrupts it (then nothing is ready, as also after a hang-up that had to be
  /// swallowed). The span is valid until the next call.
  virtual std::span<const ReadyEntry> wait(std::optional<Duration> longest) noexcept = 0;
};

}  // namespace xsd::reactor
