// SPDX-License-Identifier: Apache-2.0
//
// Start of the process: the few things that must be right before anything else, then the command line, then
// one of the modes.
#include <cerrno>
#include <csignal>
#include <cstdio>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "xsd/base/log.h"
#include "xsd/config/import.h"
#include "xsd/config/loader.h"
#include "xsd/daemon/daemon.h"
#include "xsd/daemon/detach.h"
#include "xsd/daemon/exit_status.h"
#include "xsd/daemon/inherited_sockets.h"
#include "xsd/daemon/options.h"
#include "xsd/daemon/plugin_list.h"
#include "xsd/daemon/roles.h"
#include "xsd/process/spawner.h"

namespace xsd::daemon {
namespace {

int fail(const Error& error) {
  (void)std::fprintf(stderr, "xsd: %s\n", error.text().c_str());
  return kExitFailure;
}

// As many descriptors as we may have: each connection is one. Programs get back what we were started with.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);  // raising to the hard limit needs no privilege
  }
  update_fd_floor();
}

/// What was printed has arrived, or else the status says that it has not.
int finish_output(int status) {
  const bool was_written = std::ferror(stdout) == 0;
  errno = 0;
  if (std::fflush(stdout) == 0 && was_written) return status;
  return fail(errno != 0 ? Error::from_errno(errno, "standard output")
                         : Error("standard output: cannot write"));
}

int check(const Options& options, const process::Inheritance& inheritance) {
  manager::PluginCache plugins;
  config::Loader loader(make_load_options(options, inheritance, plugins));
  const config::Snapshot snapshot = loader.load();
  const bool json = options.log_json.value_or(false);
  print_diagnostics(snapshot, json, stdout);
  if (!json) {
    (void)std::printf("%s: %zu services, %zu errors\n", options.config.c_str(), snapshot.services.size(),
                      snapshot.errors);
  }
  return snapshot.errors > 0 || snapshot.rejected ? kExitConfig : kExitSuccess;
}

int dump_config(const Options& options, const process::Inheritance& inheritance) {
  manager::PluginCache plugins;
  config::Loader loader(make_load_options(options, inheritance, plugins));
  const config::Snapshot snapshot = loader.load();
  print_diagnostics(snapshot, false, stderr);
  if (snapshot.rejected) return kExitConfig;
  const std::string text = config::dump_config(snapshot);
  (void)std::fputs(text.c_str(), stdout);
  if (text.size() > config::kMaxFileSize)
    (void)std::fputs("xsd: warning: this is more than 1 MiB and cannot be read back as one file\n", stderr);
  return snapshot.errors > 0 ? kExitConfig : kExitSuccess;
}

int import(const Options& options) {
  const config::Import import = config::import_files(options.import_format, options.import_paths);
  (void)std::fputs(config::format_report(import, options.log_json.value_or(false)).c_str(), stderr);
  (void)std::fputs(config::format_import(import, options.import_paths).c_str(), stdout);
  return import.is_complete() ? kExitSuccess : kExitFailure;
}

int serve(Options options, process::Inheritance inheritance, InheritedSockets sockets) {
  Detacher detacher;
  if (options.detach) {
    auto detached = Detacher::detach();
    if (!detached) return fail(detached.error());
    detacher = std::move(*detached);
  }
  (void)umask(022);
  // What a service manager gave us (AmbientCapabilities=) stays ours: only this set goes with an exec.
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // EINVAL: the kernel has none
  raise_descriptor_limit();
  Daemon daemon(std::move(options), std::move(inheritance), std::move(sockets), std::move(detacher));
  return daemon.run();
}

int run(int argc, const char* const* argv) {
  if (is_role(argc, argv)) return run_role(argc, argv);
  process::Inheritance inheritance = process::Inheritance::capture();
  InheritedSockets sockets = InheritedSockets::take();
  if (Status status = secure_standard_descriptors(); !status) return fail(status.error());
  auto parsed = parse_options(argc, argv);
  if (const auto* const farewell = std::get_if<Farewell>(&parsed)) {
    (void)std::fputs(farewell->text.c_str(), farewell->status == kExitSuccess ? stdout : stderr);
    return finish_output(farewell->status);
  }
  Options options = std::move(std::get<Options>(parsed));
  switch (options.mode) {
    case Mode::Check:
      return finish_output(check(options, inheritance));
    case Mode::DumpConfig:
      return finish_output(dump_config(options, inheritance));
    case Mode::Plugins:
      return finish_output(list_plugins(options, inheritance));
    case Mode::Import:
      return finish_output(import(options));
    case Mode::Serve:
      break;
  }
  // A signal that the caller ignored would be ignored by every program that we start; one that we do not want
  // to die of is blocked.
  if (Status status = process::reset_signal_dispositions(); !status) return fail(status.error());
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE})
    sigaddset(&blocked, number);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  return serve(std::move(options), std::move(inheritance), std::move(sockets));
}

}  // namespace
}  // namespace xsd::daemon

int main(int argc, char** argv) {
  return xsd::daemon::run(argc, argv);
}
