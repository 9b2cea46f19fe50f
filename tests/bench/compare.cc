// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include <sched.h>

#include "client.h"
#include "holder.h"
#include "servers.h"

namespace bench {
namespace {

constexpr unsigned kIdle = 10'000;
constexpr double kAcceptBar = 1.30;
constexpr double kDatagramBar = 1.25;
constexpr double kStreamBar = 1.25;
constexpr double kSpawnBar = 1.15;
constexpr double kIdleBar = 1.25;

struct Plan {
  int rounds;
  double round_seconds;
};

struct Operation {
  std::string name;
  double bar;
  std::uint64_t probe;  // so many to find out how fast it goes
  std::function<Tally(const Ports&, std::uint64_t count, Deadline)> run;
};

struct Side {
  std::unique_ptr<CpuMeter> meter;
  std::optional<References> references;
  std::optional<Daemon> daemon;
  std::optional<Holder> holder;
  Ports ports;
};

// The processors: servers on the last, clients on the first of those that we may use; -1 where there is one
// only.
struct Placement {
  int servers = -1;
  int clients = -1;
};

Placement placement(const Options& options) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  Placement place;
  if (!options.pin || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
    return place;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) continue;
    if (place.clients < 0) place.clients = cpu;
    place.servers = cpu;
  }
  return place;
}

// The driver's own affinity while it is a client; its children inherit it, so servers set theirs.
class Pinned {
 public:
  explicit Pinned(int cpu) {
    if (cpu < 0 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(cpu), &one);
    changed_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() {
    if (changed_) (void)sched_setaffinity(0, sizeof before_, &before_);
  }

 private:
  cpu_set_t before_{};
  bool changed_ = false;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

xsd::Status start_references(Side& side, const Options& options, const std::string& name, int cpu) {
  side.meter = std::make_unique<CpuMeter>(name);
  xsd::Result<References> references = References::start(options, *side.meter, cpu, kIdle);
  if (!references) return std::move(references.error());
  side.references = std::move(*references);
  side.ports = side.references->ports();
  return {};
}

xsd::Status start_daemon(Side& side, const Options& options, int cpu) {
  side.meter = std::make_unique<CpuMeter>("xsd");
  xsd::Result<Daemon> daemon = Daemon::prepare(options);
  if (!daemon) return std::move(daemon.error());
  xsd::Result<std::vector<std::uint16_t>> ports = free_ports(3);
  if (!ports) return std::move(ports.error());
  side.ports = {.echo = (*ports)[0],
                .daytime = (*ports)[1],
                .udp_echo = (*ports)[0],
                .tiny = (*ports)[2],
                .tiny_held = (*ports)[2]};
  side.daemon = std::move(*daemon);
  for (xsd::Status status : {side.daemon->plugin_service("echo", "echo", side.ports.echo, true),
                             side.daemon->plugin_service("daytime", "daytime", side.ports.daytime, false),
                             side.daemon->program_service("tiny", side.ports.tiny)}) {
    if (!status) return status;
  }
  return side.daemon->start(side.meter.get(), cpu, Clock::now() + std::chrono::seconds(10));
}

Operation short_operation(const std::string& name, double bar, Kind kind, unsigned parallel,
                          std::uint64_t probe, std::uint16_t Ports::*port) {
  return {name, bar, probe, [=](const Ports& ports, std::uint64_t count, Deadline deadline) {
            return run_short({.port = ports.*port,
                              .kind = kind,
                              .connections = count,
                              .parallel = parallel,
                              .deadline = deadline});
          }};
}

struct Sample {
  double us_per_operation = 0;
  double seconds = 0;
};

xsd::Result<Sample> measure(const Side& side, const Operation& operation, std::uint64_t count) {
  const std::chrono::nanoseconds before = side.meter->read_at_rest();
  const Clock::time_point start = Clock::now();
  const Tally tally = operation.run(side.ports, count, start + std::chrono::seconds(60));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const std::chrono::nanoseconds used = side.meter->read_at_rest() - before;
  if (tally.bad() > 0 || tally.ok == 0) {
    const std::string text = (side.daemon ? "xsd: " : "reference: ") + describe(tally);
    return side.daemon ? side.daemon->explain(text) : xsd::Error(text);
  }
  return Sample{std::chrono::duration<double, std::micro>(used).count() / static_cast<double>(tally.ok),
                seconds};
}

xsd::Result<Comparison> run_rounds(const Side& reference, const Side& xsd_side, const Operation& operation,
                                   const Plan& plan) {
  // The probe warms both up and says how many operations make a round.
  xsd::Result<Sample> probe = measure(xsd_side, operation, operation.probe);
  if (!probe) return std::move(probe.error());
  probe = measure(reference, operation, operation.probe);
  if (!probe) return std::move(probe.error());
  const double rate = static_cast<double>(operation.probe) / std::max(probe->seconds, 0.001);
  const auto count = static_cast<std::uint64_t>(std::clamp(rate * plan.round_seconds, 100.0, 500'000.0));

  std::vector<double> reference_us;
  std::vector<double> xsd_us;
  std::vector<double> ratios;
  for (int round = 0; round < plan.rounds; ++round) {
    // The order changes with each round, so that neither side always comes second.
    const bool reference_first = round % 2 == 0;
    xsd::Result<Sample> first = measure(reference_first ? reference : xsd_side, operation, count);
    if (!first) return std::move(first.error());
    xsd::Result<Sample> second = measure(reference_first ? xsd_side : reference, operation, count);
    if (!second) return std::move(second.error());
    reference_us.push_back((reference_first ? first : second)->us_per_operation);
    xsd_us.push_back((reference_first ? second : first)->us_per_operation);
    ratios.push_back(xsd_us.back() / std::max(reference_us.back(), 0.001));
  }
  const auto [lowest, highest] = std::minmax_element(ratios.begin(), ratios.end());
  return Comparison{operation.name, median(reference_us), median(xsd_us), median(ratios), *lowest,
                    *highest,       operation.bar};
}

xsd::Status hold_idle(Side& side) {
  xsd::Result<Holder> holder = Holder::start(side.ports.echo, kIdle, Clock::now() + std::chrono::seconds(30));
  if (!holder) return std::move(holder.error());
  side.holder = std::move(*holder);
  return {};
}

void run_all(const std::vector<Operation>& operations, const Side& reference, const Side& xsd_side,
             const Plan& plan, Report& report) {
  for (const Operation& operation : operations) {
    xsd::Result<Comparison> row = run_rounds(reference, xsd_side, operation, plan);
    if (row) {
      report.add(*row);
    } else {
      report.fail(operation.name, row.error().text());
    }
  }
}

void run_idle(Side& reference, Side& xsd_side, const Plan& plan, Report& report) {
  for (Side* side : {&reference, &xsd_side}) {
    if (xsd::Status held = hold_idle(*side); !held) {
      const std::string text = (side->daemon ? "xsd: " : "reference: ") + held.error().text();
      report.fail("10 000 idle", side->daemon ? side->daemon->explain(text).text() : text);
      return;
    }
  }
  run_all({short_operation("echo, 10 000 idle", kIdleBar, Kind::Echo, 16, 3000, &Ports::echo),
           short_operation("spawn, 10 000 idle", kIdleBar, Kind::Tiny, 4, 300, &Ports::tiny_held)},
          reference, xsd_side, plan, report);
  for (Side* side : {&reference, &xsd_side}) {
    const xsd::Result<unsigned> silent = side->holder->release(Clock::now() + std::chrono::seconds(10));
    if (!silent || *silent != kIdle) {
      report.fail("10 000 idle", silent ? std::to_string(kIdle - *silent) + " were not left in peace"
                                        : silent.error().text());
    }
  }
}

}  // namespace

void compare(const Options& options, Report& report) {
  const Placement place = placement(options);
  Side reference;
  Side xsd_side;
  xsd::Status started = start_references(reference, options, "reference", place.servers);
  if (started) {
    started = options.self_test ? start_references(xsd_side, options, "self", place.servers)
                                : start_daemon(xsd_side, options, place.servers);
  }
  if (!started) {
    report.fail("compare", started.error().text());
    return;
  }
  const bool exact = std::string(reference.meter->method()) == "cpuacct";
  const Plan plan = options.quick ? Plan{9, exact ? 0.08 : 0.5} : Plan{25, exact ? 0.17 : 1.0};
  report.section(std::string("Processor time per operation (user+system of server and children, by ") +
                 reference.meter->method() + "), median of " + std::to_string(plan.rounds) +
                 " interleaved rounds" +
                 (place.servers >= 0 ? ", servers on one processor, clients on another" : "") +
                 (options.self_test ? "; SELF-TEST: the references on both sides" : ""));

  const Pinned pinned(place.clients);
  std::vector<Operation> operations;
  if (options.wants("echo")) {
    operations.push_back(
        short_operation("echo, short connections", kAcceptBar, Kind::Echo, 16, 3000, &Ports::echo));
  }
  if (options.wants("daytime")) {
    operations.push_back(
        short_operation("daytime, short connections", kAcceptBar, Kind::Daytime, 16, 3000, &Ports::daytime));
  }
  if (options.wants("udp")) {
    operations.push_back({"UDP echo, datagrams", kDatagramBar, 8000,
                          [](const Ports& ports, std::uint64_t count, Deadline deadline) {
                            return run_udp(ports.udp_echo, count, deadline);
                          }});
  }
  if (options.wants("stream")) {
    operations.push_back({"echo stream, 16 KiB round trips", kStreamBar, 4000,
                          [](const Ports& ports, std::uint64_t count, Deadline deadline) {
                            return run_stream(ports.echo, count, deadline);
                          }});
  }
  if (options.wants("spawn")) {
    operations.push_back(
        short_operation("spawn, a program per connection", kSpawnBar, Kind::Tiny, 4, 300, &Ports::tiny));
  }
  run_all(operations, reference, xsd_side, plan, report);
  if (options.wants("idle")) run_idle(reference, xsd_side, plan, report);
  if (xsd_side.daemon) xsd_side.daemon->stop();
}

}  // namespace bench
