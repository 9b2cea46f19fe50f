// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/source_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace xsd::policy {
namespace {

using Map = SourceMap<std::uint64_t>;

TEST(SourceMap, agrees_with_an_ordered_map) {
  std::mt19937_64 random(1);
  Map map({1, 2});
  struct Known {
    Map::Slot slot;
    std::uint64_t value;
  };
  std::map<std::uint64_t, Known> model;
  for (int i = 0; i < 200'000; ++i) {
    // It grows to a few thousand and is emptied, again and again.
    const bool growing = i % 20'000 < 10'000;
    const std::uint64_t number = random() % 8192;
    const SourceKey key{.high = number, .low = 0, .bits = 64, .v4 = false};
    const auto known = model.find(number);
    const Map::Slot slot = map.find(key);
    ASSERT_EQ(slot, known == model.end() ? Map::kNone : known->second.slot);
    if (slot == Map::kNone) {
      if (growing) model[number] = {map.insert(key, random() % 100), 0};
      if (growing) model[number].value = map[model[number].slot];
    } else {
      ASSERT_EQ(map[slot], known->second.value);
      ASSERT_EQ(map.key(slot), key);
      if (!growing || random() % 8 == 0) {
        map.erase(slot);
        model.erase(known);
      }
    }
    ASSERT_EQ(map.size(), model.size());
  }
  for (const auto& [number, known] : model)
    map.erase(known.slot);
  EXPECT_EQ(map.size(), 0U);
  EXPECT_EQ(map.find({.high = 1, .low = 0, .bits = 64, .v4 = false}), Map::kNone);
}

}  // namespace
}  // namespace xsd::policy
