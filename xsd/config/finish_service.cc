// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/finish_service.h"

#include "xsd/base/text.h"
#include "xsd/config/listen_spec.h"
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
      check_keys();
      check_transports();
      if (draft_.starts_programs()) check_program();
      decide_vetting();
      if (draft_.kind == ServiceKind::Plugin) drop_program_values();
      fill_in();
    }
    apply_lists();
  }

 private:
  // The origin of a key that this service itself has; nullptr if it has not.
  const ValueOrigin* own(std::string_view key) const {
    const ValueOrigin* const origin = origin_of(draft_.origins, key);
    return origin != nullptr && !origin->from_defaults ? origin : nullptr;
  }

  bool decide_kind() {
    const bool program = own("server") != nullptr;
    const bool plugin = own("plugin") != nullptr;
    const bool internal = (draft_.types & kTypeInternal) != 0;
    const int count = (program ? 1 : 0) + (plugin ? 1 : 0) + (internal ? 1 : 0);
    if (count > 1) {
      const ValueOrigin* const second = internal ? own("type") : own(program && plugin ? "plugin" : "server");
      sink_.error(second->where,
                  "a service runs one thing: " + std::string(program ? "'server'" : "'plugin'") + " and " +
                      (internal ? "'type: INTERNAL'" : "'plugin'") + " are two");
      return false;
    }
    if (count == 0) {
      // A refused 'redirect', SENSOR or the like said it already.
      const bool said =
          map_.find("redirect") != nullptr ||
          ((own("flags") != nullptr || own("type") != nullptr) && sink_.error_count() > errors_before_);
      if (!said) {
        sink_.error(draft_.where, "nothing to run: give 'server: /PATH/PROGRAM' or 'plugin: NAME'");
      }
      return false;
    }
    draft_.kind = program ? ServiceKind::Program : ServiceKind::Plugin;
    if (internal) draft_.plugin = draft_.service;
    return true;
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
    if (family == kFlagIPv6 || draft_.v6only) {
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
    const bool internal = (draft_.types & kTypeInternal) != 0;
    for (const ValueOrigin& origin : draft_.origins) {
      const SettingsRow& row = settings_table()[origin.row];
      if (origin.from_defaults || applies(row, draft_)) continue;
      if (row.applies_to == AppliesTo::Started && own("programs") != nullptr) continue;  // a faulty one
      if (internal) {
        sink_.warning(origin.where, quoted(row.name) + " has no effect on an internal service");
      } else {
        std::string why = program ? " is only for plugins, this service runs a program"
                                  : " is only for programs, this service runs a plugin";
        if (row.applies_to == AppliesTo::Started) why += " that has no 'programs'";
        sink_.error(origin.where, quoted(row.name) + why);
      }
    }
    if (program && own("idle_timeout") != nullptr) {
      sink_.error(own("idle_timeout")->where, "'idle_timeout' is not available yet for programs");
    }
    check_traffic(program);
    const unsigned own_flags = draft_.flags & ~inherited_.defaults.draft.flags & kProgramFlags;
    if (!program && !internal && own_flags != 0) {
      sink_.error(
          own("flags")->where,
          std::string((own_flags & kFlagNameInArgs) != 0 ? "the flag 'NAMEINARGS'" : "the flag 'NORETRY'") +
              " is only for programs, this service runs a plugin");
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
    if (draft_.kind == ServiceKind::Plugin) {
      for (const ListenSpec& spec : draft_.listen) {
        if (spec.transport == Transport::SeqPacket) {
          sink_.error(spec.where, "plugins serve stream and datagram sockets, not seqpacket");
        }
      }
      if (draft_.shards > 1 && datagram) check_shards();
      if (datagram) check_datagram_names();
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

  // They are answered at once, where they come in; nobody is asked about them.
  void check_datagram_names() {
    for (const std::string_view key : {"only_from", "no_access"}) {
      const bool is_first = key == "only_from";
      const auto& clients = *draft_.clients;
      const auto& list =
          is_first ? clients.only_from.value_or(std::vector<AddressRule>()) : clients.no_access;
      const auto name = std::find_if(list.begin(), list.end(), [](const AddressRule& rule) {
        return rule.kind != AddressRule::Kind::Network;
      });
      if (name == list.end()) continue;
      const ValueOrigin* const origin = own(key);
      sink_.error(
          origin != nullptr ? origin->where : draft_.where,
          quoted(to_string(*name)) + " in " + quoted(key) +
              " is for connections only, and the plugin takes datagrams: give it addresses and networks, "
              "or let the datagrams be another service's" +
              std::string(origin != nullptr ? "" : "; it stands in 'defaults'"));
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

  // A datagram has no connection that could be dealt.
  void check_shards() {
    const auto first = std::find_if(draft_.listen.begin(), draft_.listen.end(),
                                    [](const auto& spec) { return spec.transport == Transport::Datagram; });
    sink_.error(own("shards")->where,
                "'shards' deals connections out, and the service takes datagrams (line " +
                    std::to_string(first->where.line) + "): say that in another service");
  }

  // Who else is asked about clients, and whether there are clients that they can be asked about.
  void decide_vetting() {
    if ((draft_.flags & kFlagNoLibwrap) != 0 && !draft_.clients->libwrap.empty())
      draft_.clients.edit().libwrap.clear();
    if (draft_.clients->libwrap == kUsualLibwrapName) draft_.clients.edit().libwrap = usual_libwrap_name();
    const bool datagram = has_transport(Transport::Datagram);
    const bool is_plugin = draft_.kind == ServiceKind::Plugin;
    if (!draft_.clients->libwrap.empty() && (is_plugin ? datagram : draft_.wait && !datagram)) {
      refuse_vetting("libwrap", "'libwrap'", is_plugin);
    }
    const bool takes_all = !draft_.wait && !datagram;
    if ((draft_.flags & kFlagIdOnly) != 0 && !takes_all)
      refuse_vetting("flags", "the flag 'IDONLY'", is_plugin);
    if (!takes_all) drop_user_id();
  }

  std::string usual_libwrap_name() const {
    if (draft_.kind == ServiceKind::Plugin) return draft_.service;
    const bool is_named = (draft_.flags & kFlagNameInArgs) != 0 && !draft_.server_args.empty();
    const std::string& path = is_named ? draft_.server_args.front() : draft_.server;
    const std::string name = path.substr(path.rfind('/') + 1);
    return name.empty() ? draft_.service : name;
  }

  void refuse_vetting(std::string_view key, std::string_view what, bool is_plugin) {
    const ValueOrigin* const origin = own(key);
    sink_.error(
        origin != nullptr ? origin->where : draft_.where,
        std::string(what) +
            (is_plugin ? " is for connections only, and the plugin takes datagrams: let those be another "
                         "service's"
                       : " is for connections that xsd accepts ('wait: false')") +
            (origin != nullptr ? "" : "; it stands in 'defaults'"));
  }

  // It is only for the records, which do without where there is no connection.
  void drop_user_id() {
    for (const auto& [key, bits] : {std::pair{std::string_view("log_on_success"), &draft_.log_on_success},
                                    std::pair{std::string_view("log_on_failure"), &draft_.log_on_failure}}) {
      if ((*bits & kLogUserId) == 0) continue;
      if (const ValueOrigin* const origin = own(key)) {
        sink_.warning(origin->where,
                      "'USERID' in " + quoted(key) +
                          " has no effect: it is for connections that xsd accepts, of services "
                          "without datagrams");
      }
      const bool is_alone = *bits == kLogUserId;
      *bits &= ~unsigned{kLogUserId};
      if (is_alone) *bits |= kLogHost;  // without any the records would be off
    }
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
    if (draft_.kind == ServiceKind::Plugin) return;
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
    if (program) {
      draft_.idle_timeout.reset();
      forget_origin("idle_timeout");
    } else if (origin_of(draft_.origins, "idle_timeout") == nullptr) {
      draft_.idle_timeout = kPluginIdleTimeout;
    }
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
