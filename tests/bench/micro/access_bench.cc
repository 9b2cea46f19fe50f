// SPDX-License-Identifier: Apache-2.0
//
// What address lists cost, up to a million networks of both families:
//   build        a PrefixMap of them (the counters say what it takes of memory), and an address file of them
//   find         the trie against a binary search over sorted networks that ascends to the covering ones
//   decide       an AccessList: by address, by names
// Addresses asked for are inside networks that are there, in random order, half of IPv4.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "xsd/config/address_rules.h"
#include "xsd/config/diagnostic.h"
#include "xsd/net/prefix_map.h"
#include "xsd/policy/access_list.h"

namespace xsd {
namespace {

using net::Prefix;
using net::PrefixMap;
using net::SocketAddress;
using Entries = std::vector<PrefixMap::Entry>;

constexpr std::size_t kAsked = 1U << 16;

std::uint32_t next(std::mt19937& random) {
  return static_cast<std::uint32_t>(random());
}

/// Lengths 8 to 32 and 16 to 128; or, `real`, as a blocklist has them: IPv4 single or /24, IPv6 /48 and /64
/// of 2000::/12.
Entries random_entries(std::size_t count, bool real) {
  std::mt19937 random(1);
  Entries entries;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i % 2 == 0) {
      in_addr address{};
      address.s_addr = next(random);
      entries.push_back({Prefix::v4(address, real ? (i % 8 == 0 ? 24 : 32) : 8 + next(random) % 25), i});
    } else {
      in6_addr address{};
      for (auto& word : address.s6_addr32)
        word = next(random);
      if (real) {
        address.s6_addr[0] = 0x20;
        address.s6_addr[1] = static_cast<std::uint8_t>(address.s6_addr[1] & 0x0FU);
      }
      entries.push_back({Prefix::v6(address, real ? (i % 4 == 1 ? 48 : 64) : 16 + next(random) % 113), i});
    }
  }
  return entries;
}

std::vector<SocketAddress> random_peers(const Entries& entries) {
  std::mt19937 random(2);
  std::vector<SocketAddress> peers;
  for (std::size_t i = 0; i < kAsked; ++i) {
    const Prefix& prefix = entries[next(random) % entries.size()].prefix;
    sockaddr_in6 raw{};
    raw.sin6_family = AF_INET6;
    for (unsigned bit = 0; bit < 128; ++bit) {
      const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
      const bool given = bit < prefix.bits();
      if (given ? (prefix.bytes()[bit / 8] & mask) != 0 : (next(random) & 1U) != 0)
        raw.sin6_addr.s6_addr[bit / 8] |= mask;
    }
    peers.emplace_back(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
  }
  return peers;
}

/// The plain alternative: sorted networks, each with the one that covers it.
class Sorted {
 public:
  explicit Sorted(Entries entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(),
              [](const auto& a, const auto& b) { return a.prefix < b.prefix; });
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      while (!open.empty() && !entries_[open.back()].prefix.contains(entries_[i].prefix))
        open.pop_back();
      covers_.push_back(open.empty() ? kNone : open.back());
      open.push_back(i);
    }
  }
  bool find(const Prefix& address) const {
    const auto behind =
        std::upper_bound(entries_.begin(), entries_.end(), address,
                         [](const Prefix& a, const PrefixMap::Entry& b) { return a < b.prefix; });
    if (behind == entries_.begin()) return false;
    auto i = static_cast<std::size_t>(behind - entries_.begin()) - 1;
    while (i != kNone && !entries_[i].prefix.contains(address))
      i = covers_[i];
    return i != kNone;
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  Entries entries_;
  std::vector<std::size_t> covers_;
};

#define XSD_COUNTS ArgNames({"networks", "real"})->ArgsProduct({{10, 1000, 1'000'000}, {0, 1}})

void build(benchmark::State& state) {
  const Entries entries = random_entries(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  PrefixMap map;
  for (auto _ : state)
    map = PrefixMap(entries);
  state.counters["MiB"] = static_cast<double>(map.bytes()) / (1 << 20);
  state.counters["bytes_each"] = static_cast<double>(map.bytes()) / static_cast<double>(map.size());
}
BENCHMARK(build)->XSD_COUNTS->Unit(benchmark::kMillisecond);

void parse_file(benchmark::State& state) {
  std::string text;
  for (const auto& entry : random_entries(static_cast<std::size_t>(state.range(0)), true))
    text += entry.prefix.to_string() + "\n";
  for (auto _ : state) {
    config::AddressSet set;
    config::DiagnosticSink sink("list", text);
    config::parse_address_file(text, 0, set, sink);
    if (sink.has_errors()) state.SkipWithError("the file has errors");
    benchmark::DoNotOptimize(set);
  }
}
BENCHMARK(parse_file)->ArgName("networks")->Arg(1'000'000)->Unit(benchmark::kMillisecond);

template <class Map>
void find(benchmark::State& state) {
  Entries entries = random_entries(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  std::vector<Prefix> addresses;
  for (const SocketAddress& peer : random_peers(entries))
    addresses.push_back(*Prefix::of(peer));
  const Map map(std::move(entries));
  std::size_t i = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(map.find(addresses[i++ % addresses.size()]));
}
BENCHMARK_TEMPLATE(find, PrefixMap)->XSD_COUNTS;
BENCHMARK_TEMPLATE(find, Sorted)->XSD_COUNTS;

void decide_by_address(benchmark::State& state) {
  const Entries entries = random_entries(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  config::AddressSet sets[2];
  for (const auto& [prefix, entry] : entries)
    sets[entry % 3 == 0 ? 1 : 0].add(prefix, entry);
  const policy::AccessList list(sets[0], sets[1]);
  const std::vector<SocketAddress> peers = random_peers(entries);
  std::size_t i = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(list.decide(peers[i++ % peers.size()]));
}
BENCHMARK(decide_by_address)->XSD_COUNTS;

void decide_by_name(benchmark::State& state) {
  using Kind = config::AddressSet::NameKind;
  const auto count = static_cast<std::uint32_t>(state.range(0));
  config::AddressSet sets[2];
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name = "net" + std::to_string(i) + ".customers.example.org";
    const bool is_host = i % 2 == 0;
    sets[i / 2 % 2].add(is_host ? Kind::Host : Kind::Domain, is_host ? name : "." + name, i);
    names.push_back(is_host ? name : "Host." + name);
  }
  std::shuffle(names.begin(), names.end(), std::mt19937(3));
  names.resize(std::min(names.size(), kAsked));
  names = std::vector<std::string>(names);  // side by side in memory again, as a peer's names are warm
  const policy::AccessList list(sets[0], sets[1]);
  const auto peer = SocketAddress::parse("192.0.2.7", 7);
  std::size_t i = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(list.decide(*peer, {true, {&names[i++ % names.size()], 1}}));
}
BENCHMARK(decide_by_name)->ArgName("names")->Arg(10)->Arg(1000)->Arg(1'000'000);

}  // namespace
}  // namespace xsd
