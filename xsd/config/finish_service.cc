// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/finish_service.h"

#include "xsd/base/text.h"
#include "xsd/config/finish_vetting.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/redirect_target.h"
#include "xsd/config/settings_table.h"

#include <algorithm>
#include <utility>

namespace xsd::config {
namespace {

using net::Transport;

constexpr std::string_view kAddressKeys[] = {"port", "protocol",  "socket_type",
                                             "bind", "interface", "v6only"};
constexpr unsigned kFamilyFlags = kFlagIPv4 | kFlagIPv6;
constexpr unsigned kProgramFlags = kFlagNameInArgs | kFlagNoRetry;
constexpr std::size_t kMaxSockets = 4096;
constexpr std::uint64_t kProgramInstances = 256;
constexpr mode_t kUmask = 022;
constexpr Duration kPluginIdleTimeout = std::chrono::minutes(5);

class Finisher {
 public:
  Finisher(Draft& draft, const YamlNode& map, const Inherited& inherited, const DecodeRules& rules,
           DiagnosticSink& sink, std::size_t errors_before)
      : draft_(draft),
        map_(map),
        inherited_(inherited),
        rules_(rules),
        sink_(sink),
        errors_before_(errors_before) {}

  void finish() {
    if (draft_.where == Position{}) draft_.where = map_.where;
    if (draft_.id.empty()) draft_.id = draft_.service;
    const bool kind_known = decide_kind();
    decide_listen();
    if (kind_known) {
      if (is_mux()) check_mux();
      check_keys();
      check_transports();
      check_sensor();
      check_banners();
      if (draft_.starts_programs()) check_program();
      decide_vetting(draft_, sink_);
      if (draft_.kind != ServiceKind::Program) drop_program_values();
      fill_in();
    }
    apply_lists();
  }

 private:
  // The origin of a key that this service itself has; nullptr if it has not.
  const ValueOrigin* own(std::string_view key) const { return own_origin_of(draft_.origins, key); }

  bool is_internal() const { return (draft_.types & kTypeInternal) != 0; }
  bool is_mux() const { return (draft_.types & (kTypeMux | kTypeMuxPlus)) != 0; }
  bool is_redirect() const { return draft_.plugin == kRedirectPlugin; }

  bool decide_kind() {
    if ((draft_.flags & kFlagSensor) != 0) return decide_sensor();
    std::vector<std::pair<std::string, const ValueOrigin*>> said;
    for (const std::string_view key : {"server", "plugin", "redirect"}) {
      if (const ValueOrigin* const origin = own(key)) said.emplace_back(quoted(key), origin);
    }
    if (is_internal()) said.emplace_back("'type: INTERNAL'", own("type"));
    if (said.size() > 1) {
      sink_.error(said[1].second->where,
                  "a service runs one thing: " + said[0].first + " and " + said[1].first + " are two");
      return false;
    }
    if (said.empty()) {
      // A refused word or the like said it already.
      const bool is_told =
          (own("flags") != nullptr || own("type") != nullptr) && sink_.error_count() > errors_before_;
      if (!is_told) {
        sink_.error(draft_.where,
                    "nothing to run: give 'server: /PATH/PROGRAM', 'plugin: NAME' or 'redirect: HOST:PORT'");
      }
      return false;
    }
    draft_.kind = own("server") != nullptr ? ServiceKind::Program : ServiceKind::Plugin;
    if (is_internal()) draft_.plugin = draft_.service;
    if (own("redirect") != nullptr) take_redirect();
    return true;
  }

  // It needs nothing to run. xinetd wants to be told something all the same, so it may be there.
  bool decide_sensor() {
    if ((inherited_.defaults.draft.flags & kFlagSensor) != 0) {
      sink_.error(draft_.where,
                  "SENSOR in 'defaults' would ban the clients of every service: write it in the "
                  "'flags' of the one that is to be a trap");
      return false;
    }
    draft_.kind = ServiceKind::Sensor;
    const ServiceDefinition fresh;
    draft_.server = fresh.server;
    draft_.plugin = fresh.plugin;
    draft_.settings = fresh.settings;
    draft_.programs = fresh.programs;
    draft_.hand_over = fresh.hand_over;
    draft_.shards = fresh.shards;
    return true;
  }

  // It is the plugin of that name, told so by its settings.
  void take_redirect() {
    draft_.plugin = kRedirectPlugin;
    for (const auto& [key, value] : draft_.settings.members) {
      if (key != "host" && key != "port") continue;
      sink_.error(value.key_where, quoted(key) + " in 'settings' and 'redirect' (line " +
                                       std::to_string(own("redirect")->where.line) +
                                       ") both say where to: write 'redirect' only");
    }
    if (draft_.redirect) put_redirect_target(*draft_.redirect, draft_.redirect_where, draft_.settings);
  }

  void check_mux() {
    const Position where = own("type")->where;
    const std::string what = (draft_.types & kTypeMuxPlus) != 0 ? "'type: TCPMUXPLUS'" : "'type: TCPMUX'";
    draft_.mux = (draft_.types & kTypeMuxPlus) != 0 ? MuxKind::MuxPlus : MuxKind::Mux;
    if (draft_.kind == ServiceKind::Plugin) {
      sink_.error(where, what + " is for services that start a program, this one " +
                             (is_redirect() ? "passes its connections on" : "runs a plugin"));
    } else if (equals_ignoring_case(draft_.service, "help")) {
      sink_.error(where,
                  what + ": 'help' is what clients ask 'tcpmux' itself for, no service can have that name");
    }
  }

  void decide_listen() {
    const unsigned own_family = draft_.flags & ~inherited_.defaults.draft.flags & kFamilyFlags;
    if (own("listen") != nullptr) {
      for (const std::string_view key : kAddressKeys) {
        if (const ValueOrigin* const origin = own(key)) say_once(*origin, quoted(key));
      }
      if (own("flags") != nullptr && own_family != 0) {
        say_once(*own("flags"), (own_family & kFlagIPv4) != 0 ? "the flag 'IPv4'" : "the flag 'IPv6'");
      }
    } else if (is_mux()) {
      check_mux_addresses();
    } else {
      constexpr std::string_view kXinetdKeys[] = {"flags", "wait", "type"};
      const auto is_own = [&](std::string_view key) { return own(key) != nullptr; };
      const bool is_xinetd = std::any_of(std::begin(kAddressKeys), std::end(kAddressKeys), is_own) ||
                             std::any_of(std::begin(kXinetdKeys), std::end(kXinetdKeys), is_own);
      if (is_xinetd) {
        listen_from_xinetd_keys();
      } else {
        sink_.error(draft_.where, "'listen' is missing, for example 'listen: tcp://127.0.0.1:7'");
      }
    }
    draft_.flags &= ~kFamilyFlags;
    check_size();
  }

  // xinetd never listens for such a service, whatever its file says.
  void check_mux_addresses() {
    for (const std::string_view key : {"port", "bind", "interface", "v6only"}) {
      const ValueOrigin* const origin = own(key);
      if (origin == nullptr) continue;
      sink_.warning(origin->where, quoted(key) +
                                       " has no effect on a service that is reached through 'tcpmux'; to "
                                       "have it listen as well use 'listen'");
    }
    for (const std::string_view key : {"socket_type", "protocol"}) {
      const auto& transport = key == "protocol" ? draft_.protocol : draft_.socket_type;
      if (transport == Transport::Datagram)
        sink_.error(own(key)->where, "what is reached through 'tcpmux' is a stream, not datagrams");
    }
  }

  // No more sockets than one service can sensibly have: ranges times addresses.
  void check_size() {
    std::size_t sockets = 0;
    for (const ListenSpec& spec : draft_.listen) {
      const auto ports = numeric_ports(spec.port);
      const std::size_t hosts = spec.host == "*" && spec.family == ListenSpec::Family::Any ? 2 : 1;
      sockets += hosts * (ports ? static_cast<std::size_t>(ports->last - ports->first) + 1 : 1);
      if (sockets <= kMaxSockets) continue;
      sink_.error(spec.where, "more than " + std::to_string(kMaxSockets) + " sockets for one service");
      return;
    }
  }

  void say_once(const ValueOrigin& origin, const std::string& what) {
    sink_.error(origin.where, what + " and 'listen' (line " + std::to_string(own("listen")->where.line) +
                                  ") both say where to listen: write it in 'listen' only");
  }

  void listen_from_xinetd_keys() {
    ListenSpec spec;
    const ValueOrigin* const bind = origin_of(draft_.origins, "bind");
    const ValueOrigin* const interface_key = origin_of(draft_.origins, "interface");
    if (draft_.socket_type && draft_.protocol && draft_.socket_type != draft_.protocol) {
      const bool stream = draft_.socket_type == Transport::Stream;
      sink_.error(own("protocol")->where,
                  std::string(stream ? "'socket_type: stream' goes with 'protocol: tcp', not udp"
                                     : "'socket_type: dgram' goes with 'protocol: udp', not tcp"));
      return;
    }
    spec.transport = draft_.socket_type.value_or(draft_.protocol.value_or(Transport::Stream));
    const unsigned family = draft_.flags & kFamilyFlags;
    if (family == kFlagIPv4) spec.family = ListenSpec::Family::V4;
    // As with xinetd the flag alone does not keep IPv4 clients out; it says which address of a name is meant.
    if ((family == kFlagIPv6 && !draft_.bind.empty()) || draft_.v6only) {
      if (family == kFlagIPv4) {
        const ValueOrigin* const v6only = own("v6only");
        sink_.error(v6only != nullptr ? v6only->where : draft_.where,
                    "'v6only' and the flag 'IPv4' contradict each other");
        return;
      }
      spec.family = ListenSpec::Family::V6;
    }
    spec.host = "*";
    if (!draft_.bind.empty()) {
      if (auto status = parse_listen_host(draft_.bind, true, spec); !status) {
        const ValueOrigin* const origin =
            bind != nullptr && (!bind->from_defaults || interface_key == nullptr) ? bind : interface_key;
        sink_.error(origin != nullptr && !origin->from_defaults ? origin->where : draft_.where,
                    status.error().text());
        return;
      }
    }
    spec.port = draft_.port;
    spec.where = draft_.where;
    if (const ValueOrigin* const port = own("port")) {
      spec.where = port->where;
      if (spec.port.empty()) return;  // it was faulty
    } else {
      auto port_name = parse_listen_port(draft_.service);
      if (!port_name) {
        if (!draft_.service.empty())
          sink_.error(draft_.where,
                      "'port' is missing, and " + quoted(draft_.service) + " is no name of a port");
        return;
      }
      spec.port = std::move(*port_name);
    }
    draft_.listen.clear();
    draft_.listen.push_back(std::move(spec));
  }

  void check_keys() {
    const bool program = draft_.kind == ServiceKind::Program;
    const bool sensor = draft_.kind == ServiceKind::Sensor;
    const bool internal = is_internal() || sensor;
    // xinetd's files have keys about programs in both.
    const bool is_lenient = internal || own("redirect") != nullptr;
    for (const ValueOrigin& origin : draft_.origins) {
      const SettingsRow& row = settings_table()[origin.row];
      if (origin.from_defaults || applies(row, draft_)) continue;
      if (row.applies_to == AppliesTo::Started && own("programs") != nullptr) continue;  // a faulty one
      if (is_lenient) {
        sink_.warning(origin.where, quoted(row.name) + " has no effect on " +
                                        (sensor     ? "a SENSOR, which starts nothing"
                                         : internal ? "an internal service"
                                                    : "a service with 'redirect'"));
      } else {
        std::string why = program ? " is only for plugins, this service runs a program"
                                  : " is only for programs, this service runs a plugin";
        if (row.applies_to == AppliesTo::Started) why += " that has no 'programs'";
        sink_.error(origin.where, quoted(row.name) + why);
      }
    }
    check_traffic(program);
    unsigned own_flags = draft_.flags & ~inherited_.defaults.draft.flags & kProgramFlags;
    if (own("redirect") != nullptr) own_flags &= ~unsigned{kFlagNoRetry};
    if (!program && !internal && own_flags != 0) {
      sink_.error(
          own("flags")->where,
          std::string((own_flags & kFlagNameInArgs) != 0 ? "the flag 'NAMEINARGS'" : "the flag 'NORETRY'") +
              " is only for programs, this service " +
              (is_redirect() ? "passes its connections on" : "runs a plugin"));
    }
    if (const ValueOrigin* const instances = own("instances");
        instances != nullptr && draft_.instances == Limit{0}) {
      sink_.warning(instances->where,
                    "'instances: 0' refuses everybody; to switch the service off write 'disable: true'");
    }
  }

  // The bytes of a program pass xsd by. What `defaults` say is for the services that can have it.
  void check_traffic(bool program) {
    if (!program) return;
    const ValueOrigin* const origin = own("log_on_success");
    const bool is_replaced = map_.find("log_on_success") != nullptr;
    const unsigned inherited = is_replaced ? 0U : inherited_.defaults.draft.log_on_success;
    if (origin != nullptr && (draft_.log_on_success & ~inherited & kLogTraffic) != 0) {
      sink_.error(origin->where, "'TRAFFIC' is for services whose bytes xsd carries, not for programs");
    }
    if (draft_.log_on_success == kLogTraffic) {
      // Without it nothing would be left, and that switches the records off.
      draft_.log_on_success = ServiceDefinition().log_on_success;
      forget_origin("log_on_success");
    }
    draft_.log_on_success &= ~unsigned{kLogTraffic};
  }

  void forget_origin(std::string_view key) {
    std::erase_if(draft_.origins,
                  [&](const auto& origin) { return settings_table()[origin.row].name == key; });
  }

  void check_transports() {
    const bool datagram = has_transport(Transport::Datagram);
    const bool stream = has_transport(Transport::Stream) || has_transport(Transport::SeqPacket);
    if (draft_.kind == ServiceKind::Sensor) {
      draft_.wait = false;
      return;
    }
    if (draft_.kind == ServiceKind::Plugin) {
      for (const ListenSpec& spec : draft_.listen) {
        if (spec.transport == Transport::SeqPacket) {
          sink_.error(spec.where, "plugins serve stream and datagram sockets, not seqpacket");
        } else if (spec.transport == Transport::Datagram && (is_redirect() || draft_.plugin == kMuxPlugin)) {
          sink_.error(spec.where, quoted(draft_.plugin) + " is for streams, not for datagrams");
        }
      }
      if (own("redirect") != nullptr && own("wait") != nullptr && draft_.wait) {
        sink_.error(own("wait")->where,
                    "'redirect' passes each connection on by itself: 'wait: true' makes no sense with it");
      }
      if (draft_.shards > 1 && datagram) check_shards();
      draft_.wait = false;
      return;
    }
    if (datagram && stream) {
      const auto first = draft_.listen.front().transport;
      const auto second = std::find_if(draft_.listen.begin(), draft_.listen.end(), [&](const auto& spec) {
        return (spec.transport == Transport::Datagram) != (first == Transport::Datagram);
      });
      sink_.error(second->where, "a program serves streams or datagrams, not both: say it in two services");
      return;
    }
    const auto* const wait = own("wait");
    if (wait == nullptr) {
      draft_.wait = datagram;
    } else if (datagram && !draft_.wait) {
      sink_.error(wait->where, "a program that serves datagrams owns the socket: write 'wait: true'");
    }
    check_times();
    if (draft_.wait && is_mux()) {
      sink_.error(wait != nullptr ? wait->where : own("type")->where,
                  "'tcpmux' gives a service one connection after the other: it has to be 'wait: false'");
    }
    if (draft_.wait && draft_.limits_sources()) check_wait_keys();
    if (draft_.wait && !datagram && draft_.clients->has_lists()) {
      const ValueOrigin* const list = own("only_from") != nullptr ? own("only_from") : own("no_access");
      sink_.error(
          list != nullptr ? list->where : draft_.where,
          "with 'wait' the program takes its clients itself, so 'only_from' and 'no_access' cannot keep "
          "anybody out: let them in one by one ('wait: false')" +
              std::string(list != nullptr ? "" : "; they stand in 'defaults'"));
    }
  }

  // What `defaults` say is for the services that can have it.
  void check_times() {
    const auto is_other = [](const ListenSpec& spec) {
      return spec.transport != Transport::Stream || spec.family == ListenSpec::Family::Unix;
    };
    const auto other = std::find_if(draft_.listen.begin(), draft_.listen.end(), is_other);
    for (const std::string_view key : {"idle_timeout", "start_timeout", "max_duration", "lingering"}) {
      const ValueOrigin* const origin = own(key);
      const bool is_judged = key == "idle_timeout" || key == "start_timeout";
      if (!is_bounded(key) || (!draft_.wait && !(is_judged && other != draft_.listen.end()))) continue;
      if (origin == nullptr) {
        drop_time(key);
      } else if (draft_.wait) {
        sink_.error(origin->where, quoted(key) +
                                       " is about one connection, and with 'wait' the program takes its "
                                       "clients itself and serves any number of them");
      } else {
        sink_.error(origin->where, quoted(key) +
                                       " of a program is for TCP only, where the kernel tells what moves "
                                       "on its connection (line " +
                                       std::to_string(other->where.line) + ")");
      }
    }
  }

  bool is_bounded(std::string_view key) const {
    if (key == "idle_timeout") return draft_.idle_timeout.has_value();
    if (key == "start_timeout") return draft_.times->start_timeout.has_value();
    return key == "max_duration" ? draft_.times->max_duration.has_value()
                                 : draft_.times->lingering > Duration::zero();
  }

  void drop_time(std::string_view key) {
    forget_origin(key);
    if (!is_bounded(key)) return;  // nor does it take any room then
    if (key == "idle_timeout") {
      draft_.idle_timeout.reset();
    } else if (key == "start_timeout") {
      draft_.times.edit().start_timeout.reset();
    } else if (key == "max_duration") {
      draft_.times.edit().max_duration.reset();
    } else {
      draft_.times.edit().lingering = Duration::zero();
    }
  }

  // xinetd's files often have the first one there; it does no harm.
  void check_wait_keys() {
    for (const std::string_view key : {"per_source", "source_rate"}) {
      const ValueOrigin* const origin = own(key);
      if (origin == nullptr) continue;
      sink_.warning(origin->where,
                    quoted(key) + " has no effect with 'wait': the program takes its clients itself");
    }
  }

  void check_sensor() {
    const ValueOrigin* const time = own("deny_time");
    if (draft_.kind != ServiceKind::Sensor) {
      if (time != nullptr) sink_.warning(time->where, "'deny_time' has no effect without the flag 'SENSOR'");
      return;
    }
    const ValueOrigin* const flags = own("flags");
    const Position where = flags != nullptr ? flags->where : draft_.where;
    if (time == nullptr) sink_.warning(where, "this SENSOR bans nobody: say for how long with 'deny_time'");
    if (std::any_of(draft_.listen.begin(), draft_.listen.end(),
                    [](const auto& spec) { return spec.family == ListenSpec::Family::Unix; })) {
      sink_.warning(where, "clients of unix sockets have no address that a SENSOR could ban");
    }
    for (const std::string_view key : {"banner_success", "idle_timeout"}) {
      if (const ValueOrigin* const origin = own(key))
        sink_.warning(origin->where, quoted(key) + " has no effect on a SENSOR, which serves nobody");
      forget_origin(key);
    }
    if (!draft_.clients->banners.success.empty()) draft_.clients.edit().banners.success.clear();
    draft_.idle_timeout.reset();
  }

  // Who has no connection that we have accepted cannot be told anything.
  void check_banners() {
    if (draft_.clients->banners == Banners()) return;
    const bool has_streams = std::any_of(draft_.listen.begin(), draft_.listen.end(), [](const auto& spec) {
      return spec.transport != Transport::Datagram;
    });
    if (has_streams && !draft_.wait) return;
    for (const std::string_view key : {"banner", "banner_success", "banner_fail"}) {
      if (const ValueOrigin* const origin = own(key)) {
        sink_.warning(origin->where, quoted(key) + (draft_.wait && has_streams
                                                        ? " has no effect with 'wait': the program takes its "
                                                          "clients itself"
                                                        : " has no effect on datagrams"));
      }
      forget_origin(key);
    }
    draft_.clients.edit().banners = {};
  }

  // A datagram has no connection that could be dealt.
  void check_shards() {
    const auto first = std::find_if(draft_.listen.begin(), draft_.listen.end(),
                                    [](const auto& spec) { return spec.transport == Transport::Datagram; });
    sink_.error(own("shards")->where,
                "'shards' deals connections out, and the service takes datagrams (line " +
                    std::to_string(first->where.line) + "): say that in another service");
  }

  bool has_transport(Transport transport) const {
    return std::any_of(draft_.listen.begin(), draft_.listen.end(),
                       [&](const auto& spec) { return spec.transport == transport; });
  }

  void check_program() {
    if (rules_.as_root && origin_of(draft_.origins, "user") == nullptr) {
      sink_.error(draft_.where, "'user' is missing: the daemon runs as root, so it must know who " +
                                    (!draft_.programs.empty() ? "the programs of the plugin are"
                                     : draft_.server.empty()  ? "the program is"
                                                              : quoted(draft_.server) + " is") +
                                    " to run as");
    }
    if (draft_.kind != ServiceKind::Program) return;
    if ((draft_.flags & kFlagNameInArgs) != 0 && draft_.server_args.empty() && !is_faulty("server_args")) {
      const ValueOrigin* const flags = own("flags");
      sink_.error(flags != nullptr ? flags->where : draft_.where,
                  "the flag 'NAMEINARGS' wants 'server_args' with the program's own name first");
    }
  }

  bool is_faulty(std::string_view key) const {
    return own(key) != nullptr && sink_.error_count() > errors_before_;
  }

  // A plugin runs in the daemon's processes: what `defaults` says about programs is not for it, but for
  // the programs that it has started.
  void drop_program_values() {
    const ServiceDefinition fresh;
    draft_.server_args = fresh.server_args;
    draft_.on_stop = fresh.on_stop;
    drop_time("start_timeout");
    drop_time("lingering");
    draft_.flags &= ~kProgramFlags;
    if (!draft_.starts_programs()) drop_identity(fresh);
    std::erase_if(draft_.origins,
                  [&](const ValueOrigin& origin) { return !applies(settings_table()[origin.row], draft_); });
  }

  void drop_identity(const ServiceDefinition& fresh) {
    draft_.user = fresh.user;
    draft_.user_where = fresh.user_where;
    draft_.group = fresh.group;
    draft_.group_where = fresh.group_where;
    draft_.groups = fresh.groups;
    draft_.umask = fresh.umask;
    draft_.nice = fresh.nice;
    draft_.directory = fresh.directory;
    draft_.chroot = fresh.chroot;
    draft_.env = fresh.env;
    draft_.passenv = fresh.passenv;
    draft_.stderr_target = fresh.stderr_target;
    draft_.no_new_privs = fresh.no_new_privs;
    draft_.rlimits = fresh.rlimits;
    drop_time("max_duration");
  }

  void fill_in() {
    const bool program = draft_.kind == ServiceKind::Program;
    if (origin_of(draft_.origins, "instances") == nullptr)
      draft_.instances = program ? Limit{kProgramInstances} : Limit{};
    if (origin_of(draft_.origins, "stop_timeout") == nullptr) draft_.stop_timeout = inherited_.stop_timeout;
    std::sort(draft_.rlimits.begin(), draft_.rlimits.end(),
              [](const auto& a, const auto& b) { return a.resource < b.resource; });
    if (draft_.starts_programs() && !draft_.umask) draft_.umask = kUmask;
    // Their standard output goes to the plugin, which does not expect anything else in it.
    if (!draft_.programs.empty() && origin_of(draft_.origins, "stderr") == nullptr)
      draft_.stderr_target = StderrTarget::Log;
    // What is passed on may be a session that rests for days.
    if (draft_.kind == ServiceKind::Plugin && !is_redirect() &&
        origin_of(draft_.origins, "idle_timeout") == nullptr)
      draft_.idle_timeout = kPluginIdleTimeout;
  }

  void apply_lists() {
    const auto has = [&](const std::vector<ListedId>& ids) {
      const auto place = std::lower_bound(ids.begin(), ids.end(), draft_.id,
                                          [](const auto& entry, const auto& id) { return entry.id < id; });
      return place != ids.end() && place->id == draft_.id;
    };
    const Defaults& defaults = inherited_.defaults;
    if (has(defaults.disabled) || (defaults.enabled && !has(*defaults.enabled))) draft_.disabled = true;
  }

  Draft& draft_;
  const YamlNode& map_;
  const Inherited& inherited_;
  const DecodeRules& rules_;
  DiagnosticSink& sink_;
  std::size_t errors_before_;
};

}  // namespace

void finish_service(Draft& draft, const YamlNode& map, const Inherited& inherited, const DecodeRules& rules,
                    DiagnosticSink& sink, std::size_t errors_before) {
  Finisher(draft, map, inherited, rules, sink, errors_before).finish();
}

}  // namespace xsd::config
