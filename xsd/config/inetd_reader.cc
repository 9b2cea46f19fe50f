// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/inetd_reader.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/inetd_text.h"
#include "xsd/config/unique_ids.h"

namespace xsd::config {
namespace {

constexpr std::size_t kFewestWords = 6;
constexpr std::size_t kFewestArguments = 20;  ///< that every inetd takes
constexpr std::size_t kMaxHosts = 32;         ///< that a line sets for all entries behind it
constexpr std::string_view kMuxPrefix = "tcpmux/";

/// What one entry leaves for those behind it.
struct Context {
  std::vector<std::string> hosts;  ///< where entries without a host listen; empty: everywhere
  bool told_of_both = false;       ///< families
  bool told_of_v6 = false;
  bool told_of_names = false;
  Position unlimited;  ///< of the first entry whose programs are not counted here
};

std::string_view base_name(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_v6(std::string_view host) noexcept {
  return host.find(':') != std::string_view::npos;
}

bool is_v4(std::string_view host) noexcept {
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

/// One entry to a map.
class Entry {
 public:
  Entry(const InetdLine& words, Context& context, DiagnosticSink& sink)
      : words_(words),
        context_(context),
        sink_(sink),
        map_(container(YamlNode::Kind::Map, words.front().where)) {}

  YamlNode translate() {
    take_name();
    for (const InetdWord& word : words_) {
      std::string why = fault_of_word(word.text);
      if (why.empty()) continue;
      fault(word, std::move(why));
      return std::move(map_);
    }
    if (words_.size() < kFewestWords) {
      fault(words_.front(), "an entry has at least " + std::to_string(kFewestWords) +
                                " words, and here are " + std::to_string(words_.size()) +
                                ": SERVICE TYPE PROTOCOL WAIT USER PROGRAM ARGUMENTS");
      return std::move(map_);
    }
    is_internal_ = words_[5].text == "internal";
    // A line that is none of an entry's has one error.
    if (!take_type(words_[1]) || !take_protocol(words_[2])) return std::move(map_);
    take_address();
    take_wait(words_[3]);
    take_user(words_[4]);
    if (is_internal_) {
      take_internal();
    } else {
      take_program();
    }
    return std::move(map_);
  }

 private:
  enum class Family { Any, V4, V6, Unix };

  void fault(const InetdWord& word, std::string message) { sink_.error(word.where, std::move(message)); }

  void put_text(std::string_view key, const InetdWord& word, std::string text) {
    put(map_, key, word.where, scalar(std::move(text), word.where));
  }

  // [HOST,...:]NAME, tcpmux/[+]NAME, /PATH. An IPv6 address needs no brackets: the last colon counts.
  void take_name() {
    const InetdWord& word = words_.front();
    std::string_view text = word.text;
    // FreeBSD's :USER:GROUP:MODE:/PATH is a path too.
    const bool is_path = text.starts_with('/') || (text.starts_with(':') && text.find(":/") != text.npos);
    if (text.starts_with(kMuxPrefix)) {
      text.remove_prefix(kMuxPrefix.size());
      is_mux_plus_ = text.starts_with('+');
      if (is_mux_plus_) text.remove_prefix(1);
      is_mux_ = true;
    } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos && !is_path) {
      hosts_ = split(text.substr(0, colon), ',');
      text.remove_prefix(colon + 1);
    }
    name_ = text;
    put(map_, "service", word.where, scalar(std::string(is_path ? base_name(text) : text), word.where, true));
    if (name_.empty()) fault(word, "the name of the service is missing in " + quoted(word.text));
  }

  bool take_type(const InetdWord& word) {
    const std::size_t colon = std::min(word.text.find_first_of(":,"), word.text.size());
    type_ = word.text.substr(0, colon);
    if (colon < word.text.size()) {
      sink_.warning(word.where, "the accept filter in " + quoted(word.text) + " has no equivalent");
    }
    if (type_ == "stream" || type_ == "dgram" || type_ == "seqpacket") return true;
    if (type_ == "raw" || type_ == "rdm") {
      fault(word, quoted(type_) + " sockets are not supported");
    } else if (type_ == "on" || type_ == "off") {
      fault(word, "NetBSD's form of NAME = VALUE is not read: say it in YAML");
    } else {
      constexpr std::string_view kTypes[] = {"stream", "dgram", "seqpacket"};
      const std::string_view nearest = nearest_word(type_, kTypes);
      fault(word, quoted(type_) +
                      " is no type of a socket, known are stream, dgram and, for unix, seqpacket" +
                      (nearest.empty() ? "" : "; did you mean " + quoted(nearest) + "?"));
    }
    return false;
  }

  bool take_protocol(const InetdWord& word) {
    const std::vector<std::string> parts = split(word.text, ',');
    for (const std::string& option : std::span(parts).subspan(1))
      sink_.warning(word.where, "the option " + quoted(option) + " has no equivalent");
    std::string_view protocol = parts.front();
    if (protocol.starts_with("rpc/") || protocol.starts_with("faith/")) {
      fault(word, protocol.starts_with("rpc/")
                      ? "services of the RPC port mapper are not supported"
                      : "'faith', the translation of IPv6 to IPv4, is not supported");
      return false;
    }
    if (protocol == "tcp/ttcp") {
      sink_.warning(word.where, "T/TCP is no more: clients get plain TCP");
      protocol = "tcp";
    }
    if (protocol == "unix") {
      family_ = Family::Unix;
      return true;
    }
    if (type_ == "seqpacket") {
      fault(word, "seqpacket sockets are unix sockets here, not " + quoted(protocol));
      return false;
    }
    const std::string_view wanted = type_ == "stream" ? "tcp" : "udp";
    const std::string_view rest = protocol.substr(std::min<std::size_t>(protocol.size(), 3));
    constexpr std::string_view kFamilies[] = {"", "4", "6", "46", "64", "6only"};
    if ((!protocol.starts_with("tcp") && !protocol.starts_with("udp")) ||
        std::find(std::begin(kFamilies), std::end(kFamilies), rest) == std::end(kFamilies)) {
      fault(word,
            quoted(protocol) + " is no protocol, known are tcp and udp, with 4, 6 or 46 behind, and unix");
      return false;
    }
    if (!protocol.starts_with(wanted)) {
      fault(word, quoted(type_) + " goes with " + std::string(wanted) + ", not " + quoted(protocol));
      return false;
    }
    family_ = rest == "4" ? Family::V4 : rest.starts_with("6") && rest != "64" ? Family::V6 : Family::Any;
    spelling_ = protocol;
    return true;
  }

  void take_address() {
    const InetdWord& word = words_.front();
    if (is_mux_) {
      if (family_ == Family::Unix || type_ != "stream") return fault(word, "tcpmux serves TCP alone");
      YamlNode type = container(YamlNode::Kind::List, word.where);
      type.items.push_back(scalar(is_mux_plus_ ? "TCPMUXPLUS" : "TCPMUX", word.where));
      return put(map_, "type", word.where, std::move(type));
    }
    YamlNode listen = container(YamlNode::Kind::List, word.where);
    const auto add = [&](std::string text) {
      listen.items.push_back(scalar(std::move(text), word.where, true));
    };
    // Two sockets where an entry takes both families: a later entry may have one of them.
    const auto add_both = [&](const std::string& host) {
      if (family_ != Family::V6) add(address_of(host, "4"));
      if (family_ != Family::V4) add(address_of(host, "6"));
    };
    if (family_ == Family::Unix) {
      if (name_.starts_with(':')) {
        return fault(
            word, "a socket with an owner and a mode is not supported: put it into a folder with that mode");
      }
      if (!name_.starts_with('/')) return fault(word, "a unix socket wants an absolute path");
      add((type_ == "stream" ? "unix://" : type_ == "dgram" ? "unix-dgram://" : "unix-seqpacket://") + name_);
    } else {
      if (name_.starts_with('/')) return fault(word, "a path goes with the protocol 'unix'");
      for (const std::string& host : usable_hosts()) {
        if (is_literal_of_family(host)) {
          add(address_of(host, ""));
        } else {
          tell_of_family();
          add_both(host);
        }
      }
    }
    put(map_, "listen", word.where, std::move(listen));
  }

  // Of several hosts, those of the other family are passed over, as inetd does.
  std::vector<std::string> usable_hosts() {
    const std::vector<std::string>& all = hosts_.empty() ? context_.hosts : hosts_;
    if (all.empty()) return {"*"};
    if (hosts_.empty() && all.size() > kMaxHosts) {
      fault(words_.front(), "the line that sets the addresses has more than " + std::to_string(kMaxHosts));
      return {};
    }
    std::vector<std::string> usable;
    std::copy_if(all.begin(), all.end(), std::back_inserter(usable), [&](const std::string& host) {
      return (family_ != Family::V4 || !is_v6(host)) && (family_ != Family::V6 || !is_v4(host));
    });
    if (usable.empty()) return all;  // what is wrong with them is said where the addresses are read
    if (usable.size() < all.size()) {
      sink_.note(words_.front().where, "the addresses of the other family are left out");
    }
    return usable;
  }

  bool is_literal_of_family(const std::string& host) const noexcept {
    return (is_v4(host) && family_ != Family::V6) || (is_v6(host) && family_ != Family::V4);
  }

  std::string address_of(const std::string& host, std::string_view family) const {
    std::string protocol = type_ == "stream" ? "tcp" : "udp";
    const std::string shown = is_v6(host) && !host.starts_with('[') ? "[" + host + "]" : host;
    return protocol.append(family) + "://" + (shown.empty() ? "*" : shown) + ":" + name_;
  }

  // What inetds do not agree upon.
  void tell_of_family() {
    if (spelling_ == "tcp" || spelling_ == "udp") {
      if (std::exchange(context_.told_of_both, true)) return;
      sink_.note(words_[2].where,
                 quoted(spelling_) +
                     " is IPv4 and IPv6 in this file, as with Debian's inetd; for those of BSD, GNU and "
                     "busybox it is IPv4 alone: here that is " +
                     quoted(spelling_ + "4"));
    } else if (spelling_ == "tcp6" || spelling_ == "udp6") {
      if (std::exchange(context_.told_of_v6, true)) return;
      sink_.note(words_[2].where,
                 quoted(spelling_) +
                     " is IPv6 alone in this file, as with the inetds of BSD and Debian; those of GNU and "
                     "busybox take IPv4 too: here that is " +
                     quoted(spelling_.substr(0, 3) + "46"));
    }
  }

  // USER[:GROUP][/CLASS], USER.GROUP
  void take_user(const InetdWord& word) {
    if (is_internal_) return;
    std::string_view text = word.text;
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
      sink_.warning(word.where, "the limits of the login class " + quoted(text.substr(slash + 1)) +
                                    " are not taken over: write them as 'rlimit_...'");
      text = text.substr(0, slash);
    }
    std::size_t end = text.find(':');
    if (end == std::string_view::npos) end = text.find('.');
    const std::string_view user = text.substr(0, end);
    if (user.empty()) return fault(word, "the user is missing in " + quoted(word.text));
    put_text("user", word, std::string(user));
    if (end == std::string_view::npos) return;
    const std::string_view group = text.substr(end + 1);
    if (group.empty()) return fault(word, "the group is missing in " + quoted(word.text));
    put_text("group", word, std::string(group));
  }

  // wait, nowait; .MAX or :MAX starts a minute; /CHILDREN/CPM/CHILDREN of FreeBSD's
  void take_wait(const InetdWord& word) {
    const std::size_t end = std::min(word.text.find_first_of("./:"), word.text.size());
    const std::string_view name = std::string_view(word.text).substr(0, end);
    waits_ = name == "wait";
    if (!waits_ && name != "nowait") return fault(word, quoted(name) + " is not wait or nowait");
    if (type_ == "dgram" && !waits_ && !is_internal_) {
      fault(word,
            "a program that serves datagrams owns the socket: with 'nowait' inetd starts one "
            "after the other while the datagram is there");
    }
    if (!is_internal_) put_text("wait", word, waits_ ? "true" : "false");
    if (end == word.text.size()) {
      if (!is_internal_ && context_.unlimited == Position{}) context_.unlimited = word.where;
      return;
    }
    const std::string_view limits = std::string_view(word.text).substr(end + 1);
    if (word.text[end] == '/') return take_limits(word, limits);
    const auto most = take_number(word, limits);
    if (!most) return;
    if (*most == 0) return sink_.note(word.where, "0 is taken for no limit");
    put_rate("rate", word, *most);
    sink_.note(word.where,
               "after more than " + std::to_string(*most) +
                   " starts in a minute inetd closes the service for ten minutes; here 'rate' lets "
                   "the clients wait");
  }

  void take_limits(const InetdWord& word, std::string_view text) {
    constexpr std::string_view kKeys[] = {"instances", "source_rate", "per_source"};
    const std::vector<std::string> parts = split(text, '/');
    if (parts.size() > std::size(kKeys)) return fault(word, "more than three limits in " + quoted(word.text));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto most = take_number(word, parts[i]);
      if (!most) return;
      if (*most == 0) continue;  // no limit
      if (waits_ && !is_internal_) {
        sink_.note(word.where,
                   "with 'wait' there is one program, and the limit " + parts[i] + " has no effect");
      } else if (kKeys[i] == "source_rate") {
        put_rate(kKeys[i], word, *most);
      } else {
        put_text(kKeys[i], word, std::to_string(*most));
      }
    }
  }

  std::optional<std::uint64_t> take_number(const InetdWord& word, std::string_view text) {
    const auto number = parse_unsigned(text);
    if (!number) fault(word, quoted(text) + " in " + quoted(word.text) + " is no number");
    return number;
  }

  void put_rate(std::string_view key, const InetdWord& word, std::uint64_t a_minute) {
    const std::string count = std::to_string(a_minute);
    YamlNode rate = container(YamlNode::Kind::Map, word.where);
    put(rate, "limit", word.where, scalar(count + "/m", word.where));
    put(rate, "burst", word.where, scalar(count, word.where));
    put(map_, key, word.where, std::move(rate));
  }

  void take_internal() {
    const InetdWord& word = words_[5];
    const std::string& name = map_.find("service")->scalar;
    if (!is_internal_service(name)) {
      return fault(word, quoted(name) + " is no internal service of xsd");
    }
    if (words_.size() > kFewestWords)
      sink_.warning(words_[kFewestWords].where, "what follows 'internal' has no effect");
    if (is_mux_) return fault(word, "a service of tcpmux wants a program");
    YamlNode type = container(YamlNode::Kind::List, word.where);
    type.items.push_back(scalar("INTERNAL", word.where));
    put(map_, "type", word.where, std::move(type));
  }

  void take_program() {
    const InetdWord* program = &words_[5];
    std::span<const InetdWord> arguments = std::span(words_).subspan(kFewestWords);
    std::string path = program->text;
    const bool is_wrapped = base_name(path) == "tcpd" && !arguments.empty();
    if (is_wrapped) {
      // tcpd starts its argv[0], from its own folder unless that is a path.
      program = arguments.data();
      const std::string_view folder = std::string_view(path).substr(0, path.rfind('/') + 1);
      path = program->text.starts_with('/') ? program->text : std::string(folder) + program->text;
      sink_.note(program->where,
                 "tcpd is left out: xsd asks hosts.allow and hosts.deny itself and starts " + quoted(path));
    }
    if (!path.starts_with('/')) {
      return fault(*program, quoted(path) +
                                 " has no path: busybox looks for it in PATH, others in '/'; "
                                 "write where it is");
    }
    put_text("server", *program, path);
    const bool renames =
        !arguments.empty() && arguments.front().text != path && arguments.front().text != base_name(path);
    put_arguments(arguments, renames);
    if (is_wrapped) put_libwrap(*program, path);
  }

  void put_libwrap(const InetdWord& program, const std::string& path) {
    if (type_ == "dgram" || !waits_) return put_text("libwrap", program, std::string(base_name(path)));
    sink_.warning(program.where,
                  "with 'wait' there is no client yet that hosts.allow and hosts.deny could be asked about");
  }

  void put_arguments(std::span<const InetdWord> arguments, bool renames) {
    if (arguments.empty())
      return sink_.note(words_[5].where, "argv[0] is missing: the program gets its path there");
    if (renames && arguments.front().text.find_first_of("-/") == 0) {
      sink_.warning(arguments.front().where,
                    quoted(arguments.front().text) +
                        " is argv[0] and no argument: the name of the program may be "
                        "missing before it");
    }
    if (!renames && arguments.front().text.find('/') == std::string::npos &&
        !std::exchange(context_.told_of_names, true)) {
      sink_.note(arguments.front().where,
                 "programs whose argv[0] is their name get their whole path there; where that matters say "
                 "NAMEINARGS");
    }
    if (arguments.size() > kFewestArguments) {
      sink_.note(arguments[kFewestArguments].where, "some inetds drop what follows the argument " +
                                                        std::to_string(kFewestArguments) +
                                                        "; here it counts");
    }
    YamlNode list = container(YamlNode::Kind::List, arguments.front().where);
    for (const InetdWord& word : arguments.subspan(renames ? 0 : 1))
      list.items.push_back(scalar(literal_argument(word.text), word.where, true));
    const Position where = list.where;
    if (!list.items.empty()) put(map_, "server_args", where, std::move(list));
    if (!renames) return;
    YamlNode flags = container(YamlNode::Kind::List, where);
    flags.items.push_back(scalar("NAMEINARGS", where));
    put(map_, "flags", where, std::move(flags));
  }

  const InetdLine& words_;
  Context& context_;
  DiagnosticSink& sink_;
  YamlNode map_;
  std::vector<std::string> hosts_;
  std::string name_;      ///< of the service: a name, a port, a path
  std::string type_;      ///< of the socket
  std::string spelling_;  ///< of the protocol: "tcp", "udp46"
  Family family_ = Family::Any;
  bool is_internal_ = false;
  bool waits_ = false;
  bool is_mux_ = false;
  bool is_mux_plus_ = false;
};

/// `HOST,...:` alone says where the entries behind it listen.
bool take_default_hosts(const InetdLine& words, Context& context) {
  const std::string& text = words.front().text;
  if (words.size() != 1 || text.size() < 2 || !text.ends_with(':') || !is_plain(text)) return false;
  context.hosts = split(text.substr(0, text.size() - 1), ',');
  if (context.hosts.size() > kMaxHosts) context.hosts.resize(kMaxHosts + 1);
  if (context.hosts == std::vector<std::string>{"*"}) context.hosts.clear();
  return true;
}

/// Which entry has which socket: of several that ask for one the last counts.
class Owners {
 public:
  explicit Owners(DiagnosticSink& sink) : sink_(sink) {}

  /// Takes its sockets away from the entries before it.
  void claim(std::vector<YamlNode>& entries, std::size_t index) {
    YamlNode* const listen = find_member(entries[index], "listen");
    if (listen == nullptr) {
      const std::string name = std::string(kMuxPrefix) + entries[index].find("service")->scalar;
      if (const auto earlier = replace(name, index); earlier) leave_out(entries, *earlier, index);
      return;
    }
    for (const YamlNode& socket : listen->items) {
      const auto earlier = replace(socket.scalar, index);
      if (!earlier || *earlier == index) continue;
      std::vector<YamlNode>& sockets = find_member(entries[*earlier], "listen")->items;
      std::erase_if(sockets, [&](const YamlNode& one) { return one.scalar == socket.scalar; });
      if (sockets.empty()) leave_out(entries, *earlier, index);
    }
  }

  bool is_left_out(std::size_t index) const { return left_out_.contains(index); }

 private:
  std::optional<std::size_t> replace(const std::string& socket, std::size_t index) {
    const auto [place, is_new] = owners_.try_emplace(socket, index);
    if (is_new) return std::nullopt;
    return std::exchange(place->second, index);
  }

  void leave_out(const std::vector<YamlNode>& entries, std::size_t earlier, std::size_t index) {
    left_out_.insert(earlier);
    sink_.warning(entries[earlier].where,
                  "line " + std::to_string(entries[index].where.line) +
                      " asks for the same socket and is what counts: this entry is left out");
  }

  DiagnosticSink& sink_;
  std::unordered_map<std::string, std::size_t> owners_;
  std::unordered_set<std::size_t> left_out_;
};

/// tcp4://X and tcp6://X behind it are tcp://X.
void join_families(YamlNode& listen) {
  constexpr std::size_t kFamily = 3;  // where the digit stands
  std::vector<YamlNode> joined;
  for (YamlNode& socket : listen.items) {
    std::string& text = socket.scalar;
    if (!joined.empty() && text.substr(kFamily, 1) == "6" && joined.back().scalar.substr(kFamily, 1) == "4") {
      std::string both = text;
      std::string before = joined.back().scalar;
      if (both.erase(kFamily, 1) == before.erase(kFamily, 1)) {
        joined.back().scalar = std::move(both);
        continue;
      }
    }
    joined.push_back(std::move(socket));
  }
  listen.items = std::move(joined);
}

YamlNode inetd_defaults() {
  YamlNode map = container(YamlNode::Kind::Map, {});
  put(map, "instances", {}, scalar("unlimited", {}));
  put(map, "groups", {}, scalar("true", {}));
  put(map, "passenv", {}, text_list({"*"}));
  put(map, "no_new_privs", {}, scalar("false", {}));
  return map;
}

}  // namespace

YamlNode read_inetd_file(std::string_view text, DiagnosticSink& sink) {
  YamlNode services = container(YamlNode::Kind::List, {1, 1});
  Context context;
  Owners owners(sink);
  for (const InetdLine& words : read_inetd(text, sink)) {
    if (take_default_hosts(words, context)) continue;
    const std::size_t errors = sink.error_count();
    services.items.push_back(Entry(words, context, sink).translate());
    if (sink.error_count() == errors) owners.claim(services.items, services.items.size() - 1);
  }
  UniqueIds ids;
  std::vector<YamlNode> kept;
  for (std::size_t i = 0; i < services.items.size(); ++i) {
    if (owners.is_left_out(i)) continue;
    kept.push_back(std::move(services.items[i]));
    if (YamlNode* const listen = find_member(kept.back(), "listen")) join_families(*listen);
    ids.claim(kept.back(), sink);
  }
  services.items = std::move(kept);
  if (context.unlimited != Position{}) {
    sink.note(context.unlimited,
              "inetd closes a service for ten minutes after 256 starts in a minute (GNU's after 1000); here "
              "there is no such limit: write 'rate' or 'cps' for one");
  }
  YamlNode root = container(YamlNode::Kind::Map, {1, 1});
  put(root, "defaults", {}, inetd_defaults());
  put(root, "services", {1, 1}, std::move(services));
  return root;
}

}  // namespace xsd::config
