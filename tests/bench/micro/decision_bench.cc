// SPDX-License-Identifier: Apache-2.0
//
// What it costs to decide about a connection of a service with every policy on that asks nobody else: bans,
// only_from, no_access, access_times with a time zone, max_load, instances, max_processes, per_source,
// source_rate, rate, cps. From the moment that it is accepted to where it is served, and what is given back
// at its end; no banner, no record (a system call and a line each, whatever was decided).
//   decision  of a service with no policy (0) and with all (1): `prefixes` in each of the two lists,
//   `clients`
//             that come in no order, and a full list of bans
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "xsd/config/access_times.h"
#include "xsd/config/address_rules.h"
#include "xsd/service/service.h"

namespace xsd::service {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

net::SocketAddress client(std::uint32_t number) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(number);
  return {reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address}};
}

/// Networks of 2^8 addresses, one after the other from `first` on.
std::vector<config::AddressRule> networks(std::uint32_t first, std::size_t count) {
  std::vector<config::AddressRule> rules;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = client(first + (static_cast<std::uint32_t>(i) << 8)).host() + "/24";
    rules.push_back(config::parse_address_rule(text).value());
  }
  return rules;
}

constexpr std::uint32_t kAllowed = 10U << 24;
constexpr std::uint32_t kRefused = 20U << 24;
constexpr std::uint32_t kBanned = 30U << 24;

/// A client comes every 5 us, however long it takes to decide about it: a limit of a million a second is
/// kept.
class Pace final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return MonotonicTime(hours(1) + passed_); }
  WallTime wall() const noexcept override { return WallTime(hours(500'000) + passed_); }
  void next() noexcept { passed_ += std::chrono::microseconds(5); }

 private:
  Duration passed_{};
};

/// Looks at connections and serves nobody.
class Door final : public Service {
 public:
  Door(ServiceContext& context, Prepared prepared) : Service(context, std::move(prepared)) {}

  bool look_at_one(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
                   const net::SocketAddress& local) {
    const bool is_in = greet(socket, id, &remote, &local) && admit(socket, id, remote, local, true);
    release(id);
    return is_in;
  }

  std::uint64_t active() const noexcept override { return 3; }
  void terminate(Duration, bool) override {}
  void kill() override {}
  void on_connection(Listener&, UniqueFd, const net::SocketAddress&) override {}
  void on_input(Listener&) override {}

 private:
  Listener::Mode listener_mode(const net::Endpoint&) const noexcept override {
    return Listener::Mode::AcceptBlocking;
  }
  void on_let_in(UniqueFd, std::uint64_t, const net::SocketAddress&, const net::SocketAddress&) override {}
};

std::shared_ptr<config::ServiceDefinition> with_all_policies(std::size_t prefixes) {
  auto definition = std::make_shared<config::ServiceDefinition>();
  definition->instances = {1000};
  definition->per_source = {20};
  config::ClientRules& clients = definition->clients.edit();
  clients.only_from = networks(kAllowed, prefixes);
  clients.no_access = networks(kRefused, prefixes);
  clients.access_times = {config::parse_access_window("Mon-Sun 00:00-12:00").value(),
                          config::parse_access_window("Mon-Sun 12:00-24:00").value()};
  clients.max_load = 1e6;
  clients.source_rate = config::RateLimit{{1'000'000, seconds(1)}, 1'000'000};
  clients.rate = {config::RateLimit{{config::kMaxCps, seconds(1)}, config::kMaxCps}, true};
  clients.cps = {config::kMaxCps, seconds(1)};
  return definition;
}

void decision(benchmark::State& state) {
  const bool with_policies = state.range(0) != 0;
  const auto prefixes = static_cast<std::size_t>(state.range(1));
  const auto count = static_cast<std::uint32_t>(state.range(2));
  Pace clock;
  const auto loop = reactor::EventLoop::create(reactor::PollerKind::Epoll, clock).value();
  ServiceContext context(*loop, process::Inheritance::capture());
  auto definition = std::make_shared<config::ServiceDefinition>();
  auto resolution = std::make_shared<config::Resolution>();
  if (with_policies) {
    definition = with_all_policies(prefixes);
    for (std::uint32_t i = 0; i < policy::kMaxBans; ++i)
      context.bans.add({policy::SourceKey::of(client(kBanned + i), {}).value(), policy::kForever},
                       loop->now());
  }
  Door door(context, Prepared{definition, resolution, nullptr});
  UniqueFd none;
  const net::SocketAddress local = client(kAllowed);
  std::vector<net::SocketAddress> remotes;
  std::mt19937 random(1);
  for (std::uint32_t i = 0; i < count; ++i)
    remotes.push_back(
        client(kAllowed + static_cast<std::uint32_t>(random()) % static_cast<std::uint32_t>(prefixes << 8)));
  std::uint64_t id = 0;
  std::uint64_t refused = 0;
  for (auto _ : state) {
    clock.next();
    if (++id % 64 == 0) (void)loop->run_once(Duration::zero());  // that many are accepted in a turn
    refused += door.look_at_one(none, id, remotes[random() % count], local) ? 0U : 1U;
  }
  if (refused > 0) state.SkipWithError("somebody was refused");
}
BENCHMARK(decision)
    ->ArgNames({"policies", "prefixes", "clients"})
    ->Args({0, 1, 1})
    ->ArgsProduct({{1}, {10, 1000, 50'000}, {1, 1000, 50'000}});

}  // namespace
}  // namespace xsd::service
