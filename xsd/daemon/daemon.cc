// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/daemon.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/daemon/exit_status.h"
#include "xsd/plugin/registry.h"

namespace xsd::daemon {
namespace {

constexpr Duration kLogRetry = std::chrono::milliseconds(100);

/// Orphans are given to us by the kernel: as PID 1 of a container, or as a subreaper.
bool inherits_orphans() {
  int subreaper = 0;
  return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words)
    out += (out.empty() ? "" : ", ") + word;
  return out;
}

/// systemd.exec(5): JOURNAL_STREAM is the device and inode of what systemd has connected to the journal.
bool is_read_by_journal(int fd) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  return stream != nullptr && fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) &&
         std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

log::Settings make_log_settings(const Options& options, const config::LogSettings& written) {
  using Target = config::LogSettings::Target;
  log::Settings settings;
  settings.level = options.log_level.value_or(log::parse_level(written.level).value_or(log::Level::Info));
  settings.json = options.log_json.value_or(written.json);
  if (options.log_file && *options.log_file != "-") {
    settings.target = log::TargetKind::File;
    settings.path = *options.log_file;
    return settings;
  }
  const Target target = options.log_file ? Target::Stderr : written.target;
  switch (target) {
    case Target::File:
      settings.target = log::TargetKind::File;
      settings.path = written.path;
      break;
    case Target::Journal:
      settings.target = log::TargetKind::Journal;
      break;
    case Target::Syslog:
      settings.target = log::TargetKind::Syslog;
      break;
    case Target::Udp:
      if (!written.address.is_ip()) break;
      settings.target = log::TargetKind::Udp;
      settings.address.assign(reinterpret_cast<const char*>(written.address.raw()),
                              written.address.raw_length());
      break;
    case Target::Stderr:
      break;
  }
  if (settings.target != log::TargetKind::Stderr) return settings;
  // Who detaches has no standard error to write to.
  if (options.detach) {
    settings.target = log::TargetKind::Syslog;
  } else if (is_read_by_journal(STDERR_FILENO)) {
    settings.target = log::TargetKind::JournalStream;
  }
  return settings;
}

}  // namespace

config::LoadOptions make_load_options(const Options& options, const process::Inheritance& inheritance,
                                      manager::PluginCache& plugins) {
  config::LoadOptions load{.path = options.config,
                           .format = options.format,
                           .port_offset = options.port_offset,
                           .as_root = geteuid() == 0,
                           .only_checks = options.mode != Mode::Serve,
                           .known_plugins = {},
                           .ask_plugins = [&inheritance, &plugins](config::Answers& answers) {
                             manager::ask_plugins_now(answers, inheritance, plugins);
                           }};
  for (const plugin::PluginEntry& entry : plugin::builtin_plugins()) {
    const xsd_plugin calls = plugin::known_part(*entry.plugin);
    load.known_plugins.push_back({.name = std::string(entry.name),
                                  .has_settings = calls.setting_count > 0 || calls.validate != nullptr});
  }
  return load;
}

void print_diagnostics(const config::Snapshot& snapshot, bool json, std::FILE* stream) {
  for (const config::Diagnostic& diagnostic : snapshot.diagnostics) {
    const std::string text =
        json ? config::format_diagnostic_json(diagnostic) : config::format_diagnostic(diagnostic);
    (void)std::fputs(text.c_str(), stream);
  }
}

Daemon::Daemon(Options options, process::Inheritance inheritance, InheritedSockets sockets, Detacher detacher)
    : options_(std::move(options)),
      inheritance_(std::move(inheritance)),
      inherited_sockets_(std::move(sockets)),
      detacher_(std::move(detacher)),
      loader_(make_load_options(options_, inheritance_, plugins_)),
      notifier_(options_.detach) {}

Daemon::~Daemon() {
  log::on_backlog(nullptr);
}

Status Daemon::open_log(const config::LogSettings& settings) {
  if (Status status = log::open(make_log_settings(options_, settings)); !status) return status;
  if (logger_) logger_->on_target();
  return {};
}

void Daemon::reopen_log(const config::LogSettings& settings) {
  if (Status status = open_log(settings); !status) log::error("{}; the old log stays", status.error().text());
}

bool Daemon::has_roles() const {
  return options_.workers.value_or(settings_.workers) == config::WorkersMode::Auto;
}

void Daemon::prepare_roles() {
  if (options_.detach) null_ = raise_fd(UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)));
  if (null_) context_->roles.set_standard_error(null_.get());
  auto user = process::role_credentials(settings_);
  if (user) {
    inquirer_ = std::make_unique<inquirer::InquirerProcess>(*loop_, context_->children, context_->roles,
                                                            *user, context_->hash_seed);
    context_->inquirer = inquirer_.get();
    sender_names_ = std::make_unique<service::SenderNames>(
        context_->hash_seed, [this](const net::SocketAddress& peer) { return ask_sender_names(peer); });
    context_->sender_names = sender_names_.get();
  }
  if (!has_roles()) return;
  if (!user) {
    log::warning(
        "user: {}; the daemon writes the log and hosts plugins itself, and clients about whom somebody has "
        "to be "
        "asked are refused",
        user.error().text());
    return;
  }
  if (settings_.role_user_is_nobody)
    log::warning("user: there is no user 'xsd'; processes that need no privileges run as 'nobody'");
  logger_ = std::make_unique<logger::LoggerProcess>(*loop_, context_->children, context_->roles, *user);
  manager_->use_workers(std::move(*user));
  context_->logger = logger_.get();
  service_logs_->use_logger(logger_.get());
}

inquirer::Asked Daemon::ask_sender_names(const net::SocketAddress& peer) {
  return inquirer_->ask({.kind = inquirer::Question::Kind::Names, .peer = peer}, -1,
                        [this, peer](const inquirer::Answer& answer) {
                          const bool are_known = answer.state != inquirer::Answer::State::Unknown;
                          sender_names_->learn(peer, {are_known, answer.texts}, loop_->now());
                        });
}

void Daemon::adjust_roles(const config::DaemonSettings& next) {
  if (!options_.workers && next.workers != settings_.workers)
    log::info("workers: takes effect at the next start");
  if (next.role_user == settings_.role_user) return;
  log::info("user: takes effect for processes that are started from now on");
  auto user = process::role_credentials(next);
  if (user && inquirer_) inquirer_->set_user(*user);
  if (!user || !logger_) return;
  logger_->set_user(*user);
  manager_->use_workers(std::move(*user));
}

Status Daemon::make_pid_file(const config::DaemonSettings& settings) {
  const std::string path = options_.pid_file.value_or(settings.pid_file);
  auto made = PidFile::create(path);
  if (made) {
    pid_file_ = std::move(*made);
    return {};
  }
  const bool wanted = options_.pid_file || settings.pid_file_written || made.error().number() == EEXIST;
  if (wanted) return std::move(made.error());
  no_pid_file_ = made.error().text();
  return {};
}

Status Daemon::make_loop() {
  auto loop = reactor::EventLoop::create(options_.poller, clock_);
  if (!loop) return std::move(loop.error());
  loop_ = std::move(*loop);
  log_retry_.emplace(*loop_, [this] {
    if (!log::flush_backlog()) log_retry_->arm(kLogRetry);
  });
  log::on_backlog([this] { log_retry_->arm(kLogRetry); });
  // CHLD tells of stopped workers, and of orphans where we are given any. Our own children are pidfds.
  auto signals =
      reactor::SignalSource::create(*loop_, {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD},
                                    [this](int number, pid_t) { on_signal(number); });
  if (!signals) return std::move(signals.error());
  signals_ = std::move(*signals);
  notifier_.use(*loop_);
  context_ = std::make_unique<service::ServiceContext>(*loop_, inheritance_);
  context_->children.count_memory_kills();
  address_files_ = std::make_unique<service::AddressFiles>(*loop_, context_->children);
  address_files_->on_read([this](const std::string& path) { manager_->on_addresses_read(path); });
  context_->address_files = address_files_.get();
  inherits_orphans_ = inherits_orphans();
  service_logs_ = std::make_unique<ServiceLogs>(*loop_);
  manager_ = std::make_unique<manager::ServiceManager>(
      *context_, loader_, plugins_,
      manager::ServiceManager::Hooks{
          .on_settings = [this](const config::Snapshot& snapshot) { on_settings(snapshot); },
          .on_reload_begin = [this] { notifier_.reloading(loop_->clock().monotonic()); },
          .on_reload_end =
              [this] {
                drop_unused_sockets();
                tell_ready();
              }});
  return {};
}

void Daemon::hand_over_sockets() {
  manager::SocketTable& sockets = manager_->sockets();
  manager::SocketTable::Keeper keeper{.forget = [this](const std::string& name) { notifier_.forget(name); }};
  if (notifier_.store_size() > 0) {
    keeper.keep = [this](const net::BoundSocket& socket) { return notifier_.keep(socket); };
    keeper.room = store_room(notifier_.store_size(), inheritance_.open_files.rlim_cur,
                             inherited_sockets_.of_units.size());
  }
  room_for_sockets_ = keeper.room;
  sockets.set_keeper(std::move(keeper));
  context_->on_reopened = [&sockets](const net::Endpoint& endpoint) { sockets.renew(endpoint); };
  context_->on_lent = [&sockets](const net::Endpoint& endpoint) { sockets.lend(endpoint); };
  context_->on_returned = [&sockets](const net::Endpoint& endpoint) { sockets.take_back(endpoint); };
  InheritedSockets inherited = std::move(inherited_sockets_);
  for (net::BoundSocket& socket : inherited.of_units)
    sockets.inherit_of_unit(std::move(socket));
  for (InheritedSockets::Kept& kept : inherited.kept)
    sockets.inherit_kept(std::move(kept.socket), std::move(kept.name));
  for (const InheritedSockets::Fault& fault : inherited.faults) {
    log::warning("a socket from the service manager is not used: {}", fault.error.text());
    if (is_store_name(fault.name)) notifier_.forget(fault.name);
  }
}

void Daemon::drop_unused_sockets() {
  for (const net::Endpoint& endpoint : manager_->sockets().drop_kept(manager_->coming_endpoints()))
    log::info("{}: closed, no service listens there any more", endpoint.to_string());
}

void Daemon::tell_unused_sockets() {
  for (const net::Endpoint& endpoint : manager_->sockets().unused_of_units())
    log::warning("{}: a socket from the service manager at which no service listens", endpoint.to_string());
}

// After the owners of known children had theirs in this turn. One signal may stand for any number.
void Daemon::reap_orphans() {
  loop_->defer([this] {
    if (context_->children.reap_strangers() == reactor::ChildWatcher::kStrangersATurn) reap_orphans();
  });
}

int Daemon::run() {
  config::Snapshot snapshot = loader_.load();
  if (snapshot.rejected) {
    print_diagnostics(snapshot, options_.log_json.value_or(false), stderr);
    return kExitConfig;
  }
  settings_ = snapshot.daemon;
  const auto fail = [](const Error& error) {
    log::error("cannot start: {}", error.text());
    return kExitFailure;
  };
  // The pid file first: a second daemon must not write into the log of the first.
  if (Status status = make_pid_file(settings_); !status) return fail(status.error());
  if (Status status = make_loop(); !status) return fail(status.error());
  if (Status status = open_log(settings_.log); !status) return fail(status.error());
  if (!no_pid_file_.empty()) log::info("no pid file: {}", no_pid_file_);
  tell_what_has_no_effect(settings_);
  prepare_roles();
  hand_over_sockets();
  const manager::Summary summary = manager_->start(std::move(snapshot));
  drop_unused_sockets();
  tell_unused_sockets();
  if (!stopping_)
    log::info("xsd {} started: {} services, {} failed, {} disabled", XSD_VERSION, summary.started,
              summary.failed, summary.disabled);
  if (manager_->nothing_could_be_bound()) {
    const Error error("no service could be bound");
    if (options_.detach) (void)std::fputs("xsd: no service could be bound; see the log\n", stderr);
    return fail(error);
  }
  if (logger_) logger_->start();
  tell_ready();
  detacher_.release();
  loop_->run();
  manager_->end_workers();
  notifier_.finish();
  log::info("stopped");
  log::flush();
  return kExitSuccess;
}

void Daemon::tell_what_is_not_kept() {
  const std::size_t left = manager_->sockets().keep_rest();
  if (std::exchange(not_kept_, left) == left || left == 0) return;
  log::warning(
      "{} listening sockets are not kept over a restart: there is room for {} (FDSTORE and, less 64, "
      "the soft limit of open files that the daemon was started with)",
      left, room_for_sockets_);
}

void Daemon::tell_ready() {
  tell_what_is_not_kept();
  notifier_.ready("serving " + std::to_string(manager_->serving()) + " services");
}

void Daemon::tell_what_has_no_effect(const config::DaemonSettings& settings) const {
  std::vector<std::string> names = settings.without_effect_yet;
  if (options_.control_socket) names.emplace_back("--control-socket");
  if (!names.empty()) log::info("without effect in this version: {}", join(names));
}

void Daemon::tell_who_gains_nothing(const config::Snapshot& snapshot) {
  constexpr std::size_t kNamed = 5;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return;
  std::vector<std::string> ids;
  std::size_t others = 0;
  for (const config::LoadedService& service : snapshot.services) {
    const config::ServiceDefinition* const definition = service.definition.get();
    if (definition == nullptr || definition->disabled || definition->no_new_privs) continue;
    if (!definition->starts_programs()) continue;
    if (ids.size() < kNamed) {
      ids.push_back(service.id);
    } else {
      ++others;
    }
  }
  std::string names = join(ids);
  if (others != 0) names += " and " + std::to_string(others) + " more";
  if (names == gain_nothing_) return;
  gain_nothing_ = std::move(names);
  if (gain_nothing_.empty()) return;
  log::warning(
      "no_new_privs: false has no effect, the daemon was started without new privileges "
      "(NoNewPrivileges= of its unit?): {}",
      gain_nothing_);
}

void Daemon::on_settings(const config::Snapshot& snapshot) {
  const config::DaemonSettings& next = snapshot.daemon;
  if (context_ && manager_->generation() > 0) {
    if (next.log != settings_.log) {
      reopen_log(next.log);
      manager_->on_log_change();
    }
    adjust_roles(next);
    if (next.pid_file != settings_.pid_file && !options_.pid_file)
      log::info("pid_file: takes effect at the next start");
    if (next.without_effect_yet != settings_.without_effect_yet) tell_what_has_no_effect(next);
  }
  const config::PluginRules rules = loader_.plugin_rules();
  address_files_->set_trust({rules.as_root, rules.trusted_owner});
  address_files_->look();
  settings_ = next;
  tell_who_gains_nothing(snapshot);
  service_logs_->take(snapshot, manager_->log_places());
  watch_folders(snapshot);
}

void Daemon::watch_folders(const config::Snapshot& snapshot) {
  if (!settings_.watch) {
    folder_watcher_.reset();
    return;
  }
  if (!folder_watcher_) {
    auto made = manager::FolderWatcher::create(*loop_, [this] {
      log::info("configuration changed on disk");
      manager_->request_reload();
    });
    if (!made) {
      log::error("watch: {}; changes need HUP", made.error().text());
      return;
    }
    folder_watcher_ = std::move(*made);
  }
  folder_watcher_->set_folders(snapshot.watched_folders,
                               std::filesystem::path(options_.config).filename().string());
}

void Daemon::on_signal(int number) {
  switch (number) {
    case SIGHUP:
      // Also when the configuration turns out to be faulty: this is how logs are rotated.
      reopen_log(settings_.log);
      service_logs_->reopen();
      manager_->request_reload();
      break;
    case SIGTERM:
    case SIGINT:
      if (stopping_) {
        manager_->stop_now();
        loop_->stop();
      } else {
        stop_gracefully();
      }
      break;
    case SIGQUIT:
      notifier_.stopping();
      log::info("stopping now");
      manager_->stop_now();
      loop_->stop();
      break;
    case SIGCHLD:
      manager_->on_child_signal();
      if (inherits_orphans_) reap_orphans();
      break;
    case SIGUSR1:
      dump_state();
      break;
    case SIGUSR2:
      log::info("USR2: the upgrade in place is not available yet");
      break;
    default:
      break;
  }
}

void Daemon::stop_gracefully() {
  stopping_ = true;
  log::info("stopping");
  folder_watcher_.reset();
  notifier_.stopping();
  notifier_.extend_stop(manager_->stop([this] { loop_->stop(); }));
}

void Daemon::dump_state() {
  log::info("state: {} services, {} children, {} watches, {} timers, generation {}, {} bans",
            manager_->serving(), context_->processes.running, loop_->watch_count(), loop_->timer_count(),
            manager_->generation(), context_->bans.list(loop_->now()).size());
  for (const manager::ServiceStatus& service : manager_->status()) {
    std::string listen;
    for (const net::Endpoint& endpoint : service.listen)
      listen += " " + endpoint.to_string();
    std::string refused;
    for (std::size_t i = 0; i < policy::kReasonCount; ++i) {
      const std::uint64_t count = service.counters.refused[i];
      if (count > 0)
        refused += " " + std::string(policy::reason_word(static_cast<policy::Reason>(i))) + "=" +
                   std::to_string(count);
    }
    std::string datagrams;
    if (service.datagrams) {
      datagrams = " datagrams: received=" + std::to_string(service.datagrams->received) +
                  " answered=" + std::to_string(service.datagrams->answered) +
                  " refused=" + std::to_string(service.datagrams->refused);
    }
    std::string metrics;
    for (const auto& [name, value] : service.metrics)
      metrics += " " + name + "=" + std::to_string(value);
    log::info("state: {}: {} active={} started={}{}{}{}{}{}{}", service.id,
              manager::state_name(service.state), service.active, service.counters.started,
              refused.empty() ? "" : " refused:" + refused, datagrams,
              metrics.empty() ? "" : " metrics:" + metrics, listen.empty() ? "" : " listen:" + listen,
              service.error.empty() ? "" : " error: ", service.error);
  }
}

}  // namespace xsd::daemon
