// SPDX-License-Identifier: Apache-2.0
//
// BanList: the sources that a service with SENSOR has caught, each until a time or for ever; looked at for
// every service of the daemon. A ban is about an address cut to the `source_prefix` of the service that saw
// it. Pure: the time is passed in; every change is a value, to be told to other processes.
//
// There are at most kMaxBans, so that nobody fills our memory from many addresses. When it is full, the one
// that ends soonest goes (the oldest of them if several do), the new one included: so the least time of ban
// is lost, and somebody with many addresses cannot wash out the long bans with short ones. A hit of who is
// banned already does not extend it.
//
// The bans are a heap by their end: of those that are over, one goes with each look, two with each new one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/policy/source_map.h"

namespace xsd::policy {

inline constexpr std::size_t kMaxBans = 10'240;
inline constexpr MonotonicTime kForever = MonotonicTime::max();

struct Ban {
  SourceKey source;
  MonotonicTime until;  ///< or kForever
  friend bool operator==(const Ban&, const Ban&) = default;
};

/// What a new ban did to the list.
struct BanChange {
  bool added = false;
  std::optional<SourceKey> removed;  ///< made room for it
};

class BanList {
 public:
  explicit BanList(HashSeed seed) : bans_(seed) {}

  /// Nothing is added if that source is banned, or if the ban is over.
  BanChange add(const Ban& ban, MonotonicTime now);
  /// False if there was none of exactly this source.
  bool remove(const SourceKey& source) noexcept;
  bool is_banned(const net::SocketAddress& peer, MonotonicTime now) noexcept;
  /// Those that are not over, in no order.
  std::vector<Ban> list(MonotonicTime now) const;
  /// How many are held.
  std::size_t size() const noexcept { return bans_.size(); }

 private:
  struct Entry {
    MonotonicTime until;
    std::uint64_t number = 0;  ///< counts up
    std::uint32_t place = 0;   ///< in the heap
  };
  using Map = SourceMap<Entry>;
  /// How many bans have which length, so that a look asks for each length that there is, which is hardly ever
  /// more than one.
  struct Lengths {
    std::array<std::uint16_t, 129> counts{};
    std::vector<std::uint8_t> used;
  };

  void drop_expired(MonotonicTime now, int most) noexcept;
  void erase(Map::Slot slot) noexcept;
  bool ends_before(Map::Slot a, Map::Slot b) const noexcept;
  void place(std::size_t at, Map::Slot slot) noexcept;
  void sift_up(std::size_t at) noexcept;
  void sift_down(std::size_t at) noexcept;
  Lengths& lengths(bool v4) noexcept { return v4 ? lengths_v4_ : lengths_v6_; }

  Map bans_;
  std::vector<Map::Slot> heap_;  ///< the one that ends soonest is in front
  std::uint64_t next_number_ = 0;
  Lengths lengths_v4_;
  Lengths lengths_v6_;
};

}  // namespace xsd::policy
