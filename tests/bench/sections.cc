// SPDX-License-Identifier: Apache-2.0
#include "sections.h"

#include <algorithm>
#include <cstdio>
#include <tuple>
#include <vector>

#include "client.h"
#include "holder.h"
#include "memory.h"
#include "servers.h"

namespace bench {
namespace {

constexpr unsigned kManyServices = 1000;
constexpr std::size_t kAnswering = 998;  // the last of them that a plugin answers
constexpr double kStartBar = 80;         // ms
constexpr double kPssBar = 14;           // MiB, of all processes of the daemon
constexpr double kReloadBar = 20;        // ms
constexpr unsigned kHeld = 10'000;
constexpr double kHeldBar = 2;      // KiB
constexpr double kGrowthBar = 512;  // KiB
constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kRest = std::chrono::milliseconds(300);

Deadline soon() {
  return Clock::now() + kPatience;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

double milliseconds_since(Clock::time_point start) {
  return Milliseconds(Clock::now() - start).count();
}

// `cpu`: what the daemon's own processes needed, which a busy machine changes less than the time on the wall;
// may be empty.
std::string range_note(std::vector<double> values, const std::vector<double>& cpu = {}) {
  std::sort(values.begin(), values.end());
  char text[120];
  std::snprintf(text, sizeof text, "(median of %zu, from %.1f to %.1f", values.size(), values.front(),
                values.back());
  std::string note = text;
  if (!cpu.empty()) {
    std::snprintf(text, sizeof text, "; processor time %.1f ms", median(cpu));
    note += text;
  }
  return note + ")";
}

// Every second one is a program, the others are echo.
struct Many {
  Daemon daemon;
  std::vector<std::uint16_t> ports;

  Kind kind(std::size_t index) const { return index % 2 == 0 ? Kind::Echo : Kind::Tiny; }
  xsd::Status write(std::size_t index) {
    const std::string name = "s" + std::to_string(10'000 + index);
    return kind(index) == Kind::Echo ? daemon.plugin_service(name, "echo", ports[index], false)
                                     : daemon.program_service(name, ports[index]);
  }
};

xsd::Result<Many> prepare_many(const Options& options) {
  xsd::Result<Daemon> daemon = Daemon::prepare(options);
  if (!daemon) return std::move(daemon.error());
  xsd::Result<std::vector<std::uint16_t>> ports = free_ports(kManyServices);
  if (!ports) return std::move(ports.error());
  Many many{std::move(*daemon), std::move(*ports)};
  for (std::size_t i = 0; i < many.ports.size(); ++i) {
    if (xsd::Status written = many.write(i); !written) return std::move(written.error());
  }
  return many;
}

// Returns once every port has accepted; false if one did not until the deadline. `retried` says whether any
// had to be asked twice.
bool all_accept(const std::vector<std::uint16_t>& ports, bool& retried, Deadline deadline) {
  for (const std::uint16_t port : ports) {
    while (!xsd::UniqueFd(connect_from_next_source(port, std::chrono::milliseconds(1000)))) {
      retried = true;
      if (Clock::now() > deadline) return false;
      pause_for(std::chrono::microseconds(200));
    }
  }
  return true;
}

xsd::Status measure_startup(const Options& options, Report& report) {
  xsd::Result<Many> many = prepare_many(options);
  if (!many) return std::move(many.error());
  const int runs = options.quick ? 4 : 8;  // the first one warms the files and is not counted
  std::vector<double> times;
  std::vector<double> cpu;
  std::vector<double> pss;
  for (int run = 0; run < runs; ++run) {
    const Clock::time_point start = Clock::now();
    if (xsd::Status started = many->daemon.start(nullptr, -1, soon()); !started) return started;
    // That a port accepts is said by the kernel; that its worker is there, by an answer.
    if (!ask_once(many->ports[kAnswering], many->kind(kAnswering), kPatience))
      return many->daemon.explain("READY=1, but no answer");
    double time = milliseconds_since(start);
    const double used = daemon_milliseconds(many->daemon.pid());
    bool retried = false;
    const double memory = static_cast<double>(holdings(many->daemon.pid()).pss_kib) / 1024;
    if (!all_accept(many->ports, retried, soon()))
      return many->daemon.explain("READY=1, but not all ports accept");
    if (retried) time = milliseconds_since(start);  // it was not all there when it said so
    many->daemon.stop();
    if (run == 0) continue;
    times.push_back(time);
    cpu.push_back(used);
    pss.push_back(memory);
  }
  report.add(
      {"1 000 services, from exec to all ports up", median(times), "ms", kStartBar, range_note(times, cpu)});
  report.add({"1 000 services, summed PSS", median(pss), "MiB", kPssBar, range_note(pss)});
  return {};
}

xsd::Status measure_reload(const Options& options, Report& report) {
  xsd::Result<Many> many = prepare_many(options);
  if (!many) return std::move(many.error());
  if (xsd::Status started = many->daemon.start(nullptr, -1, soon()); !started) return started;
  const unsigned changes = options.quick ? 5 : 15;
  std::vector<double> times;
  std::vector<double> cpu;
  for (unsigned i = 0; i < changes; ++i) {
    const std::size_t index = 500 + i;
    const xsd::Result<std::vector<std::uint16_t>> port = free_ports(1);
    if (!port) return port.error();
    many->ports[index] = port->front();
    if (xsd::Status written = many->write(index); !written) return written;
    pause_for(std::chrono::milliseconds(20));  // the last reload's remainder is not this one's cost
    const double used_before = daemon_milliseconds(many->daemon.pid());
    const Clock::time_point start = Clock::now();
    if (xsd::Status sent = many->daemon.hang_up(); !sent) return sent;
    while (!ask_once(many->ports[index], many->kind(index), std::chrono::milliseconds(1000))) {
      if (Clock::now() > start + kPatience)
        return many->daemon.explain("the changed service does not answer");
      pause_for(std::chrono::microseconds(200));
    }
    times.push_back(milliseconds_since(start));
    cpu.push_back(daemon_milliseconds(many->daemon.pid()) - used_before);
  }
  many->daemon.stop();
  report.add(
      {"HUP, 1 of 1 000 changed, until it answers", median(times), "ms", kReloadBar, range_note(times, cpu)});
  return {};
}

struct Services {
  Daemon daemon;
  std::uint16_t echo = 0;
  std::uint16_t daytime = 0;
  std::uint16_t tiny = 0;
  std::uint16_t other = 0;

  xsd::Status write_other(unsigned serial) {
    return daemon.program_service("other", other, "nice: " + std::to_string(1 + serial % 9) + "\n");
  }
  xsd::Result<Tally> load(std::uint16_t port, Kind kind, std::uint64_t count, unsigned parallel) const {
    const Tally tally = run_short({.port = port,
                                   .kind = kind,
                                   .connections = count,
                                   .parallel = parallel,
                                   .deadline = Clock::now() + std::chrono::seconds(120)});
    if (tally.bad() > 0) return daemon.explain(describe(tally));
    return tally;
  }
};

xsd::Result<Services> start_services(const Options& options) {
  xsd::Result<Daemon> daemon = Daemon::prepare(options);
  if (!daemon) return std::move(daemon.error());
  xsd::Result<std::vector<std::uint16_t>> ports = free_ports(4);
  if (!ports) return std::move(ports.error());
  Services services{std::move(*daemon), (*ports)[0], (*ports)[1], (*ports)[2], (*ports)[3]};
  for (xsd::Status status : {services.daemon.plugin_service("echo", "echo", services.echo, true),
                             services.daemon.plugin_service("daytime", "daytime", services.daytime, false),
                             services.daemon.program_service("tiny", services.tiny), services.write_other(0),
                             services.daemon.start(nullptr, -1, soon())}) {
    if (!status) return std::move(status.error());
  }
  return services;
}

xsd::Status measure_held(const Options& options, Report& report) {
  xsd::Result<Services> services = start_services(options);
  if (!services) return std::move(services.error());
  // What is paid once (code touched, buffers of the loop) is not the connections'.
  if (xsd::Result<Tally> warm = services->load(services->echo, Kind::Echo, 1000, 16); !warm) {
    return std::move(warm.error());
  }
  pause_for(kRest);
  const Holdings before = holdings(services->daemon.pid());
  xsd::Result<Holder> holder = Holder::start(services->echo, kHeld, Clock::now() + std::chrono::seconds(30));
  if (!holder) return services->daemon.explain(holder.error().text());
  pause_for(kRest);
  const Holdings held = holdings(services->daemon.pid());
  const xsd::Result<unsigned> silent = holder->release(soon());
  if (!silent) return silent.error();
  if (*silent != kHeld) return services->daemon.explain(std::to_string(kHeld - *silent) + " were not held");
  const auto each = [](long after_kib, long before_kib) {
    return static_cast<double>(after_kib - before_kib) / static_cast<double>(kHeld);
  };
  report.add({"memory of each of 10 000 held echo connections",
              std::max(each(held.pss_kib, before.pss_kib), each(held.rss_kib, before.rss_kib)), "KiB",
              kHeldBar,
              "(" + std::to_string(held.processes) + " processes, " +
                  std::to_string(held.descriptors - before.descriptors) + " more descriptors)"});
  services->daemon.stop();
  return {};
}

xsd::Status use(Services& services, unsigned internal, unsigned external, unsigned reloads) {
  for (const auto& [port, kind, count, parallel] :
       {std::tuple{services.echo, Kind::Echo, internal / 2, 16U},
        std::tuple{services.daytime, Kind::Daytime, internal - internal / 2, 16U},
        std::tuple{services.tiny, Kind::Tiny, external, 4U}}) {
    xsd::Result<Tally> tally = services.load(port, kind, count, parallel);
    if (!tally) return std::move(tally.error());
  }
  for (unsigned i = 0; i < reloads; ++i) {
    if (xsd::Status written = services.write_other(i); !written) return written;
    if (xsd::Status reloaded = services.daemon.reload(soon()); !reloaded) return reloaded;
  }
  pause_for(kRest);
  return {};
}

xsd::Status measure_growth(const Options& options, Report& report) {
  xsd::Result<Services> services = start_services(options);
  if (!services) return std::move(services.error());
  const unsigned part = options.quick ? 10 : 1;
  if (xsd::Status warm = use(*services, 20'000 / part, 2000 / part, 50); !warm) return warm;
  const Holdings before = holdings(services->daemon.pid());
  if (xsd::Status used = use(*services, 200'000 / part, 20'000 / part, 500 / part); !used) return used;
  const Holdings after = holdings(services->daemon.pid());
  services->daemon.stop();
  const std::string note = "(" + std::to_string(200'000 / part) + " internal, " +
                           std::to_string(20'000 / part) + " external, " + std::to_string(500 / part) +
                           " reloads)";
  report.add(
      {"growth: descriptors", static_cast<double>(after.descriptors - before.descriptors), "", 0, note});
  report.add({"growth: zombies", static_cast<double>(after.zombies), "", 0, ""});
  report.add({"growth: RSS", static_cast<double>(after.rss_kib - before.rss_kib), "KiB", kGrowthBar,
              "(from " + std::to_string(before.rss_kib) + " to " + std::to_string(after.rss_kib) + ")"});
  return {};
}

// Edits to another service and, in turn, to the limits of the loaded ones; each is seen to have taken effect.
xsd::Status reload_often(Services& services, unsigned reloads) {
  for (unsigned i = 0; i < reloads; ++i) {
    // Some connections between the reloads, and every fourth one right after the one before.
    if (i % 4 != 0) pause_for(std::chrono::milliseconds(20));
    const xsd::Result<std::vector<std::uint16_t>> port = free_ports(1);
    if (!port) return port.error();
    services.other = port->front();
    const std::string limits = "instances: " + std::to_string(1000 + i) + "\n";
    xsd::Status edited = services.write_other(i);
    if (edited && i % 2 == 1)
      edited = services.daemon.plugin_service("echo", "echo", services.echo, true, limits);
    if (edited && i % 4 == 3) {
      edited =
          services.daemon.program_service("tiny", services.tiny, "nice: " + std::to_string(1 + i % 9) + "\n");
    }
    if (!edited) return edited;
    if (xsd::Status reloaded = services.daemon.reload(soon()); !reloaded) return reloaded;
    if (!ask_once(services.other, Kind::Tiny, std::chrono::milliseconds(3000))) {
      return services.daemon.explain("the edited service does not answer at its new port");
    }
  }
  return {};
}

xsd::Status measure_reload_under_load(const Options& options, Report& report) {
  xsd::Result<Services> services = start_services(options);
  if (!services) return std::move(services.error());
  const Deadline end = Clock::now() + std::chrono::seconds(60);
  xsd::Result<LoadProcess> echo = LoadProcess::start(services->echo, Kind::Echo, 8, end);
  if (!echo) return std::move(echo.error());
  xsd::Result<LoadProcess> tiny = LoadProcess::start(services->tiny, Kind::Tiny, 2, end);
  if (!tiny) return std::move(tiny.error());
  const unsigned reloads = options.quick ? 30 : 100;
  xsd::Status reloaded = reload_often(*services, reloads);
  const xsd::Result<Tally> echo_tally = echo->stop(soon());
  const xsd::Result<Tally> tiny_tally = tiny->stop(soon());
  if (!reloaded) return reloaded;
  if (!echo_tally) return echo_tally.error();
  if (!tiny_tally) return tiny_tally.error();
  if (echo_tally->ok == 0 || tiny_tally->ok == 0) return services->daemon.explain("there was no load");
  const std::string title = std::to_string(reloads) + " reloads under load: ";
  report.add({title + "lost echo", static_cast<double>(echo_tally->bad()), "", 0,
              "(" + describe(*echo_tally) + ")"});
  report.add({title + "lost spawn", static_cast<double>(tiny_tally->bad()), "", 0,
              "(" + describe(*tiny_tally) + ")"});
  services->daemon.stop();
  return {};
}

template <xsd::Status (*Measure)(const Options&, Report&)>
void guarded(const Options& options, Report& report, const char* name) {
  if (xsd::Status done = Measure(options, report); !done) report.fail(name, done.error().text());
}

}  // namespace

const std::array<Section, 5> kSections = {{
    {"startup", [](const Options& o, Report& r) { guarded<measure_startup>(o, r, "startup"); }},
    {"reload", [](const Options& o, Report& r) { guarded<measure_reload>(o, r, "reload"); }},
    {"held", [](const Options& o, Report& r) { guarded<measure_held>(o, r, "held"); }},
    {"growth", [](const Options& o, Report& r) { guarded<measure_growth>(o, r, "growth"); }},
    {"reload-load",
     [](const Options& o, Report& r) { guarded<measure_reload_under_load>(o, r, "reload-load"); }},
}};

}  // namespace bench
