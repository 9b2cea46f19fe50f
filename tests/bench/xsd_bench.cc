// SPDX-License-Identifier: Apache-2.0
//
// xsd_bench: what xsd costs, held against bare reference programs (limit/) and fixed bars. See --help.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <getopt.h>
#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

#include "compare.h"
#include "options.h"
#include "process.h"
#include "report.h"
#include "sections.h"

namespace {

#ifndef XSD_BENCH_DAEMON
#define XSD_BENCH_DAEMON ""
#endif

constexpr int kExitOver = 1;
constexpr int kExitFailed = 2;

constexpr const char* kHelp =
    "usage: xsd_bench [OPTION]... [NAME]...\n"
    "\n"
    "Compares the processor time that xsd needs for an operation with that of bare reference programs, and "
    "of\n"
    "its plugin httpd with that of nginx, in interleaved rounds of one run; measures start, reload and\n"
    "memory. Without names: everything.\n"
    "\n"
    "names of comparisons:  compare (all of these) echo daytime udp stream spawn idle http\n"
    "names of measurements: startup reload held growth reload-load\n"
    "\n"
    "  --quick         fewer and shorter rounds (about a minute in all)\n"
    "  --strict        exit 1 when something is over its bar\n"
    "  --self-test     compare the references with themselves: ratios must be about 1.00\n"
    "  --xsd PATH      the daemon (default: the one of this build)\n"
    "  --xsd-arg ARG   one more argument for the daemon; may be repeated\n"
    "  --workers MODE  auto: plugins work in worker processes; 0: in the daemon itself; both (default): as\n"
    "                  auto, and echo, daytime, udp and stream are compared once more as with 0\n"
    "  --plugins D     the folder of the plugin libraries (default: of this build)\n"
    "  --references D  the folder of the reference programs (default: of this build)\n"
    "  --no-pin        leave the choice of processors to the kernel\n"
    "  --keep          keep the temporary folders (/tmp/xsd-bench-*)\n"
    "\n"
    "exit status: 0 done, 1 over a bar (with --strict), 2 something failed to run\n";

bool is_name(std::string_view name) {
  if (name == "compare") return true;
  const auto same = [name](const char* known) { return name == known; };
  return std::any_of(bench::kOperations.begin(), bench::kOperations.end(), same) ||
         std::any_of(bench::kSections.begin(), bench::kSections.end(),
                     [name](const bench::Section& section) { return name == section.name; });
}

bool read_workers(std::string_view text, bench::Workers& workers) {
  if (text == "auto") {
    workers = bench::Workers::Default;
  } else if (text == "0") {
    workers = bench::Workers::None;
  } else if (text == "both") {
    workers = bench::Workers::Both;
  } else {
    std::fprintf(stderr, "xsd_bench: --workers: auto, 0 or both\n");
    return false;
  }
  return true;
}

// False: wrong usage, said on standard error.
bool read_options(int argc, char** argv, bench::Options& options) {
  enum Code {
    Quick = 1000,
    Strict,
    SelfTest,
    Daemon,
    DaemonArgument,
    WorkersMode,
    Plugins,
    References,
    NoPin,
    Keep,
    Help
  };
  const option known[] = {{"quick", no_argument, nullptr, Quick},
                          {"strict", no_argument, nullptr, Strict},
                          {"self-test", no_argument, nullptr, SelfTest},
                          {"xsd", required_argument, nullptr, Daemon},
                          {"xsd-arg", required_argument, nullptr, DaemonArgument},
                          {"workers", required_argument, nullptr, WorkersMode},
                          {"plugins", required_argument, nullptr, Plugins},
                          {"references", required_argument, nullptr, References},
                          {"no-pin", no_argument, nullptr, NoPin},
                          {"keep", no_argument, nullptr, Keep},
                          {"help", no_argument, nullptr, Help},
                          {nullptr, 0, nullptr, 0}};
  for (int code = 0; (code = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (code) {
      case Quick:
        options.quick = true;
        break;
      case Strict:
        options.strict = true;
        break;
      case SelfTest:
        options.self_test = true;
        break;
      case Daemon:
        options.daemon = optarg;
        break;
      case DaemonArgument:
        options.daemon_arguments.emplace_back(optarg);
        break;
      case WorkersMode:
        if (!read_workers(optarg, options.workers)) return false;
        break;
      case Plugins:
        options.plugins = optarg;
        break;
      case References:
        options.references = optarg;
        break;
      case NoPin:
        options.pin = false;
        break;
      case Keep:
        options.keep = true;
        break;
      case Help:
        std::fputs(kHelp, stdout);
        std::exit(0);
      default:
        return false;
    }
  }
  for (int i = optind; i < argc; ++i) {
    if (!is_name(argv[i])) {
      std::fprintf(stderr, "xsd_bench: unknown name '%s'; see --help\n", argv[i]);
      return false;
    }
    if (std::string_view(argv[i]) == "compare") {
      options.names.insert(options.names.end(), bench::kOperations.begin(), bench::kOperations.end());
    } else {
      options.names.emplace_back(argv[i]);
    }
  }
  return true;
}

// Ten thousand connections are held by one client process.
void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int main(int argc, char** argv) {
  bench::Options options;
  options.daemon = XSD_BENCH_DAEMON;
  options.plugins = XSD_BENCH_PLUGINS;
  options.references = XSD_BENCH_REFERENCES;
  if (!read_options(argc, argv, options)) return kExitFailed;
  if (!options.self_test && access(options.daemon.c_str(), X_OK) != 0) {
    std::fprintf(stderr, "xsd_bench: no daemon at '%s'; say --xsd PATH\n", options.daemon.c_str());
    return kExitFailed;
  }
  (void)signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  bench::remove_stale("/tmp");

  bench::Report report;
  const auto wanted = [&options](const char* name) { return options.wants(name); };
  if (std::any_of(bench::kOperations.begin(), bench::kOperations.end(), wanted)) {
    bench::compare(options, report);
  }
  // Nothing stands in for xsd in these.
  if (!options.self_test) {
    bool titled = false;
    for (const bench::Section& section : bench::kSections) {
      if (!options.wants(section.name)) continue;
      const bool alone = options.workers == bench::Workers::None;
      if (!titled)
        report.section(alone ? "Start, reload and memory, without workers" : "Start, reload and memory");
      titled = true;
      section.run(options, report);
    }
  }
  report.summary();
  if (report.has_failures()) return kExitFailed;
  return options.strict && report.has_excess() ? kExitOver : 0;
}
