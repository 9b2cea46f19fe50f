// SPDX-License-Identifier: Apache-2.0
//
// What a configuration means, as immutable values: one ServiceDefinition a service, one DaemonSettings,
// together a Snapshot. Made by the readers (YAML today, foreign formats later) through the settings table;
// everybody else only reads them. A definition holds what the file says, decoded; a Resolution holds what
// that means on this machine now (users, ports, addresses), and is made anew at every reload.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "xsd/base/clock.h"
#include "xsd/config/access_times.h"
#include "xsd/config/address_rules.h"
#include "xsd/config/rare.h"
#include "xsd/config/rate.h"
#include "xsd/config/source_prefix.h"
#include "xsd/net/endpoint.h"

namespace xsd::config {

/// A place in a file; line and column count from 1, 0 where there is none.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// A number or `unlimited`.
struct Limit {
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  std::uint64_t value = kUnlimited;
  bool is_unlimited() const noexcept { return value == kUnlimited; }
  friend bool operator==(const Limit&, const Limit&) = default;
};

/// One entry of `listen` as written: not looked up yet.
struct ListenSpec {
  enum class Family : std::uint8_t { Any, V4, V6, Unix };
  net::Transport transport = net::Transport::Stream;
  Family family = Family::Any;
  std::string host;            ///< "*", a literal address (no brackets) or a host name; empty for unix
  std::string interface_name;  ///< from %eth0 behind the host
  std::string port;            ///< number, services-database name or range "9000-9010"; empty for unix
  std::string path;            ///< unix only; leading '@' is the abstract name space
  Position where;
  friend bool operator==(const ListenSpec& a,
                         const ListenSpec& b) noexcept {  // where it stands does not matter
    return a.transport == b.transport && a.family == b.family && a.host == b.host &&
           a.interface_name == b.interface_name && a.port == b.port && a.path == b.path;
  }
};

enum class ServiceKind : std::uint8_t { Program, Plugin, Sensor };
enum class StderrTarget : std::uint8_t { Socket, Log, Null };
enum class OnRemove : std::uint8_t { Terminate, Drain };
enum class OnStop : std::uint8_t { Terminate, Leave };

/// `flags`, a set.
enum ServiceFlags : unsigned {
  kFlagReuse = 1,      ///< accepted, always so
  kFlagNoDelay = 2,    ///< TCP_NODELAY
  kFlagKeepAlive = 4,  ///< SO_KEEPALIVE
  kFlagIPv4 = 8,
  kFlagIPv6 = 16,
  kFlagNameInArgs = 32,  ///< server_args[0] is argv[0]
  kFlagNoRetry = 64,     ///< a failed clone is not tried again
  kFlagSensor = 128,     ///< whoever connects is banned
  kFlagNoLibwrap = 256,  ///< hosts.allow and hosts.deny are not asked
  kFlagIdOnly = 512,     ///< only clients whose user is told by their machine (RFC 1413)
};

/// `log_on_success` and `log_on_failure`, sets.
enum LogFields : unsigned {
  kLogPid = 1,
  kLogHost = 2,
  kLogUserId = 4,
  kLogExit = 8,
  kLogDuration = 16,
  kLogTraffic = 32,
  kLogAttempt = 64,
  kLogUsage = 128,
};

/// As a soft limit: what the hard one of the daemon is when the program starts.
inline constexpr rlim_t kHardLimit = RLIM_INFINITY - 1;

struct ResourceLimit {
  int resource = 0;  ///< RLIMIT_*
  std::string key;   ///< "rlimit_nofile"
  rlim_t soft = RLIM_INFINITY;
  rlim_t hard = RLIM_INFINITY;
  Position where;
  friend bool operator==(const ResourceLimit& a, const ResourceLimit& b) noexcept {
    return a.resource == b.resource && a.soft == b.soft && a.hard == b.hard;
  }
};

/// The `settings` map of a plugin service, or any part of it. A scalar keeps its text; what it means is the
/// plugin's business.
struct SettingsNode {
  enum class Kind : std::uint8_t { Null, Scalar, List, Map };
  Kind kind = Kind::Null;
  std::string scalar;
  std::vector<SettingsNode> items;                            ///< of a list
  std::vector<std::pair<std::string, SettingsNode>> members;  ///< of a map, in file order
  Position where;
  Position key_where;  ///< of its name, in a map

  // Out of line: clang 14 would ask for the size of the pairs above before it is known.
  SettingsNode();
  SettingsNode(const SettingsNode& other);
  SettingsNode(SettingsNode&& other) noexcept;
  SettingsNode& operator=(const SettingsNode& other);
  SettingsNode& operator=(SettingsNode&& other) noexcept;
  ~SettingsNode();
  friend bool operator==(const SettingsNode& a, const SettingsNode& b) noexcept;  ///< whatever the places
};

/// A program that a plugin service may have started.
struct DeclaredProgram {
  std::string name;
  std::vector<std::string> command;  ///< its path, then its arguments as they stand
  Position where;                    ///< of the path
  friend bool operator==(const DeclaredProgram& a, const DeclaredProgram& b) noexcept {
    return a.name == b.name && a.command == b.command;
  }
};

/// Where an effective value comes from, for --dump-config.
struct ValueOrigin {
  std::uint16_t row = 0;  ///< of the settings table
  bool from_defaults = false;
  Position where;  ///< of the key, in the service's file, or in the main file if from_defaults
};

/// What clients are sent before the service itself says anything: absolute paths of files, empty: nothing.
struct Banners {
  std::string always;   ///< to everybody who is accepted
  std::string success;  ///< to those who are let in
  std::string fail;     ///< to those who are refused
  friend bool operator==(const Banners&, const Banners&) = default;
};

/// Who may connect, and how often.
struct ClientRules {
  std::optional<std::vector<AddressRule>> only_from;  ///< nothing: everybody
  std::vector<AddressRule> no_access;
  std::optional<ServiceRate> rate;
  std::optional<CpsLimit> cps;
  SourcePrefix source_prefix;                             ///< what counts as one source
  std::optional<RateLimit> source_rate;                   ///< of one source; nothing: none
  std::optional<std::vector<AccessWindow>> access_times;  ///< nothing: always
  std::string timezone;                                   ///< of access_times; empty: that of the machine
  std::optional<double> max_load;     ///< of the machine, one minute's mean; nothing: whatever it is
  std::optional<Duration> deny_time;  ///< how long a SENSOR bans; zero: not at all, maximum: for ever
  std::string libwrap;                ///< the name in hosts.allow and hosts.deny; empty: they are not asked
  Banners banners;

  bool has_lists() const noexcept { return only_from || !no_access.empty(); }
  /// Some entry is none of addresses alone.
  bool has_names() const noexcept;
  friend bool operator==(const ClientRules&, const ClientRules&) = default;
};

/// How long a program may take. Where one is nothing there is no bound.
struct ProgramTimes {
  std::optional<Duration> max_duration;   ///< from its start to the end of its whole process tree
  std::optional<Duration> start_timeout;  ///< until the first byte for its client
  Duration lingering{};  ///< after the main process ends: how long what the client still sends is drained
  friend bool operator==(const ProgramTimes&, const ProgramTimes&) = default;
};

/// Where the records of a service go.
struct ServiceLog {
  enum class Target : std::uint8_t { Daemon, Syslog, File };
  Target target = Target::Daemon;  ///< Daemon: where everything goes
  int facility = 0;                ///< of Syslog: LOG_DAEMON and the like
  int level = 0;                   ///< of Syslog: LOG_INFO and the like
  std::string path{};              ///< of File
  std::uint64_t soft_limit = 0;    ///< of File, bytes: a warning when it is reached; 0: none
  std::uint64_t hard_limit = 0;    ///< of File, bytes: the file is rotated; 0: at soft_limit
  /// A name for where it is, whatever the limits: the path, or the two numbers of Syslog; empty: Daemon.
  std::string place() const;
  friend bool operator==(const ServiceLog&, const ServiceLog&) = default;
};

/// `type: [TCPMUX]`, `[TCPMUXPLUS]`: whether the service is reached by its name through tcpmux (RFC 1078).
enum class MuxKind : std::uint8_t { None, Mux, MuxPlus };

/// A service that tcpmux may give its clients to.
struct MuxTarget {
  std::string name;  ///< that they ask for
  std::string id;
  MuxKind kind = MuxKind::Mux;
  friend bool operator==(const MuxTarget&, const MuxTarget&) = default;
};

/// The built-in plugins that have keys of their own.
inline constexpr std::string_view kRedirectPlugin = "redirect";
inline constexpr std::string_view kMuxPlugin = "tcpmux";

struct ServiceDefinition {
  std::string id;
  std::string service;
  std::string description;
  std::string file;  ///< where it stands
  Position where;    ///< of its `service:` key
  bool disabled = false;

  ServiceKind kind = ServiceKind::Plugin;
  std::vector<ListenSpec> listen;
  bool wait = false;
  unsigned flags = 0;
  std::uint32_t backlog = 4096;

  std::string plugin;
  SettingsNode settings;
  std::vector<DeclaredProgram> programs;  ///< in file order
  std::vector<std::string> hand_over;     ///< ids of services that its clients may be given to
  std::uint32_t shards = 1;               ///< worker processes that its connections are dealt to

  std::string server;
  Position server_where;  ///< of the value that says what runs: `server`, `plugin` or `type`
  std::vector<std::string> server_args;
  std::string user;
  Position user_where;
  std::string group;
  Position group_where;
  bool groups = false;  ///< initgroups(user)
  std::optional<mode_t> umask;
  std::optional<int> nice;
  std::string directory = "/";
  std::string chroot;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<std::string> passenv;
  StderrTarget stderr_target = StderrTarget::Socket;
  bool no_new_privs = true;
  std::vector<ResourceLimit> rlimits;  ///< by resource, each once

  Limit instances;   ///< 256 for programs, unlimited for plugins, unless written
  Limit per_source;  ///< connections of one source at a time
  Rare<ClientRules> clients;
  Rare<ProgramTimes> times;
  Rare<ServiceLog> log;
  MuxKind mux = MuxKind::None;
  /// Of tcpmux, by name. Not from its file: who they are is said by the others (manager/mux_targets.h).
  Rare<std::vector<MuxTarget>> mux_targets;
  std::optional<Duration> idle_timeout;  ///< nothing: none
  Duration stop_timeout = std::chrono::seconds(10);
  OnRemove on_remove = OnRemove::Terminate;
  OnStop on_stop = OnStop::Terminate;
  unsigned log_on_success = kLogPid | kLogHost | kLogExit | kLogDuration;
  unsigned log_on_failure = kLogHost | kLogAttempt;

  std::vector<ValueOrigin> origins;  ///< only of values that were written somewhere

  /// Whether anything is limited for each source by itself.
  bool limits_sources() const noexcept { return !per_source.is_unlimited() || clients->source_rate; }
  /// Whether programs run for it: the keys about programs have a meaning.
  bool starts_programs() const noexcept { return kind == ServiceKind::Program || !programs.empty(); }
  /// Whether somebody else may have to be asked about a client before it is let in: the name service,
  /// hosts.allow, or the client's machine.
  bool asks_about_clients() const noexcept;
  /// nullptr if it declares none of this name.
  const DeclaredProgram* find_program(std::string_view name) const noexcept;
  /// True if the two mean the same to a running service: everything but where it stands.
  bool means_the_same(const ServiceDefinition& other) const noexcept;
};

struct PluginImage;

/// The files that the rules about clients name, as they are now. Services that name the same share the text.
struct ClientFiles {
  using Text = std::shared_ptr<const std::string>;  ///< nullptr: none is named
  Text zone;                                        ///< of access_times, as TimeZone::from_text reads it
  Text banner;
  Text banner_success;
  Text banner_fail;
  friend bool operator==(const ClientFiles& a, const ClientFiles& b) noexcept;  ///< by what is in them
};

/// A definition on this machine, now.
struct Resolution {
  std::vector<net::Endpoint> endpoints;  ///< `*` is two; ranges are spelt out; --port-offset is in
  bool change_ids = false;               ///< the daemon is root: use the ids below
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::shared_ptr<const PluginImage> plugin_image;  ///< plugins.h; nullptr: no plugin, or a built-in one
  Rare<ClientFiles> files;
  /// Words of only_from and no_access that are networks by the networks database; the others are hosts.
  std::vector<std::pair<std::string, net::Prefix>> networks;
};

enum class WorkersMode : std::uint8_t { Auto, Zero };

struct LogSettings {
  enum class Target : std::uint8_t { Stderr, Syslog, Journal, Udp, File };
  Target target = Target::Stderr;
  std::string path{};      ///< of File
  std::string host{};      ///< of Udp: a literal address without brackets, or a name
  std::uint16_t port = 0;  ///< of Udp
  /// Of Udp: what they are on this machine now; unspecified if nobody could say.
  net::SocketAddress address{};
  std::string level = "info";  ///< error warning info debug
  bool json = false;
  friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

/// Who the processes of the daemon that need no privileges run as.
struct RoleUser {
  uid_t uid = 0;
  gid_t gid = 0;
  friend bool operator==(const RoleUser&, const RoleUser&) = default;
};
/// The folder of this installation, and the one that is the same everywhere.
std::vector<std::string> default_plugin_dirs();

struct DaemonSettings {
  std::string user;  ///< empty: `xsd`, else `nobody`
  /// The same on this machine; nothing if the daemon is not root, or if there is no such user.
  std::optional<RoleUser> role_user;
  bool role_user_is_nobody = false;  ///< for want of a better one
  std::string pid_file = "/run/xsd/xsd.pid";
  bool pid_file_written = false;  ///< named in the file, so failing to make it is an error
  std::string control_socket = "/run/xsd/control.sock";
  WorkersMode workers = WorkersMode::Auto;
  Limit max_processes{4096};
  Duration stop_timeout = std::chrono::seconds(10);
  bool watch = false;
  std::vector<std::string> plugin_dirs = default_plugin_dirs();
  LogSettings log;
  /// Keys written in the file that take effect only with later work, for the info line.
  std::vector<std::string> without_effect_yet;

  std::string file;                  ///< the main file as shown to users; empty if there is none
  std::string defaults_file;         ///< where `defaults` stand, if that is another one
  std::vector<ValueOrigin> origins;  ///< only of values that were written
};

}  // namespace xsd::config
