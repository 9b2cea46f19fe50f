// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/prefix_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <arpa/inet.h>

namespace xsd::net {
namespace {

using Entry = PrefixMap::Entry;

Prefix prefix(const std::string& text) {
  const auto slash = text.find('/');
  const std::string address = text.substr(0, slash);
  const unsigned length = slash == std::string::npos
                              ? Prefix::kV6Bits
                              : static_cast<unsigned>(std::stoul(text.substr(slash + 1)));
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return Prefix::v4(v4, length);
  in6_addr v6{};
  EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &v6), 1) << text;
  return Prefix::v6(v6, length);
}

/// The numbers are the places in the list, -1: nothing.
int found(const PrefixMap& map, const std::string& address) {
  const auto match = map.find(prefix(address));
  return match ? static_cast<int>(match->value) : -1;
}

PrefixMap make(const std::vector<std::string>& prefixes) {
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < prefixes.size(); ++i)
    entries.push_back({prefix(prefixes[i]), static_cast<std::uint32_t>(i)});
  return PrefixMap(std::move(entries));
}

TEST(PrefixMap, holds_nothing_at_first) {
  const PrefixMap map;
  EXPECT_EQ(map.size(), 0U);
  EXPECT_EQ(found(map, "10.0.0.1"), -1);
  EXPECT_EQ(found(map, "::1"), -1);
  EXPECT_EQ(found(PrefixMap(std::vector<Entry>{}), "10.0.0.1"), -1);
}

TEST(PrefixMap, finds_the_longest) {
  const PrefixMap map =
      make({"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "10.1.3.0/24", "11.0.0.0/8"});
  EXPECT_EQ(map.size(), 6U);
  EXPECT_EQ(found(map, "10.9.9.9"), 0);
  EXPECT_EQ(found(map, "10.1.9.9"), 1);
  EXPECT_EQ(found(map, "10.1.2.9"), 2);
  EXPECT_EQ(found(map, "10.1.2.3"), 3);
  EXPECT_EQ(found(map, "10.1.3.3"), 4);
  EXPECT_EQ(found(map, "11.1.3.3"), 5);
  EXPECT_EQ(found(map, "12.0.0.1"), -1);
  EXPECT_EQ(found(map, "9.255.255.255"), -1);
  EXPECT_EQ(map.find(prefix("10.1.9.9"))->bits, 96U + 16U);
}

TEST(PrefixMap, keeps_the_families_apart) {
  const PrefixMap all = make({"0.0.0.0/0", "::/0"});
  EXPECT_EQ(found(all, "255.1.2.3"), 0);
  EXPECT_EQ(found(all, "::ffff:255.1.2.3"), 0);
  EXPECT_EQ(found(all, "::1"), 1);
  EXPECT_EQ(found(all, "ffff::"), 1);
  EXPECT_EQ(found(make({"::/0"}), "10.0.0.1"), -1);
  EXPECT_EQ(found(make({"::fffe:0:0/95"}), "10.0.0.1"), -1);
  EXPECT_EQ(found(make({"0.0.0.0/0"}), "::"), -1);
  EXPECT_EQ(found(make({"0.0.0.0/0", "::fffe:0:0/95"}), "::fffe:a00:1"), 1);
}

TEST(PrefixMap, finds_nothing_in_gaps) {
  // Skipped bits, and places of an array that no leaf belongs to.
  const PrefixMap map = make({"10.0.0.0/9", "10.128.0.1", "10.224.0.0/11"});
  EXPECT_EQ(found(map, "10.127.255.255"), 0);
  EXPECT_EQ(found(map, "10.128.0.1"), 1);
  EXPECT_EQ(found(map, "10.128.0.2"), -1);
  EXPECT_EQ(found(map, "10.192.0.1"), -1);
  EXPECT_EQ(found(map, "10.255.0.1"), 2);
  EXPECT_EQ(found(map, "11.0.0.0"), -1);
}

TEST(PrefixMap, keeps_the_lowest_value_of_equal_networks) {
  const Prefix ten = prefix("10.0.0.0/8");
  const PrefixMap map(
      {{ten, 7}, {ten, 3}, {prefix("10.0.0.1"), 9}, {ten, 5}, {prefix("::ffff:10.0.0.1"), 8}});
  EXPECT_EQ(map.size(), 2U);
  EXPECT_EQ(found(map, "10.0.0.2"), 3);
  EXPECT_EQ(found(map, "10.0.0.1"), 8);
}

TEST(PrefixMap, follows_a_network_in_a_network_to_the_last_bit) {
  std::vector<Entry> entries;
  in6_addr address{};
  ASSERT_EQ(inet_pton(AF_INET6, "5555:5555:5555:5555:5555:5555:5555:5555", &address), 1);
  for (std::uint32_t bits = 0; bits <= 128; ++bits)
    entries.push_back({Prefix::v6(address, bits), bits});
  const PrefixMap map(entries);
  for (unsigned bits = 0; bits < 128; ++bits) {
    in6_addr other = address;  // agrees in just so many bits
    other.s6_addr[bits / 8] = static_cast<std::uint8_t>(other.s6_addr[bits / 8] ^ (0x80U >> (bits % 8)));
    EXPECT_EQ(map.find(Prefix::v6(other, 128)), (PrefixMap::Match{bits, bits}));
  }
  EXPECT_EQ(map.find(Prefix::v6(address, 128)), (PrefixMap::Match{128, 128}));
}

// ---- Against a search through all entries

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(engine_()) % limit; }
  std::uint32_t bits() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

/// Few different bits, so that much is nested, equal and near.
Prefix near_prefix(Random& random) {
  if (random.below(2) == 0) {
    in_addr address{};
    address.s_addr = htonl(0x0A000000U ^ (random.bits() & random.bits() & 0x83070181U));
    return Prefix::v4(address, random.below(4) == 0 ? 32 : random.below(33));
  }
  in6_addr address{};
  address.s6_addr[0] = 0x20;
  for (unsigned i = 0; i < 8; ++i) {
    std::uint8_t& byte = address.s6_addr[random.below(16)];
    byte = static_cast<std::uint8_t>(byte ^ (1U << random.below(8)));
  }
  if (random.below(3) == 0) address.s6_addr[10] = address.s6_addr[11] = 0xFF;
  return Prefix::v6(address, random.below(4) == 0 ? 128 : random.below(129));
}

Prefix far_prefix(Random& random) {
  if (random.below(2) == 0) {
    in_addr address{};
    address.s_addr = random.bits();
    return Prefix::v4(address, 8 + random.below(25));
  }
  in6_addr address{};
  for (auto& word : address.s6_addr32)
    word = random.bits();
  return Prefix::v6(address, 16 + random.below(113));
}

Prefix whole(const Prefix& prefix) {
  in6_addr address{};
  std::copy(prefix.bytes().begin(), prefix.bytes().end(), std::begin(address.s6_addr));
  return Prefix::v6(address, 128);
}

std::optional<PrefixMap::Match> search(const std::vector<Entry>& entries, const Prefix& address) {
  std::optional<PrefixMap::Match> best;
  for (const auto& [prefix, value] : entries) {
    if (!prefix.contains(address)) continue;
    if (best && (best->bits > prefix.bits() || (best->bits == prefix.bits() && best->value < value)))
      continue;
    best = PrefixMap::Match{value, prefix.bits()};
  }
  return best;
}

TEST(PrefixMap, agrees_with_a_search) {
  Random random(20261129);
  for (unsigned round = 0; round < 3000; ++round) {
    std::vector<Entry> entries;
    const bool near = round % 4 != 0;
    for (std::uint32_t i = random.below(round % 50 == 0 ? 600 : 40); i > 0; --i)
      entries.push_back({near ? near_prefix(random) : far_prefix(random), random.below(50)});
    const PrefixMap map(entries);
    for (unsigned i = 0; i < 60; ++i) {
      Prefix address = whole(near ? near_prefix(random) : far_prefix(random));
      if (i % 2 == 0 && !entries.empty()) {  // one in, or just beside, a network that is there
        Prefix::Bytes bytes =
            entries[random.below(static_cast<std::uint32_t>(entries.size()))].prefix.bytes();
        if (i % 4 == 0) bytes[random.below(16)] ^= static_cast<std::uint8_t>(1U << random.below(8));
        in6_addr raw{};
        std::copy(bytes.begin(), bytes.end(), std::begin(raw.s6_addr));
        address = Prefix::v6(raw, 128);
      }
      ASSERT_EQ(map.find(address), search(entries, address)) << round << " " << address.to_string();
    }
  }
}

TEST(PrefixMap, needs_at_most_64_bytes_a_network) {
  Random random(3);
  std::vector<Entry> entries;
  for (std::uint32_t i = 0; i < 50'000; ++i)
    entries.push_back({far_prefix(random), i});
  const PrefixMap far(entries);
  EXPECT_LT(far.bytes() / far.size(), 64U);
  EXPECT_GT(far.size(), 40'000U);

  // Leaves that come in pairs, far from each other, are what costs most.
  entries.clear();
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    in6_addr address{};
    address.s6_addr32[0] = random.bits();
    entries.push_back({Prefix::v6(address, 128), i});
    address.s6_addr[15] = 1;
    entries.push_back({Prefix::v6(address, 128), i});
  }
  const PrefixMap pairs(entries);
  EXPECT_LT(pairs.bytes() / pairs.size(), 64U);
}

std::optional<PrefixMap> viewed(const std::string& bytes) {
  // At an address that is a multiple of 8, as a mapping is.
  auto keep = std::make_shared<std::vector<std::uint64_t>>(bytes.size() / sizeof(std::uint64_t) + 1);
  std::memcpy(keep->data(), bytes.data(), bytes.size());
  const std::string_view view(reinterpret_cast<const char*>(keep->data()), bytes.size());
  return PrefixMap::view(view, std::move(keep));
}

TEST(PrefixMap, can_be_used_where_another_process_has_put_it) {
  Random random(7);
  std::vector<Entry> entries;
  for (std::uint32_t i = 0; i < 2'000; ++i)
    entries.push_back({far_prefix(random), i});
  const PrefixMap map(entries);
  std::string bytes;
  map.append_to(bytes);
  const auto view = viewed(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->size(), map.size());
  for (const Entry& entry : entries)
    EXPECT_EQ(view->find(entry.prefix), map.find(entry.prefix));
  const PrefixMap copy = *view;
  EXPECT_EQ(copy.find(entries.front().prefix), map.find(entries.front().prefix));

  bytes.clear();
  PrefixMap().append_to(bytes);
  EXPECT_EQ(viewed(bytes)->size(), 0U);
}

TEST(PrefixMap, is_not_made_of_bytes_that_are_not_as_many_as_they_say) {
  std::string bytes;
  make({"10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"}).append_to(bytes);
  ASSERT_TRUE(viewed(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(viewed(bytes.substr(0, size))) << size;
  EXPECT_FALSE(viewed(bytes + "x"));
}

}  // namespace
}  // namespace xsd::net
