// SPDX-License-Identifier: Apache-2.0
//
// SourceTable: what one service knows about each of its sources: how many connections it has, and the token
// bucket of `source_rate`. A source is a peer's address cut to `source_prefix`. Pure: the time is passed in.
//
//   in use   it has connections. There are at most as many as the service has.
//   idle     it has none, but its bucket is not full yet. At most kMaxIdleSources; the one that was heard of
//            longest ago goes first, and begins with a full bucket if it comes again.
//   unknown  anybody else: a full bucket, no connections. An idle source whose bucket has filled up is
//            forgotten, two for each connection that comes, so that nothing ever walks the table.
//
// A connection that is refused holds no slot, and one refused by per_source takes no token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "xsd/config/definitions.h"
#include "xsd/config/rate.h"
#include "xsd/config/source_prefix.h"
#include "xsd/policy/source_map.h"
#include "xsd/policy/token_bucket.h"
#include "xsd/policy/verdict.h"

namespace xsd::policy {

inline constexpr std::size_t kMaxIdleSources = 65'536;

struct SourceLimits {
  config::Limit per_source;
  std::optional<config::RateLimit> source_rate;
  config::SourcePrefix prefix;
};

/// What a connection that was let in is counted under, to be given back when it ends. By a ticket rather than
/// by the peer, since what counts as one source may be another by then. The default is not counted.
class SourceTicket {
 public:
  SourceTicket() noexcept = default;

 private:
  friend class SourceTable;
  explicit SourceTicket(std::uint32_t slot) noexcept : slot_(slot) {}
  std::uint32_t slot_ = ~std::uint32_t{0};
};

class SourceTable {
 public:
  SourceTable(const SourceLimits& limits, HashSeed seed) : limits_(limits), sources_(seed) {}

  struct Admission {
    std::optional<Reason> refused;  ///< PerSource or SourceRate
    SourceTicket ticket;            ///< of one that was let in
  };
  Admission begin(const net::SocketAddress& peer, MonotonicTime now);
  /// Once for each connection that was let in.
  void end(SourceTicket ticket) noexcept;

  /// Of a reload: for connections to come. What was counted stays; where the prefix is another one,
  /// connections count from nothing under the new sources.
  void set_limits(const SourceLimits& limits) noexcept { limits_ = limits; }

  /// In use and idle.
  std::size_t size() const noexcept { return sources_.size(); }
  std::size_t idle() const noexcept { return idle_; }

 private:
  struct Source {
    TokenBucket bucket;
    std::uint32_t active = 0;
    std::uint32_t newer = kNone;  ///< of the idle
    std::uint32_t older = kNone;
  };
  using Map = SourceMap<Source>;
  static constexpr Map::Slot kNone = Map::kNone;

  void forget_full(MonotonicTime now) noexcept;
  void put_idle(Map::Slot slot) noexcept;
  void take_idle(Map::Slot slot) noexcept;

  SourceLimits limits_;
  Map sources_;
  std::size_t idle_ = 0;
  Map::Slot newest_ = kNone;
  Map::Slot oldest_ = kNone;
};

}  // namespace xsd::policy
