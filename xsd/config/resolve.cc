// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/resolve.h"

#include "xsd/base/error.h"
#include "xsd/base/text.h"
#include "xsd/base/unique_fd.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/redirect_target.h"
#include "xsd/config/settings_table.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::config {
namespace {

using net::Endpoint;
using net::SocketAddress;
using Family = ListenSpec::Family;

// What has to be asked about a definition, each part in one place for those who collect the questions and for
// those who use the answers. Nothing: it is known without asking.

std::optional<NameQuestion> user_question(const ServiceDefinition& definition, bool as_root) {
  if (definition.user.empty()) return std::nullopt;
  const bool wants_groups = as_root && definition.groups;
  const bool needs_entry = as_root && (definition.groups || definition.group.empty());
  if (!needs_entry && account_number(definition.user)) return std::nullopt;
  return NameQuestion{wants_groups ? NameQuestion::Kind::UserAndGroups : NameQuestion::Kind::User,
                      definition.user};
}

std::optional<NameQuestion> group_question(const ServiceDefinition& definition) {
  if (definition.group.empty() || account_number(definition.group)) return std::nullopt;
  return NameQuestion{NameQuestion::Kind::Group, definition.group};
}

std::optional<NameQuestion> port_question(const ListenSpec& spec) {
  if (spec.family == Family::Unix || numeric_ports(spec.port)) return std::nullopt;
  return NameQuestion{
      spec.transport == net::Transport::Datagram ? NameQuestion::Kind::UdpPort : NameQuestion::Kind::TcpPort,
      spec.port};
}

std::optional<NameQuestion> host_question(const ListenSpec& spec) {
  const bool is_known = spec.family == Family::Unix || spec.host == "*" ||
                        spec.host.find('%') != std::string::npos || SocketAddress::parse(spec.host, 0);
  if (is_known) return std::nullopt;
  return NameQuestion{NameQuestion::Kind::Host, spec.host};
}

// Of a redirect; its host is asked about when somebody connects.
std::optional<NameQuestion> target_port_question(const ServiceDefinition& definition) {
  const SettingsNode* const name = redirect_port_name(definition);
  if (name == nullptr) return std::nullopt;
  return NameQuestion{NameQuestion::Kind::TcpPort, name->scalar};
}

/// Whether the word of a list is a network; nothing if it cannot be one.
std::optional<NameQuestion> network_question(const AddressRule& rule) {
  if (rule.kind != AddressRule::Kind::HostOrNetwork) return std::nullopt;
  return NameQuestion{NameQuestion::Kind::Network, rule.text};
}

/// Calls `look` with each entry of both lists and the key of its list.
template <class Look>
void for_each_rule(const ClientRules& clients, Look look) {
  if (clients.only_from) {
    for (const AddressRule& rule : *clients.only_from)
      look("only_from", rule);
  }
  for (const AddressRule& rule : clients.no_access)
    look("no_access", rule);
}

// Opens what `path` names for somebody whose root is `root`: links inside, absolute ones too, stay inside.
UniqueFd open_inside(const std::string& root, const std::string& path) {
  const UniqueFd folder(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return {};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  const long fd = syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return UniqueFd(static_cast<int>(fd));
  return UniqueFd(open((root + path).c_str(), O_PATH | O_CLOEXEC));
}

std::string fault_text(int number, std::string_view usual) {
  if (number == ENOENT || number == ENOTDIR) return std::string(usual);
  return std::string(usual) + " (" + errno_text(number) + ")";
}

}  // namespace

// One definition on its way.
class Resolver::Work {
 public:
  Work(Resolver& resolver, const ServiceDefinition& definition, std::string_view main_file,
       std::vector<MachineFault>& faults)
      : resolver_(resolver),
        names_(resolver.names_),
        rules_(resolver.rules_),
        definition_(definition),
        main_file_(main_file),
        faults_(faults) {}

  std::shared_ptr<const Resolution> run(std::vector<Endpoint>* coming) {
    const std::size_t before = faults_.size();
    if (definition_.kind == ServiceKind::Plugin) check_plugin();
    if (definition_.starts_programs()) {
      check_programs();
      decide_ids();
    }
    read_files();
    find_networks();
    if (rules_.only_checks) check_files();
    for (const ListenSpec& spec : definition_.listen)
      add_endpoints(spec);
    const auto first = faults_.begin() + static_cast<std::ptrdiff_t>(before);
    if (!std::all_of(first, faults_.end(), [](const auto& fault) { return fault.is_warning; })) {
      if (coming != nullptr) *coming = std::move(resolution_.endpoints);
      return nullptr;
    }
    resolution_.endpoints.shrink_to_fit();
    return std::make_shared<const Resolution>(std::move(resolution_));
  }

 private:
  // `where` is the place of the value of `key`, which may be an inherited one: then the service's own place
  // stands for it.
  void fault(std::string_view key, Position where, std::string message) {
    const ValueOrigin* const origin = origin_of(definition_.origins, key);
    if (origin != nullptr && origin->from_defaults) {
      message += " ('" + std::string(key) + "' is from 'defaults', " + std::string(main_file_) + ":" +
                 std::to_string(origin->where.line) + ")";
      where = definition_.where;
    } else if (origin != nullptr && where == Position{}) {
      where = origin->where;
    }
    faults_.push_back({where, std::move(message)});
  }

  // A word that might be a network must not be taken for a host: `no_access` would let its clients in.
  void find_networks() {
    for_each_rule(*definition_.clients, [this](std::string_view key, const AddressRule& rule) {
      const auto question = network_question(rule);
      if (!question) return;
      const NameAnswer answer = names_.ask(*question);
      if (answer.found()) {
        resolution_.networks.emplace_back(rule.text, answer.network);
      } else if (answer.state == NameAnswer::State::Unknown) {
        fault(key, {},
              "whether " + quoted(rule.text) + " in " + quoted(key) + " is a network could not be found out" +
                  answer.remark());
      }
    });
  }

  // A daemon that serves has others read them (service::AddressFiles).
  void check_files() {
    for_each_rule(*definition_.clients, [this](std::string_view key, const AddressRule& rule) {
      if (rule.kind != AddressRule::Kind::File) return;
      if (const std::string& why = resolver_.look_at_addresses(rule.text); !why.empty()) fault(key, {}, why);
    });
  }

  void check_plugin() {
    const std::string& name = definition_.plugin;
    const KnownPlugin* const builtin = resolver_.find_builtin(name);
    if (builtin != nullptr && !builtin->has_settings) {
      if (!definition_.settings.members.empty())
        fault("settings", {}, "plugin " + quoted(name) + " has no settings");
      return;
    }
    const PluginAnswer& answer = resolver_.plugins_.find(name);
    if (answer.is_missing) return plugin_not_found();
    if (!answer.fault.empty()) {
      faults_.push_back({definition_.server_where, "plugin " + quoted(name) + " " + answer.fault});
      return;
    }
    for (const SettingsFault& wrong : resolver_.plugins_.find_faults(name, definition_.settings)) {
      if (wrong.where == Position{} && origin_of(definition_.origins, "settings") == nullptr) {
        faults_.push_back({definition_.server_where, wrong.text});
      } else {
        fault("settings", wrong.where, wrong.text);
      }
    }
    if (const auto question = target_port_question(definition_)) {
      const NameAnswer port = names_.ask(*question);
      if (!port.found()) {
        fault("settings", redirect_port_name(definition_)->where,
              "port " + quoted(question->text) + " not found in the services database (tcp)" + port.remark());
      }
    }
    if (answer.image == nullptr) return;
    for (const ListenSpec& spec : definition_.listen) {
      const bool is_datagram = spec.transport == net::Transport::Datagram;
      if (is_datagram ? answer.image->datagrams : answer.image->streams) continue;
      faults_.push_back({spec.where, "plugin " + quoted(name) + " serves no " +
                                         (is_datagram ? "datagrams" : "streams") + ": " +
                                         quoted(to_string(spec))});
    }
    resolution_.plugin_image = answer.image;
  }

  void plugin_not_found() {
    std::vector<std::string_view> words;
    for (const KnownPlugin& plugin : rules_.known_plugins)
      words.push_back(plugin.name);
    words.insert(words.end(), resolver_.plugins_.libraries.begin(), resolver_.plugins_.libraries.end());
    const auto nearest = nearest_word(definition_.plugin, words);
    const bool internal = origin_of(definition_.origins, "plugin") == nullptr;
    std::string message =
        (internal ? "internal service " : "plugin ") + quoted(definition_.plugin) + " not found";
    if (!nearest.empty()) {
      message += ", did you mean " + quoted(nearest) + "?";
    } else if (!words.empty()) {
      message += ", there are";
      for (const std::string_view name : words)
        message.append(" ").append(name);
    }
    faults_.push_back({definition_.server_where, std::move(message)});
  }

  void check_programs() {
    const std::string inside = definition_.chroot.empty() ? "" : " inside " + quoted(definition_.chroot);
    if (!definition_.chroot.empty()) {
      const std::string& why = resolver_.look_at("", definition_.chroot, true);
      if (!why.empty()) return fault("chroot", {}, "chroot " + quoted(definition_.chroot) + " " + why);
    }
    if (definition_.kind == ServiceKind::Program) {
      check_program("server", definition_.server, definition_.server_where, "'server_args'", inside);
    }
    for (const DeclaredProgram& program : definition_.programs)
      check_program("programs", program.command.front(), program.where, "a list behind the path", inside);
    if (definition_.directory == "/") return;
    if (const std::string& why = resolver_.look_at(definition_.chroot, definition_.directory, true);
        !why.empty()) {
      fault("directory", {}, "directory " + quoted(definition_.directory) + " " + why + inside);
    }
  }

  void check_program(std::string_view key, const std::string& path, Position where,
                     std::string_view place_of_arguments, const std::string& inside) {
    const std::string& why = resolver_.look_at(definition_.chroot, path, false);
    if (why.empty()) return;
    std::string message = "program " + quoted(path) + " " + why + inside;
    if (path.find(' ') != std::string::npos)
      message.append(": arguments belong into ").append(place_of_arguments);
    fault(key, where, std::move(message));
  }

  void decide_ids() {
    if (definition_.user.empty()) return decide_group(nullptr);
    NameAnswer answer = NameAnswer::not_found();
    if (const auto question = user_question(definition_, rules_.as_root)) answer = names_.ask(*question);
    const auto number = account_number(definition_.user);
    // A number that nobody has: the group of the same number, as xinetd does it. Not where nobody could say
    // whose it is: then its group is not known.
    if (number && answer.state == NameAnswer::State::NotFound) {
      answer.state = NameAnswer::State::Found;
      answer.user = UserEntry{"", *number, *number};
    }
    if (!answer.found()) {
      return fault("user", definition_.user_where,
                   "user " + quoted(definition_.user) + " not found" + answer.remark());
    }
    if (!rules_.as_root && !rules_.only_checks && answer.user.uid != names_.own_uid()) {
      fault("user", definition_.user_where,
            "cannot change to user " + quoted(definition_.user) + ": the daemon is not root");
    }
    decide_group(&answer);
  }

  void decide_group(const NameAnswer* user) {
    std::optional<gid_t> gid;
    if (!definition_.group.empty()) {
      gid = account_number(definition_.group);
      if (const auto question = group_question(definition_)) {
        const NameAnswer answer = names_.ask(*question);
        if (!answer.found()) {
          return fault("group", definition_.group_where,
                       "group " + quoted(definition_.group) + " not found" + answer.remark());
        }
        gid = answer.gid;
      }
      if (!rules_.as_root && !rules_.only_checks && *gid != names_.own_gid()) {
        fault("group", definition_.group_where,
              "cannot change to group " + quoted(definition_.group) + ": the daemon is not root");
      }
    }
    if (!rules_.as_root || user == nullptr) return;
    resolution_.change_ids = true;
    resolution_.uid = user->user.uid;
    resolution_.gid = gid.value_or(user->user.gid);
    if (!definition_.groups || user->user.name.empty()) return;
    // As initgroups(user, gid): the group that the program runs with is among them.
    resolution_.groups.push_back(resolution_.gid);
    for (const gid_t group : user->groups) {
      if (group != resolution_.gid) resolution_.groups.push_back(group);
    }
  }

  void read_files() {
    const ClientRules& clients = *definition_.clients;
    if (clients.access_times) {
      read_file(resolver_.files_.zone(clients.timezone), "timezone", "time zone", clients.timezone,
                &ClientFiles::zone);
    }
    read_banner("banner", clients.banners.always, &ClientFiles::banner);
    read_banner("banner_success", clients.banners.success, &ClientFiles::banner_success);
    read_banner("banner_fail", clients.banners.fail, &ClientFiles::banner_fail);
  }

  void read_banner(std::string_view key, const std::string& path, ClientFiles::Text ClientFiles::*which) {
    if (path.empty()) return;
    const std::size_t before = faults_.size();
    read_file(resolver_.files_.banner(path), key, key, path, which);
    if (faults_.size() > before && rules_.can_lack_banners) faults_.back().is_warning = true;
  }

  void read_file(const Result<ClientFiles::Text>& text, std::string_view key, std::string_view what,
                 const std::string& name, ClientFiles::Text ClientFiles::*which) {
    if (text) {
      resolution_.files.edit().*which = *text;
    } else {
      fault(key, {}, std::string(what) + " " + quoted(name) + " " + text.error().text());
    }
  }

  void add_endpoints(const ListenSpec& spec) {
    const std::size_t before = faults_.size();
    if (spec.family == Family::Unix) {
      if (const auto address = SocketAddress::unix_path(spec.path)) add(spec, *address);
      return;
    }
    if (!spec.interface_name.empty() && !names_.has_interface(spec.interface_name)) {
      faults_.push_back({spec.where, "interface " + quoted(spec.interface_name) + " not found"});
    }
    const auto ports = find_ports(spec);
    const std::vector<SocketAddress> hosts = find_hosts(spec);
    if (faults_.size() > before || !ports) return;
    resolution_.endpoints.reserve(resolution_.endpoints.size() +
                                  hosts.size() * static_cast<std::size_t>(ports->last - ports->first + 1));
    for (unsigned port = ports->first; port <= ports->last; ++port) {
      for (SocketAddress address : hosts) {
        address.set_port(static_cast<std::uint16_t>(port));
        if (!add(spec, address)) return;
      }
    }
  }

  std::optional<PortRange> find_ports(const ListenSpec& spec) {
    auto ports = numeric_ports(spec.port);
    if (const auto question = port_question(spec)) {
      const NameAnswer answer = names_.ask(*question);
      if (!answer.found() || answer.port == 0) {
        const bool is_own_name = spec.where == definition_.where;
        const bool is_udp = question->kind == NameQuestion::Kind::UdpPort;
        faults_.push_back({spec.where, (is_own_name ? "'port' is missing, and port " : "port ") +
                                           quoted(spec.port) + " not found in the services database (" +
                                           (is_udp ? "udp" : "tcp") + ")" + answer.remark()});
        return std::nullopt;
      }
      ports = PortRange{answer.port, answer.port};
    }
    if (ports->last + rules_.port_offset > 65535) {
      faults_.push_back({spec.where, "port " + std::to_string(ports->last) + " and the port offset of " +
                                         std::to_string(rules_.port_offset) + " are above 65535"});
      return std::nullopt;
    }
    ports->first = static_cast<std::uint16_t>(ports->first + rules_.port_offset);
    ports->last = static_cast<std::uint16_t>(ports->last + rules_.port_offset);
    return ports;
  }

  // Where the host is from: an entry of `listen`, or `bind` in one of its two names.
  void host_fault(const ListenSpec& spec, std::string message) {
    for (const std::string_view key : {"bind", "interface"}) {
      const bool is_from = origin_of(definition_.origins, key) != nullptr &&
                           origin_of(definition_.origins, "listen") == nullptr;
      if (is_from) return fault(key, {}, std::move(message));
    }
    faults_.push_back({spec.where, std::move(message)});
  }

  std::vector<SocketAddress> find_hosts(const ListenSpec& spec) {
    std::vector<SocketAddress> out;
    if (spec.host == "*") {
      // Where the kernel has no IPv6, all addresses are those of IPv4.
      const bool both = spec.family == Family::Any;
      if (spec.family != Family::V6) out.push_back(SocketAddress::any_v4(0));
      if (!both || names_.has_ipv6()) {
        if (spec.family != Family::V4) out.push_back(SocketAddress::any_v6(0));
      }
      return out;
    }
    if (const auto address = SocketAddress::parse(spec.host, 0)) return {*address};
    if (const auto percent = spec.host.find('%'); percent != std::string::npos) {
      faults_.push_back({spec.where, "interface " + quoted(spec.host.substr(percent + 1)) + " not found"});
      return out;
    }
    const NameAnswer answer = names_.ask({NameQuestion::Kind::Host, spec.host});
    for (const SocketAddress& address : answer.addresses) {
      if (spec.family == Family::V4 && address.family() != AF_INET) continue;
      if (spec.family == Family::V6 && address.family() != AF_INET6) continue;
      out.push_back(address);
    }
    if (out.empty()) {
      std::string message = "host " + quoted(spec.host) + " not found" + answer.remark();
      if (names_.has_interface(spec.host)) {
        message += ", but there is an interface of that name: write " + quoted("%" + spec.host);
      }
      host_fault(spec, std::move(message));
    }
    return out;
  }

  // False after a complaint: one for each entry of `listen` is enough.
  bool add(const ListenSpec& spec, const SocketAddress& address) {
    Endpoint endpoint{spec.transport, address, spec.interface_name};
    // The addresses and ports of one entry are different: only others can be in its way.
    auto& same_port = by_port_[endpoint.address.port()];
    for (const auto& [index, origin] : same_port) {
      if (origin == &spec || !endpoint.overlaps(resolution_.endpoints[index])) continue;
      faults_.push_back({spec.where, endpoint.to_string() + " overlaps with " + quoted(to_string(*origin)) +
                                         " of this service"});
      return false;
    }
    same_port.emplace_back(resolution_.endpoints.size(), &spec);
    resolution_.endpoints.push_back(std::move(endpoint));
    return true;
  }

  Resolver& resolver_;
  NameService& names_;
  const ResolveRules& rules_;
  const ServiceDefinition& definition_;
  std::string_view main_file_;
  std::vector<MachineFault>& faults_;
  Resolution resolution_;
  // The endpoints of each port, by their index, and the entries of `listen` that they come from.
  std::unordered_map<std::uint16_t, std::vector<std::pair<std::size_t, const ListenSpec*>>> by_port_;
};

void Resolver::refresh() {
  names_.refresh();
  looked_at_.clear();
  files_.clear();
}

std::shared_ptr<const Resolution> Resolver::resolve(const ServiceDefinition& definition,
                                                    std::string_view main_file,
                                                    std::vector<MachineFault>& faults,
                                                    std::vector<net::Endpoint>* coming) {
  return Work(*this, definition, main_file, faults).run(coming);
}

const KnownPlugin* Resolver::find_builtin(std::string_view name) const noexcept {
  const auto& known = rules_.known_plugins;
  const auto found =
      std::find_if(known.begin(), known.end(), [name](const KnownPlugin& one) { return one.name == name; });
  return found != known.end() ? &*found : nullptr;
}

void Resolver::add_questions(const ServiceDefinition& definition, Answers& out) const {
  const auto add = [&out](std::optional<NameQuestion> question) {
    if (question) out.names.add(std::move(*question));
  };
  if (definition.starts_programs()) {
    add(user_question(definition, rules_.as_root));
    add(group_question(definition));
  }
  if (definition.kind == ServiceKind::Plugin) {
    const KnownPlugin* const builtin = find_builtin(definition.plugin);
    if (builtin == nullptr || builtin->has_settings) out.plugins.add(definition.plugin, definition.settings);
    add(target_port_question(definition));
  }
  for (const ListenSpec& spec : definition.listen) {
    add(port_question(spec));
    add(host_question(spec));
  }
  for_each_rule(*definition.clients,
                [&](std::string_view, const AddressRule& rule) { add(network_question(rule)); });
}

const std::string& Resolver::look_at_addresses(const std::string& path) {
  const auto [place, is_new] = looked_at_.try_emplace("a" + path);
  std::string& why = place->second;
  if (!is_new) return why;
  FolderViews folders;
  const auto source = read_source_file(path, "", trust_, folders, kMaxAddressFileSize);
  if (!source) return why = path + ": " + source.error().text();
  DiagnosticSink sink(path, source->text);
  AddressSet set;
  parse_address_file(source->text, 0, set, sink);
  for (const Diagnostic& diagnostic : sink.all()) {
    if (!why.empty() || diagnostic.severity == Severity::Warning) continue;
    why = one_line(diagnostic);
  }
  return why;
}

const std::string& Resolver::look_at(const std::string& chroot, const std::string& path, bool folder) {
  std::string key = (folder ? "d" : "x") + chroot;
  key += '\0';
  key += path;
  const auto [place, is_new] = looked_at_.try_emplace(std::move(key));
  std::string& why = place->second;
  if (!is_new) return why;
  const UniqueFd fd =
      chroot.empty() ? UniqueFd(open(path.c_str(), O_PATH | O_CLOEXEC)) : open_inside(chroot, path);
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) {
    why = fault_text(errno, "not found");
  } else if (folder) {
    if (!S_ISDIR(info.st_mode)) why = "not found (it is no folder)";
  } else if (!S_ISREG(info.st_mode)) {
    why =
        S_ISDIR(info.st_mode) ? "not executable (it is a folder)" : "not executable (it is no regular file)";
  } else if ((info.st_mode & 0111U) == 0) {
    why = "not executable";
  } else if (chroot.empty() && access(path.c_str(), X_OK) != 0) {
    why = fault_text(errno, "not executable");
  }
  return why;
}

}  // namespace xsd::config
