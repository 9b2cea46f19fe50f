// SPDX-License-Identifier: Apache-2.0
//
// What a connection pays for being looked at:
//   bucket    one of many token buckets, taken from in no order
//   source    the table of sources: begin and end of a connection
//   ban       a look at the list of bans
//   times     a look at access_times, and the hash of a source alone
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "xsd/config/access_times.h"
#include "xsd/policy/access_times.h"
#include "xsd/policy/ban_list.h"
#include "xsd/policy/source_table.h"
#include "xsd/policy/token_bucket.h"

namespace xsd::policy {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr HashSeed kSeed{0x0123456789abcdef, 0xfedcba9876543210};
constexpr MonotonicTime kStart{hours(1)};

/// So many clients, in no order.
std::vector<net::SocketAddress> clients(std::size_t count, bool v6, std::uint32_t first = 0) {
  std::vector<net::SocketAddress> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = htonl(first + static_cast<std::uint32_t>(i));
    if (v6) {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr.s6_addr32[0] = htonl(0x20010db8);
      address.sin6_addr.s6_addr32[1] = number;
      out.emplace_back(reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address});
    } else {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = number;
      out.emplace_back(reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address});
    }
  }
  std::shuffle(out.begin(), out.end(), std::mt19937(1));
  return out;
}

void bucket(benchmark::State& state) {
  const config::RateLimit limit{{10, seconds(1)}, 20};
  std::vector<TokenBucket> buckets(static_cast<std::size_t>(state.range(0)));
  std::mt19937 random(1);
  MonotonicTime now = kStart;
  for (auto _ : state) {
    now += microseconds(5);
    benchmark::DoNotOptimize(buckets[random() % buckets.size()].take(limit, now));
  }
}
BENCHMARK(bucket)->ArgName("buckets")->Arg(1)->Arg(1000)->Arg(100'000);

/// A connection of a random client begins and ends; half of the clients hold another one all the time.
void source(benchmark::State& state) {
  const bool limited = state.range(1) != 0;
  const auto peers = clients(static_cast<std::size_t>(state.range(0)), state.range(2) == 6);
  SourceLimits limits;
  limits.per_source = {2};
  if (limited) limits.source_rate = config::RateLimit{{1, hours(1)}, 1'000'000};
  SourceTable table(limits, kSeed);
  for (std::size_t i = 0; i < peers.size() / 2; ++i)
    (void)table.begin(peers[i], kStart);
  std::mt19937 random(1);
  MonotonicTime now = kStart;
  for (auto _ : state) {
    now += microseconds(5);
    const auto admission = table.begin(peers[random() % peers.size()], now);
    benchmark::DoNotOptimize(admission.refused);
    table.end(admission.ticket);
  }
  state.counters["known"] = static_cast<double>(table.size());
}
BENCHMARK(source)
    ->ArgNames({"clients", "source_rate", "ip"})
    ->ArgsProduct({{1, 1000, 100'000}, {0, 1}, {4, 6}});

/// Nobody comes twice: the table is full, each new source displaces another.
void source_flood(benchmark::State& state) {
  SourceLimits limits;
  limits.source_rate = config::RateLimit{{1, hours(1)}, 10};
  SourceTable table(limits, kSeed);
  const auto peers = clients(1'000'000, true);
  std::size_t next = 0;
  for (auto _ : state) {
    table.end(table.begin(peers[next], kStart).ticket);
    next = next + 1 == peers.size() ? 0 : next + 1;
  }
  state.counters["known"] = static_cast<double>(table.size());
}
BENCHMARK(source_flood);

void ban(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const bool hit = state.range(1) != 0;
  const bool v6 = state.range(2) == 6;
  BanList bans(kSeed);
  const auto banned = clients(count, v6);
  for (const auto& peer : banned)
    bans.add({SourceKey::of(peer, {}).value(), kForever}, kStart);
  const auto peers = hit ? banned : clients(10'240, v6, 1'000'000);
  std::mt19937 random(1);
  for (auto _ : state)
    benchmark::DoNotOptimize(bans.is_banned(peers[random() % peers.size()], kStart));
}
BENCHMARK(ban)
    ->ArgNames({"bans", "hit", "ip"})
    ->ArgsProduct({{1, 1000, 10'240}, {0, 1}, {4, 6}})
    ->Args({0, 0, 4});

/// A full list, each new ban displaces another.
void ban_add(benchmark::State& state) {
  BanList bans(kSeed);
  const auto peers = clients(100'000, false);
  MonotonicTime now = kStart;
  std::size_t next = 0;
  for (auto _ : state) {
    now += microseconds(5);
    benchmark::DoNotOptimize(bans.add({SourceKey::of(peers[next], {}).value(), now + hours(1)}, now));
    next = next + 1 == peers.size() ? 0 : next + 1;
  }
}
BENCHMARK(ban_add);

void times(benchmark::State& state) {
  static constexpr const char* kZones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3"};
  const TimeZone zone = TimeZone::from_rule(kZones[state.range(0)]).value();
  state.SetLabel(kZones[state.range(0)]);
  const AccessSchedule schedule(std::vector{config::parse_access_window("Mon-Fri 8:00-18:00").value(),
                                            config::parse_access_window("Sat,Sun 22:00-6:00").value()});
  WallTime now(hours(500'000));
  for (auto _ : state) {
    now += seconds(61);
    benchmark::DoNotOptimize(schedule.ask(zone, now));
  }
}
BENCHMARK(times)->ArgName("zone")->DenseRange(0, 1);

void source_hash(benchmark::State& state) {
  SourceKey key = SourceKey::of(clients(1, true).front(), {}).value();
  for (auto _ : state)
    key.high = key.hash(kSeed);
  benchmark::DoNotOptimize(key);
}
BENCHMARK(source_hash);

}  // namespace
}  // namespace xsd::policy
