// SPDX-License-Identifier: Apache-2.0
//
// NameCache: what was learned about the names of peers, for a while: names for a minute, that there are none
// for ten seconds, and that it could not be found out for five, so that a dead name server is asked once by
// each of them and its recovery is soon seen. It holds so many peers; the one that came first makes room.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/net/address.h"
#include "xsd/policy/source_map.h"

namespace xsd::policy {

class NameCache {
 public:
  struct Names {
    bool are_known = false;  ///< if not, it could not be found out whether there are any
    std::vector<std::string> names{};
  };
  static constexpr std::size_t kMostPeers = 4096;
  static constexpr Duration kNamesLast = std::chrono::minutes(1);
  static constexpr Duration kNoneLasts = std::chrono::seconds(10);
  static constexpr Duration kUnknownLasts = std::chrono::seconds(5);

  explicit NameCache(HashSeed seed) : entries_(seed) {}

  /// nullptr if nothing is known; else valid until the next `put`.
  const Names* find(const net::SocketAddress& peer, MonotonicTime now) const noexcept;
  /// Takes the place of what was known. Without effect for a peer that has no address.
  void put(const net::SocketAddress& peer, Names names, MonotonicTime now);

  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    Names names;
    MonotonicTime until{};
    std::uint32_t older = 0;
    std::uint32_t newer = 0;
  };
  using Map = SourceMap<Entry>;

  void erase(Map::Slot slot) noexcept;

  Map entries_;
  Map::Slot oldest_ = Map::kNone;
  Map::Slot newest_ = Map::kNone;
};

}  // namespace xsd::policy
