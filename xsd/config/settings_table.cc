// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/settings_table.h"

#include "xsd/base/text.h"
#include "xsd/config/encoders.h"
#include "xsd/config/value_decoders.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <sys/resource.h>

namespace xsd::config {
namespace {

using S = ServiceDefinition;
using D = DaemonSettings;
using decoders::LimitUnit;
namespace de = decoders;
namespace en = encoders;

constexpr auto kOwn = Scope::Service;
constexpr auto kBoth = Scope::Both;
constexpr auto kAll = AppliesTo::All;
constexpr auto kPrograms = AppliesTo::Programs;
constexpr auto kPlugins = AppliesTo::Plugins;
constexpr auto kStarted = AppliesTo::Started;
constexpr bool kList = true;

struct Text {
  std::string_view kind;
  std::string_view default_text;
  std::string_view help;
  std::string_view example;
};

constexpr SettingsRow now(std::string_view name, Scope scope, AppliesTo applies_to, Text text,
                          SettingsRow::Decoder decode, SettingsRow::ServiceEncoder encode,
                          bool is_list = false) {
  SettingsRow row{};
  row.name = name;
  row.scope = scope;
  row.kind = text.kind;
  row.default_text = text.default_text;
  row.help = text.help;
  row.example = text.example;
  row.applies_to = applies_to;
  row.is_list = is_list;
  row.decode = decode;
  row.encode = encode;
  return row;
}

constexpr SettingsRow later(std::string_view name, Scope scope, Text text, bool is_list = false) {
  SettingsRow row = now(name, scope, kAll, text, nullptr, nullptr, is_list);
  row.availability = Availability::Later;
  return row;
}

constexpr SettingsRow never(std::string_view name, std::string_view help, std::string_view reason) {
  SettingsRow row = now(name, kBoth, kAll, {"", "", help, ""}, nullptr, nullptr);
  row.availability = Availability::Never;
  row.reason = reason;
  return row;
}

constexpr SettingsRow daemon(std::string_view name, Text text, SettingsRow::Decoder decode,
                             SettingsRow::DaemonEncoder encode) {
  SettingsRow row = now(name, Scope::Daemon, kAll, text, decode, nullptr);
  row.encode_daemon = encode;
  return row;
}

constexpr SettingsRow inert(SettingsRow row) {
  row.no_effect_yet = true;
  return row;
}

template <int Resource, LimitUnit Unit>
constexpr SettingsRow limit_row(std::string_view name, std::string_view help, std::string_view example,
                                SettingsRow::ServiceEncoder encode) {
  constexpr std::string_view kKind = Unit == LimitUnit::Size ? "size, SOFT:HARD, hard or unlimited"
                                     : Unit == LimitUnit::Number
                                         ? "number, SOFT:HARD, hard or unlimited"
                                         : "seconds or duration, SOFT:HARD, hard or unlimited";
  return now(name, kBoth, kStarted, {kKind, "", help, example}, de::resource_limit_field<Resource, Unit>,
             encode);
}

// clang-format off
constexpr SettingsRow kRows[] = {
    // What the service is.
    now("service", kOwn, kAll, {"name", "", "the name of the service", "echo"}, de::service_name, en::text_field<&S::service>),
    now("id", kOwn, kAll, {"name", "", "the identity of the service where several have the same name; by default the name", "echo-udp"}, de::service_id, en::text_field<&S::id>),
    now("description", kOwn, kAll, {"text", "", "what the service is for, shown in status", "who is logged in"}, de::text_field<&S::description>, en::text_field<&S::description>),
    now("disable", kOwn, kAll, {"boolean", "false", "do not run this service", "true"}, de::boolean_field<&S::disabled>, en::boolean_field<&S::disabled>),
    now("type", kOwn, kAll, {"list of words", "", "INTERNAL: run the plugin that has the name of the service; TCPMUX, TCPMUXPLUS: clients reach the service by its name through 'tcpmux' (RFC 1078), with TCPMUXPLUS they are told '+Go' first; UNLISTED: accepted, without effect", "[INTERNAL]"}, de::type, en::type),

    // What runs.
    now("plugin", kOwn, kPlugins, {"name", "", "the plugin that serves the clients", "echo"}, de::plugin, en::plugin),
    now("settings", kOwn, kPlugins, {"map", "", "what the plugin is told", "{greeting: hello}"}, de::settings, en::settings),
    now("programs", kOwn, kPlugins, {"map of names to paths or lists", "", "programs that the plugin may have started, as the service's user: the path, or a list of the path and arguments; the names are of a to z, 0 to 9, _ and -", "{cgi: /usr/lib/cgi-bin/report, list: [/bin/ls, -l]}"}, de::programs, en::programs),
    now("hand_over", kOwn, kPlugins, {"list of services", "", "services, by id, that the plugin may give its connections to: those that start a program for each connection", "[chargen, ssh]"}, de::hand_over, en::hand_over),
    now("redirect", kOwn, kAll, {"HOST:PORT or unix:/PATH", "", "pass the connections on to another server: an address, or a name that is looked up when somebody connects, all addresses of which are tried; a port may be a name of the services database. 'settings' may have connect_timeout and retries", "db.example.org:3306"}, de::redirect, en::redirect),
    now("server", kOwn, kPrograms, {"absolute path", "", "the program that serves the clients, looked for inside 'chroot' if that is given", "/usr/sbin/in.fingerd"}, de::path_field<&S::server>, en::server),
    now("server_args", kOwn, kPrograms, {"list of texts", "[]", "the arguments of the program; %{remote_addr}, %{remote_port}, %{server_port} and %{service} are replaced, %%{ is a literal %{", "[-w, '%{remote_addr}']"}, de::server_args, en::server_args),

    // Where it listens.
    now("listen", kOwn, kAll, {"endpoint or list of endpoints", "", "where clients reach the service", "[tcp://127.0.0.1:7, udp://127.0.0.1:7]"}, de::listen, en::listen),
    now("socket_type", kOwn, kAll, {"stream or dgram", "", "with 'port': the kind of socket", "stream"}, de::socket_type, nullptr),
    now("protocol", kOwn, kAll, {"tcp or udp", "", "with 'port': the protocol; by default what fits 'socket_type'", "tcp"}, de::enum_field<&Draft::protocol, kProtocolWords>, nullptr),
    now("port", kOwn, kAll, {"port", "", "a number, a name of the services database or a range; by default the name of the service", "7"}, de::port, nullptr),
    now("bind", kBoth, kAll, {"address or host name", "", "with 'port': the address to listen on, by default all", "127.0.0.1"}, de::bind, nullptr),
    now("interface", kBoth, kAll, {"address or host name", "", "the same as 'bind'", "127.0.0.1"}, de::bind, nullptr),
    now("v6only", kBoth, kAll, {"boolean", "false", "with 'port': listen on IPv6 only", "true"}, de::boolean_field<&Draft::v6only>, nullptr),
    now("backlog", kBoth, kAll, {"number", "4096", "how many clients may wait in the kernel's queue", "128"}, de::backlog, en::number_field<&S::backlog>),
    now("flags", kBoth, kAll, {"list of words", "[]", "NODELAY, KEEPALIVE: options of the connections; NAMEINARGS: server_args begins with argv[0]; NORETRY: a failed start is not tried again; NOLIBWRAP: 'libwrap' has no effect; IDONLY: only clients whose user their machine tells (ident, RFC 1413, within five seconds); SENSOR: nothing is started, whoever comes is banned for 'deny_time'; IPv4: with 'port', listen on IPv4 only; IPv6: with 'bind', take its IPv6 address; REUSE: accepted, always so", "[NODELAY, KEEPALIVE]"}, de::word_set_field<&S::flags, kFlagWords>, en::word_set_field<&S::flags, kFlagWords>, kList),
    now("wait", kOwn, kAll, {"boolean", "false for stream, true for dgram", "the program gets the listening socket and serves all clients until it ends", "false"}, de::boolean_field<&S::wait>, en::wait),

    // How much.
    now("instances", kBoth, kAll, {"number or unlimited", "256 for programs, unlimited for plugins", "how many connections, or running programs, at a time", "50"}, de::limit_field<&S::instances, 0>, en::limit_field<&S::instances>),
    now("only_from", kBoth, kAll, {"list of addresses, networks and names", "", "who may connect, by default everybody, with an empty list nobody: addresses (192.0.2.7, 2001:db8::1), networks (192.0.2.0/24), 10.1.0.0 for 10.1.0.0/16 (zeros at the end stand for everything), 10.1.{2,3} for several, names of the networks database, hosts (host.example.org), all hosts of a domain (.example.org), all entries of a file, one a line (file:/etc/xsd/allow.txt), which is read anew when it changes; of both lists the longest network that holds the client counts. A name counts if the name service says it of the client's address and it leads back there; what is not known within three seconds lets nobody in. Datagrams are dropped meanwhile: of a sender to a plugin whom a name decides about the first one is, and again when he has been silent for a minute. Clients of unix sockets are not asked, for them the permissions of the file are", "[192.0.2.0/24, .example.org, \"file:/etc/xsd/allow.txt\", \"10.1.{2,3}\", \"2001:db8::/32\"]"}, de::only_from, en::only_from, kList),
    now("no_access", kBoth, kAll, {"list of addresses, networks and names", "[]", "who may not connect, as in 'only_from'; where both have the same network this list counts, and a name of this list counts against whatever the other one says", "[192.0.2.7]"}, de::no_access, en::no_access, kList),
    now("libwrap", kBoth, kAll, {"true, false or name", "false", "ask hosts.allow and hosts.deny (hosts_access(5)) about each client, as the daemon of that name; true: as the file name of the program, or of server_args[0] with NAMEINARGS, for plugins the name of the service. They are asked without privileges and within five seconds; clients of unix sockets are not asked about", "in.fingerd"}, de::libwrap, en::libwrap),
    now("per_source", kBoth, kAll, {"number or unlimited", "unlimited", "how many connections one source may have at a time", "2"}, de::limit_field<&S::per_source, 0>, en::limit_field<&S::per_source>),
    now("rate", kBoth, kAll, {"{limit: RATE, burst: NUMBER, action: delay or refuse} or unlimited", "unlimited", "how often the clients of the service may connect together; with 'delay', the default, those who come too early wait in the kernel's queue, with 'refuse' they are refused, as datagrams always are", "{limit: 50/s, burst: 100}"}, de::rate, en::rate),
    now("cps", kBoth, kAll, {"[NUMBER, PAUSE] or unlimited", "unlimited", "when more connections than that come within a second the service takes no others for the time of the pause, a duration or seconds; they wait in the kernel's queue. Those that are refused for another reason do not count", "[50, 10s]"}, de::cps, en::cps),
    now("source_rate", kBoth, kAll, {"{limit: RATE, burst: NUMBER} or unlimited", "unlimited", "how often one source may connect, or send a datagram to a plugin: so many a second, minute, hour or day (/s /m /h /d), and as many as 'burst' at once, by default as many as the number of the rate", "{limit: 10/s, burst: 20}"}, de::source_rate, en::source_rate),
    now("source_prefix", kBoth, kAll, {"map of v4 and v6 to numbers", "{v4: 32, v6: 64}", "how many bits of an address make one source", "{v4: 24, v6: 56}"}, de::source_prefix, en::source_prefix),
    now("access_times", kBoth, kAll, {"list of times", "", "when clients may come, by default always, with an empty list never: H:MM-H:MM, with days in front if it is not every day. Both ends are in it to the minute, 24:00 is midnight as an end, and what ends before it begins goes over midnight and belongs to the day on which it begins. Outside of them clients are refused and datagrams dropped; with 'wait' the clients of streams wait", "[\"Mon-Fri 08:00-18:00\", \"Sat,Sun 22:00-06:00\"]"}, de::access_times, en::access_times, kList),
    now("timezone", kBoth, kAll, {"name or local", "local", "the time zone of 'access_times', by its name in the zone database; local is that of the daemon's environment (TZ), else of the machine", "Europe/Zurich"}, de::timezone, en::timezone),
    now("max_load", kBoth, kAll, {"number or unlimited", "unlimited", "clients are refused while the load of the machine, one minute's mean, is that high; it is looked at once a second. With 'wait' they wait", "4.5"}, de::max_load, en::max_load),
    now("banner", kBoth, kAll, {"absolute path, or empty", "", "a file of at most 64 KiB that everybody who connects is sent first, before it is known whether they are let in; only those who are banned are not. It is read at start and reload; what a connection does not take at once is cut. Not for datagrams, and not with 'wait'. An empty text switches off what 'defaults' name", "/etc/xsd/banner"}, de::banner<&Banners::always>, en::banner<&Banners::always>),
    now("banner_success", kBoth, kAll, {"absolute path, or empty", "", "the same for those who are let in, before the service says anything", "/etc/xsd/welcome"}, de::banner<&Banners::success>, en::banner<&Banners::success>),
    now("banner_fail", kBoth, kAll, {"absolute path, or empty", "", "the same for those who are refused, for whatever reason", "/etc/xsd/sorry"}, de::banner<&Banners::fail>, en::banner<&Banners::fail>),
    now("deny_time", kOwn, kAll, {"minutes, duration, FOREVER or NEVER", "NEVER", "how long whoever comes to a service with the flag SENSOR is banned from all services; a further hit does not extend it. A ban is about a 'source_prefix', survives a reload and ends with the daemon; at most 10240 are kept. The sender of a datagram may be forged: whoever bans by datagrams lets others choose whom", "60"}, de::deny_time, en::deny_time),
    now("shards", kOwn, kPlugins, {"number from 1 to 64", "1", "worker processes for this service alone, which its connections are dealt to; for stream sockets only, and without effect where there are no workers", "4"}, de::shards, en::number_field<&S::shards>),
    now("idle_timeout", kBoth, kAll, {"duration or unlimited", "5m for plugins, unlimited for programs and redirect", "a connection on which no byte moves in either direction for that time is closed, the program of a TCP connection ended", "90s"}, de::idle_timeout, en::idle_timeout),
    now("start_timeout", kBoth, kPrograms, {"duration or unlimited", "unlimited", "a program that has not sent its client anything after that time is ended; TCP only", "10s"}, de::start_timeout, en::start_timeout),
    now("max_duration", kBoth, kStarted, {"duration or unlimited", "unlimited", "after that time the program is ended, with everything that it has started, also in sessions of its own", "10m"}, de::max_duration, en::max_duration),
    now("lingering", kBoth, kPrograms, {"duration", "0s", "when the main process of the program ends its client sees the end at once, and for so long what the client still sends is thrown away, so that a program that answers without reading does not reset the connection", "2s"}, de::lingering, en::lingering),
    now("stop_timeout", kBoth, kAll, {"duration", "from 'daemon'", "the time between TERM and KILL", "30s"}, de::duration_field<&S::stop_timeout>, en::duration_field<&S::stop_timeout>),
    now("on_remove", kBoth, kAll, {"terminate or drain", "terminate", "what becomes of the running connections when the service is removed or disabled", "drain"}, de::enum_field<&S::on_remove, kOnRemoveWords>, en::enum_field<&S::on_remove, kOnRemoveWords>),
    now("on_stop", kBoth, kPrograms, {"terminate or leave", "terminate", "what becomes of the running programs when the daemon stops", "leave"}, de::enum_field<&S::on_stop, kOnStopWords>, en::enum_field<&S::on_stop, kOnStopWords>),

    // Who the program is and what it gets.
    now("user", kBoth, kStarted, {"name or number", "", "the user that the program runs as; required if the daemon is root", "nobody"}, de::account_field<&S::user>, en::text_field<&S::user>),
    now("group", kBoth, kStarted, {"name or number", "", "the group that the program runs as; by default that of the user", "tty"}, de::account_field<&S::group>, en::text_field<&S::group>),
    now("groups", kBoth, kStarted, {"boolean", "false", "the program also gets the other groups of its user", "true"}, de::boolean_field<&S::groups>, en::boolean_field<&S::groups>),
    now("umask", kBoth, kStarted, {"octal number", "022", "the file mode mask of the program", "077"}, de::umask, en::umask),
    now("nice", kBoth, kStarted, {"number from -20 to 19", "", "added to the priority of the program", "10"}, de::nice, en::nice),
    now("directory", kBoth, kStarted, {"absolute path", "/", "the working directory, inside 'chroot' if that is given", "/srv/ctf"}, de::path_field<&S::directory>, en::text_field<&S::directory>),
    now("chroot", kBoth, kStarted, {"absolute path", "", "the root directory of the program", "/srv/jail"}, de::path_field<&S::chroot>, en::text_field<&S::chroot>),
    now("env", kBoth, kStarted, {"map of texts", "{}", "environment variables of the program", "{TERM: vt100}"}, de::env, en::env, kList),
    now("passenv", kBoth, kStarted, {"list of names", "[]", "variables of the daemon that the program gets too; '*' is all of them", "[HOME, SHELL]"}, de::passenv, en::text_list_field<&S::passenv>, kList),
    now("stderr", kBoth, kStarted, {"socket, log or null", "socket", "where the standard error of the program goes; of the programs of a plugin, log by default", "log"}, de::stderr_target, en::enum_field<&S::stderr_target, kStderrWords>),
    now("no_new_privs", kBoth, kStarted, {"boolean", "true", "the program cannot gain privileges, for example by a setuid helper", "false"}, de::boolean_field<&S::no_new_privs>, en::boolean_field<&S::no_new_privs>),
#define XSD_LIMIT(key, resource, unit, help, example) \
    limit_row<resource, LimitUnit::unit>(key, help, example, [](const S& s) { return en::resource_limit(s, key); })
    XSD_LIMIT("rlimit_as", RLIMIT_AS, Size, "address space of the program", "512M"),
    XSD_LIMIT("rlimit_core", RLIMIT_CORE, Size, "size of a core file", "0"),
    XSD_LIMIT("rlimit_cpu", RLIMIT_CPU, Seconds, "processor time of the program", "30"),
    XSD_LIMIT("rlimit_data", RLIMIT_DATA, Size, "data segment of the program", "256M"),
    XSD_LIMIT("rlimit_fsize", RLIMIT_FSIZE, Size, "size of a file that the program writes", "1G"),
    XSD_LIMIT("rlimit_nofile", RLIMIT_NOFILE, Number, "open files of the program", "256:1024"),
    XSD_LIMIT("rlimit_files", RLIMIT_NOFILE, Number, "the same as rlimit_nofile", "1024"),
    XSD_LIMIT("rlimit_nproc", RLIMIT_NPROC, Number, "processes of the program's user", "100"),
    XSD_LIMIT("rlimit_rss", RLIMIT_RSS, Size, "resident memory; Linux ignores it", "256M"),
    XSD_LIMIT("rlimit_sigpending", RLIMIT_SIGPENDING, Number, "queued signals of the program's user", "1000"),
    XSD_LIMIT("rlimit_stack", RLIMIT_STACK, Size, "stack of the program", "8M"),
    XSD_LIMIT("rlimit_memlock", RLIMIT_MEMLOCK, Size, "memory that the program may lock", "64K"),
#undef XSD_LIMIT

    // What is recorded.
    now("log_type", kBoth, kAll, {"daemon, {syslog: FACILITY, level: LEVEL} or {file: PATH, soft_limit: SIZE, hard_limit: SIZE}", "daemon", "where the records of the service go: to the daemon's log, to syslog with a facility and level of their own, or to a file, which becomes PATH.1 when it is as large as the hard limit, or the soft one if there is no other; also as xinetd writes it, [SYSLOG, FACILITY, LEVEL] and [FILE, PATH, SOFT, HARD]", "{file: /var/log/xsd/ftp.log, hard_limit: 10M}"}, de::log_type, en::log_type),
    now("log_on_success", kBoth, kAll, {"list of words", "[PID, HOST, EXIT, DURATION]", "what the records of served connections say: PID HOST EXIT DURATION, USERID (whose the connection is by what the client's machine says, RFC 1413: the client waits for that, five seconds at most), of programs USAGE (processor time and memory) and, of plugin services, TRAFFIC; an empty list switches them off", "[HOST, DURATION]"}, de::word_set_field<&S::log_on_success, kSuccessWords>, en::word_set_field<&S::log_on_success, kSuccessWords>, kList),
    now("log_on_failure", kBoth, kAll, {"list of words", "[HOST, ATTEMPT]", "what the records of refused connections say: HOST ATTEMPT USERID; an empty list switches them off", "[HOST]"}, de::word_set_field<&S::log_on_failure, kFailureWords>, en::word_set_field<&S::log_on_failure, kFailureWords>, kList),

    // Which services run.
    now("enabled", Scope::Defaults, kAll, {"list of services", "", "only these run", "[echo, daytime]"}, de::enabled, nullptr),
    now("disabled", Scope::Defaults, kAll, {"list of services", "[]", "these do not run", "[chargen]"}, de::disabled, nullptr),

    // Not there yet.

    later("min_rate", kBoth, {"bytes a second", "", "a slower client is closed", "100"}),
    later("pacing_rate", kBoth, {"bytes a second", "", "upper bound for one connection", "1M"}),
    later("tty", kOwn, {"boolean", "false", "the program gets a pseudo-terminal", "true"}),

    never("rpc_version", "versions of an RPC service", "services of the RPC port mapper are not supported"),
    never("rpc_number", "number of an RPC service", "services of the RPC port mapper are not supported"),
    never("mdns", "announcement by multicast DNS", "announcing services by multicast DNS is not supported (xinetd never did it either): remove the line"),

    // daemon:
    daemon("user", {"name or number", "xsd if it exists, else nobody", "the user of the processes of a daemon that is root that need no privileges", "xsd"}, de::account_field<&D::user>, en::text_field<&D::user>),
    daemon("pid_file", {"path", "/run/xsd/xsd.pid", "where the process id of the daemon is written", "/run/xsd/xsd.pid"}, de::daemon_path_field<&D::pid_file>, en::text_field<&D::pid_file>),
    inert(daemon("control_socket", {"path", "/run/xsd/control.sock", "where xsdctl reaches the daemon", "/run/xsd/control.sock"}, de::daemon_path_field<&D::control_socket>, en::text_field<&D::control_socket>)),
    daemon("workers", {"auto or 0", "auto", "auto: the log is written and plugins work in processes without privileges; 0: the daemon does both itself", "auto"}, de::workers, en::workers),
    daemon("max_processes", {"number or unlimited", "4096", "how many programs of all services run at a time", "1000"}, de::limit_field<&D::max_processes, 1>, en::limit_field<&D::max_processes>),
    daemon("stop_timeout", {"duration", "10s", "the time between TERM and KILL, and what connections get to finish when the daemon stops", "30s"}, de::duration_field<&D::stop_timeout>, en::duration_field<&D::stop_timeout>),
    daemon("watch", {"boolean", "false", "apply changes of the service folder without a signal", "true"}, de::boolean_field<&D::watch>, en::boolean_field<&D::watch>),
    daemon("plugin_dirs", {"list of folders", "LIBDIR/xsd/plugins of the installation, then /usr/lib/xsd/plugins", "where plugin libraries are; the first folder that has one of the name wins", "[/usr/lib/xsd/plugins]"}, de::plugin_dirs, en::text_list_field<&D::plugin_dirs>),
    daemon("log", {"map", "", "the daemon's own log", "{target: syslog, level: info}"}, nullptr, nullptr),
    daemon("log.target", {"stderr, syslog, journal, {file: PATH} or {udp: HOST:PORT}", "stderr", "where the log goes; where systemd connects stderr to the journal, lines have their level there", "{file: /var/log/xsd/xsd.log}"}, de::log_target, en::log_target),
    daemon("log.level", {"error, warning, info or debug", "info", "what is logged", "debug"}, de::log_level, en::log_level),
    daemon("log.format", {"text or json", "text", "the form of the lines", "json"}, de::log_format, en::log_format),
};
// clang-format on

constexpr std::size_t kRowCount = std::size(kRows);

// The rows of one scope in the order of their names.
template <bool Daemon>
std::vector<const SettingsRow*> sorted_rows() {
  std::vector<const SettingsRow*> rows;
  for (const SettingsRow& row : kRows) {
    if ((row.scope == Scope::Daemon) == Daemon) rows.push_back(&row);
  }
  std::sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return rows;
}

const SettingsRow* find_in(const std::vector<const SettingsRow*>& rows, std::string_view name) noexcept {
  const auto found = std::lower_bound(rows.begin(), rows.end(), name,
                                      [](const auto* row, std::string_view n) { return row->name < n; });
  return found != rows.end() && (*found)->name == name ? *found : nullptr;
}

}  // namespace

bool applies(const SettingsRow& row, const ServiceDefinition& definition) noexcept {
  switch (row.applies_to) {
    case AppliesTo::All:
      break;
    case AppliesTo::Programs:
      return definition.kind == ServiceKind::Program;
    case AppliesTo::Plugins:
      return definition.kind == ServiceKind::Plugin;
    case AppliesTo::Started:
      return definition.starts_programs();
  }
  return true;
}

std::span<const SettingsRow> settings_table() noexcept {
  return kRows;
}

const SettingsRow* find_service_row(std::string_view name) noexcept {
  static const auto kSorted = sorted_rows<false>();
  return find_in(kSorted, name);
}

const SettingsRow* find_daemon_row(std::string_view name) noexcept {
  static const auto kSorted = sorted_rows<true>();
  return find_in(kSorted, name);
}

std::uint16_t row_index(const SettingsRow& row) noexcept {
  static_assert(kRowCount < 65536);
  return static_cast<std::uint16_t>(&row - kRows);
}

std::string_view suggest_service_key(std::string_view name, bool in_defaults) {
  // What the same is called elsewhere, and is not spelt alike.
  static constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
      {"allow", "only_from"},
      {"args", "server_args"},
      {"arguments", "server_args"},
      {"cmd", "server"},
      {"command", "server"},
      {"deny", "no_access"},
      {"exec", "server"},
      {"program", "server"},
      {"max_connections", "instances"},
      {"environment", "env"},
      {"run_as", "user"},
      {"timeout", "max_duration"},
      {"working_directory", "directory"}};
  for (const auto& [elsewhere, here] : kElsewhere) {
    if (name == elsewhere) return here;
  }
  std::vector<std::string_view> names;
  for (const SettingsRow& row : kRows) {
    const bool fits = in_defaults ? row.scope == Scope::Both || row.scope == Scope::Defaults
                                  : row.scope == Scope::Both || row.scope == Scope::Service;
    if (fits && row.availability != Availability::Never) names.push_back(row.name);
  }
  return nearest_word(name, names);
}

std::string_view suggest_daemon_key(std::string_view name, std::string_view prefix) {
  std::vector<std::string_view> names;
  for (const SettingsRow& row : kRows) {
    if (row.scope != Scope::Daemon || !row.name.starts_with(prefix)) continue;
    const std::string_view rest = row.name.substr(prefix.size());
    if (rest.find('.') == std::string_view::npos) names.push_back(rest);
  }
  return nearest_word(name, names);
}

const ValueOrigin* origin_of(std::span<const ValueOrigin> origins, std::string_view key) noexcept {
  for (const ValueOrigin& origin : origins) {
    if (kRows[origin.row].name == key) return &origin;
  }
  return nullptr;
}

const ValueOrigin* own_origin_of(std::span<const ValueOrigin> origins, std::string_view key) noexcept {
  const ValueOrigin* const origin = origin_of(origins, key);
  return origin != nullptr && !origin->from_defaults ? origin : nullptr;
}

}  // namespace xsd::config
