// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include "client.h"
#include "holder.h"
#include "http_client.h"
#include "nginx.h"
#include "servers.h"

namespace bench {
namespace {

constexpr unsigned kIdle = 10'000;
constexpr double kAcceptBar = 1.30;
constexpr double kDatagramBar = 1.25;
constexpr double kStreamBar = 1.25;
constexpr double kSpawnBar = 1.15;
constexpr double kIdleBar = 1.25;
constexpr double kHttpBar = 1.50;
constexpr std::array kPluginOperations = {"echo", "daytime", "udp", "stream"};

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
  std::optional<Nginx> nginx;
  std::optional<Daemon> daemon;
  std::optional<Holder> holder;
  Ports ports;

  xsd::Error explain(const std::string& error) const {
    if (daemon) return daemon->explain("xsd: " + error);
    return nginx ? nginx->explain(error) : xsd::Error("reference: " + error);
  }
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

xsd::Status start_nginx(Side& side, const Options& options, const std::string& name, int cpu,
                        const std::filesystem::path& root) {
  side.meter = std::make_unique<CpuMeter>(name);
  xsd::Result<Nginx> nginx = Nginx::start(options, *side.meter, cpu, root);
  if (!nginx) return std::move(nginx.error());
  side.ports.http = nginx->port();
  side.nginx.emplace(std::move(*nginx));
  return {};
}

xsd::Status start_httpd(Side& side, const Options& options, int cpu, const std::filesystem::path& root) {
  side.meter = std::make_unique<CpuMeter>("xsd");
  xsd::Result<Daemon> daemon = Daemon::prepare(options);
  if (!daemon) return std::move(daemon.error());
  xsd::Result<std::vector<std::uint16_t>> ports = free_ports(1);
  if (!ports) return std::move(ports.error());
  side.ports.http = ports->front();
  side.daemon = std::move(*daemon);
  if (xsd::Status added = side.daemon->add_plugin(options.plugins + "/httpd.so"); !added) return added;
  const std::string settings = "settings:\n  root: " + root.string() + "\n";
  if (xsd::Status written = side.daemon->plugin_service("web", "httpd", side.ports.http, false, settings);
      !written)
    return written;
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
  if (tally.bad() > 0 || tally.ok == 0) return side.explain(describe(tally));
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
      report.fail("10 000 idle", side->explain(held.error().text()).text());
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

Plan plan_for(const Options& options, const CpuMeter& meter) {
  const bool exact = std::string(meter.method()) == "cpuacct";
  return options.quick ? Plan{9, exact ? 0.08 : 0.5} : Plan{25, exact ? 0.17 : 1.0};
}

std::string title(const Options& options, const std::string& what, const CpuMeter& meter, const Plan& plan,
                  const Placement& place) {
  return what + ": processor time per operation (user+system of server and children, by " + meter.method() +
         "), median of " + std::to_string(plan.rounds) + " interleaved rounds" +
         (place.servers >= 0 ? ", servers on one processor, clients on another" : "") +
         (options.self_test ? "; SELF-TEST: the references on both sides" : "");
}

std::vector<Operation> operations_of(const Options& options) {
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
  return operations;
}

// The operations that the references answer.
void compare_limits(const Options& options, const Placement& place, Report& report) {
  const std::string what =
      options.workers == Workers::None ? "Without workers (--workers 0)" : "With workers (the default)";
  Side reference;
  Side xsd_side;
  xsd::Status started = start_references(reference, options, "reference", place.servers);
  if (started) {
    started = options.self_test ? start_references(xsd_side, options, "self", place.servers)
                                : start_daemon(xsd_side, options, place.servers);
  }
  if (!started) return report.fail(what, started.error().text());
  const Plan plan = plan_for(options, *reference.meter);
  report.section(title(options, what, *reference.meter, plan, place));
  const Pinned pinned(place.clients);
  run_all(operations_of(options), reference, xsd_side, plan, report);
  if (options.wants("idle")) run_idle(reference, xsd_side, plan, report);
  if (xsd_side.daemon) xsd_side.daemon->stop();
}

Operation http_operation(const std::string& size, const std::string& path, std::uint64_t probe,
                         const std::string& body) {
  return {"http, " + size + " file, keep-alive", kHttpBar, probe,
          [=, &body](const Ports& ports, std::uint64_t count, Deadline deadline) {
            return run_http(
                {.port = ports.http, .path = path, .body = body, .requests = count, .deadline = deadline});
          }};
}

std::string bytes_for_file(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>('a' + (i + i / 251) % 26);
  return bytes;
}

xsd::Status write_served(const std::filesystem::path& path, const std::string& bytes) {
  if (xsd::Status written = write_file(path, bytes); !written) return written;
  std::error_code failed;
  std::filesystem::permissions(path, std::filesystem::perms(0644), failed);
  if (failed) return xsd::Error::from_errno(failed.value(), path.string());
  return {};
}

// The plugin httpd against nginx. A folder for both, so that they serve the same pages of the kernel's cache.
void compare_http(const Options& options, const Placement& place, Report& report) {
  const std::string what =
      "httpd against nginx (access logs: nginx writes a line for each request, xsd for each connection)";
  if (!Nginx::is_installed()) return report.skip("http", "there is no nginx; `make bench` installs it");
  if (options.workers == Workers::None && geteuid() == 0)
    return report.skip("http", "without workers root's daemon loads no library");
  const std::string small = bytes_for_file(1024);
  const std::string large = bytes_for_file(1024 * 1024);
  const xsd::Result<TemporaryFolder> folder = TemporaryFolder::create(options.keep);
  if (!folder) return report.fail("http", folder.error().text());
  for (const auto& [name, bytes] : {std::pair("small.bin", &small), std::pair("large.bin", &large)}) {
    if (xsd::Status written = write_served(folder->path() / name, *bytes); !written)
      return report.fail("http", written.error().text());
  }
  Side reference;
  Side xsd_side;
  xsd::Status started = start_nginx(reference, options, "nginx", place.servers, folder->path());
  if (started) {
    started = options.self_test ? start_nginx(xsd_side, options, "self", place.servers, folder->path())
                                : start_httpd(xsd_side, options, place.servers, folder->path());
  }
  if (!started) return report.fail("http", started.error().text());
  const Plan plan = plan_for(options, *reference.meter);
  report.section(title(options, what, *reference.meter, plan, place));
  const Pinned pinned(place.clients);
  run_all(
      {http_operation("1 KiB", "/small.bin", 3000, small), http_operation("1 MiB", "/large.bin", 200, large)},
      reference, xsd_side, plan, report);
  if (xsd_side.daemon) xsd_side.daemon->stop();
}

// The same options, narrowed to what plugins answer.
Options without_workers(Options options) {
  options.workers = Workers::None;
  std::vector<std::string> names;
  for (const char* const name : kPluginOperations) {
    if (options.wants(name)) names.emplace_back(name);
  }
  options.names = std::move(names);
  return options;
}

}  // namespace

void compare(const Options& options, Report& report) {
  const Placement place = placement(options);
  const auto wants = [&options](const char* name) { return options.wants(name); };
  if (std::any_of(kOperations.begin(), kOperations.end(),
                  [&](const char* name) { return std::string_view(name) != "http" && wants(name); })) {
    compare_limits(options, place, report);
  }
  if (options.workers == Workers::Both && !options.self_test &&
      std::any_of(kPluginOperations.begin(), kPluginOperations.end(), wants)) {
    compare_limits(without_workers(options), place, report);
  }
  if (wants("http")) compare_http(options, place, report);
}

}  // namespace bench
