// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/listen_spec.h"

#include "xsd/base/number.h"
#include "xsd/base/text.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <net/if.h>

namespace xsd::config {
namespace {

using Family = ListenSpec::Family;
using net::Transport;

struct Scheme {
  std::string_view name;
  Transport transport;
  Family family;
};

constexpr std::array kSchemes{
    Scheme{"tcp", Transport::Stream, Family::Any},
    Scheme{"udp", Transport::Datagram, Family::Any},
    Scheme{"tcp4", Transport::Stream, Family::V4},
    Scheme{"udp4", Transport::Datagram, Family::V4},
    Scheme{"tcp6", Transport::Stream, Family::V6},
    Scheme{"udp6", Transport::Datagram, Family::V6},
    Scheme{"unix", Transport::Stream, Family::Unix},
    Scheme{"unix-dgram", Transport::Datagram, Family::Unix},
    Scheme{"unix-seqpacket", Transport::SeqPacket, Family::Unix},
};

constexpr std::size_t kLongestHostName = 253;
constexpr std::size_t kLongestPortName = 64;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// What somebody meant who left the scheme out, or half of it.
Error no_scheme(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view first = text.substr(0, colon);
  for (const Scheme& scheme : kSchemes) {
    if (colon == std::string_view::npos || !equals_ignoring_case(first, scheme.name)) continue;
    std::string_view rest = text.substr(colon + 1);
    if (scheme.family != Family::Unix) rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
    std::string guess = std::string(scheme.name) + "://" + std::string(rest);
    return Error(quoted(text) + " is no endpoint: write " + quoted(guess));
  }
  if (text.starts_with('/'))
    return Error(quoted(text) + " is no endpoint: write " + quoted("unix://" + std::string(text)));
  if (is_digits(text)) {
    return Error(quoted(text) + " is no endpoint: write " + quoted("tcp://*:" + std::string(text)) +
                 " (or udp://)");
  }
  if (colon != std::string_view::npos) {
    return Error(quoted(text) + " is no endpoint: write " + quoted("tcp://" + std::string(text)) +
                 " (or udp://)");
  }
  return Error(quoted(text) +
               " is no endpoint: write something like 'tcp://127.0.0.1:7' or 'unix:///run/name.sock'");
}

Status parse_unix(std::string_view rest, ListenSpec& spec) {
  if (!rest.starts_with('/') && !rest.starts_with('@')) {
    return Error(
        "a unix socket wants an absolute path (unix:///run/name.sock) or an abstract name (unix://@name), "
        "not " +
        quoted(rest));
  }
  if (rest == "/" || rest == "@") return Error("the name of the unix socket is missing");
  if (rest.starts_with('/') && rest.ends_with('/'))
    return Error(quoted(rest) + " names a folder, not a socket");
  if (!net::SocketAddress::unix_path(rest)) return Error("the path of a unix socket has at most 107 bytes");
  spec.path = rest;
  return {};
}

Status check_interface(std::string_view name) {
  const auto is_bad = [](char c) {
    return c == '/' || c == ':' || c == '%' || static_cast<unsigned char>(c) <= ' ';
  };
  if (name.empty()) return Error("the name of the interface is missing behind '%'");
  if (name.size() >= IF_NAMESIZE || std::any_of(name.begin(), name.end(), is_bad)) {
    return Error(quoted(name) + " cannot be the name of an interface");
  }
  return {};
}

Status set_family(Family family, std::string_view host, ListenSpec& spec) {
  if (spec.family != Family::Any && spec.family != family) {
    return Error(quoted(host) + (family == Family::V4 ? " is an IPv4 address, but only IPv6 is asked for"
                                                      : " is an IPv6 address, but only IPv4 is asked for"));
  }
  spec.family = family;
  return {};
}

Status parse_v6(std::string_view text, ListenSpec& spec) {
  const auto percent = text.find('%');
  const std::string literal(text.substr(0, percent));
  in6_addr address{};
  if (inet_pton(AF_INET6, literal.c_str(), &address) != 1) return Error(quoted(text) + " is no IPv6 address");
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    return Error(quoted(text) + " is an IPv4 address in IPv6 clothes: write the IPv4 address");
  }
  char canonical[INET6_ADDRSTRLEN];
  spec.host = inet_ntop(AF_INET6, &address, canonical, sizeof canonical);
  if (percent != std::string_view::npos) {
    if (auto status = check_interface(text.substr(percent + 1)); !status) return status;
    spec.host += text.substr(percent);
  }
  return set_family(Family::V6, text, spec);
}

Status parse_name_or_v4(std::string_view text, ListenSpec& spec) {
  in_addr address{};
  const std::string host(text);
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) {
    spec.host = host;
    return set_family(Family::V4, text, spec);
  }
  const auto is_bad = [](char c) {
    return !is_digit(c) && !is_letter(c) && c != '-' && c != '.' && c != '_';
  };
  if (text.find_first_not_of("0123456789.") == std::string_view::npos)
    return Error(quoted(text) + " is no IPv4 address");
  if (text.size() > kLongestHostName || std::any_of(text.begin(), text.end(), is_bad) ||
      text.starts_with('-') || text.starts_with('.') || text.find("..") != std::string_view::npos) {
    return Error(quoted(text) + " is neither an address nor a host name nor '*'");
  }
  spec.host = to_lower(text);
  return {};
}

}  // namespace

Status parse_listen_host(std::string_view text, bool bare_v6, ListenSpec& spec) {
  if (text.empty()) return Error("the host is missing: write '*' for all addresses");
  std::string_view host = text;
  std::optional<std::string_view> interface_name;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos)
      return Error("']' is missing behind the IPv6 address in " + quoted(text));
    host = text.substr(1, close - 1);
    std::string_view behind = text.substr(close + 1);
    if (!behind.empty() && behind.front() != '%') return Error(quoted(behind) + " makes no sense behind ']'");
    if (!behind.empty()) interface_name = behind.substr(1);
  } else if (bare_v6 && std::count(text.begin(), text.end(), ':') > 1) {
    return parse_v6(text, spec);
  } else if (const auto percent = text.find('%'); percent != std::string_view::npos) {
    host = text.substr(0, percent);
    interface_name = text.substr(percent + 1);
  }
  if (interface_name) {
    if (auto status = check_interface(*interface_name); !status) return status;
    spec.interface_name = *interface_name;
  }
  if (text.starts_with('[')) return parse_v6(host, spec);
  if (host.find(':') != std::string_view::npos) {
    return Error("an IPv6 address stands in brackets: " + quoted("[" + std::string(host) + "]"));
  }
  if (host == "*" || host.empty()) {
    spec.host = "*";
    return {};
  }
  return parse_name_or_v4(host, spec);
}

Result<std::string> parse_listen_port(std::string_view text) {
  const auto number = [](std::string_view digits) -> Result<std::uint32_t> {
    const auto value = parse_unsigned(digits);
    if (!value && digits.starts_with('0')) return Error("the port " + quoted(digits) + " has a leading zero");
    if (value && *value == 0) return Error("port 0 is none: a service has a fixed port from 1 to 65535");
    if (!value || *value > 65535) return Error("the port " + quoted(digits) + " is not in 1 to 65535");
    return static_cast<std::uint32_t>(*value);
  };
  if (text.empty()) return Error("the port is missing");
  if (is_digits(text)) {
    if (auto value = number(text); !value) return value.error();
    return std::string(text);
  }
  const auto dash = text.find('-');
  if (dash != std::string_view::npos && text.find_first_not_of("0123456789-") == std::string_view::npos) {
    const std::string_view from = text.substr(0, dash);
    const std::string_view to = text.substr(dash + 1);
    if (!is_digits(from) || !is_digits(to))
      return Error(quoted(text) + " is no port and no range such as 9000-9010");
    const auto first = number(from);
    if (!first) return first.error();
    const auto last = number(to);
    if (!last) return last.error();
    if (*first > *last) return Error("the range " + quoted(text) + " ends before it begins");
    if (*last - *first >= kMaxPortRange) {
      return Error("the range " + quoted(text) + " has more than " + std::to_string(kMaxPortRange) +
                   " ports");
    }
    return *first == *last ? std::string(from) : std::string(text);
  }
  const auto is_bad = [](char c) {
    return !is_digit(c) && !is_letter(c) && c != '-' && c != '.' && c != '_' && c != '+';
  };
  if (text.size() > kLongestPortName || std::any_of(text.begin(), text.end(), is_bad) ||
      std::none_of(text.begin(), text.end(), is_letter)) {
    return Error(quoted(text) +
                 " is no port: a number, a name of the services database or a range such as 9000-9010");
  }
  return std::string(text);
}

Result<ListenSpec> parse_listen(std::string_view text) {
  const auto separator = text.find("://");
  if (separator == std::string_view::npos) return no_scheme(text);
  const std::string_view name = text.substr(0, separator);
  const auto* scheme = std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& known) {
    return equals_ignoring_case(known.name, name);
  });
  if (scheme == kSchemes.end()) {
    std::array<std::string_view, kSchemes.size()> names;
    std::transform(kSchemes.begin(), kSchemes.end(), names.begin(),
                   [](const Scheme& known) { return known.name; });
    const auto nearest = nearest_word(name, names);
    return Error("unknown protocol " + quoted(name) +
                 (nearest.empty() ? ": tcp, udp, tcp4, tcp6, udp4, udp6, unix, unix-dgram or unix-seqpacket"
                                  : ", did you mean " + quoted(nearest) + "?"));
  }
  ListenSpec spec;
  spec.transport = scheme->transport;
  spec.family = scheme->family;
  const std::string_view rest = text.substr(separator + 3);
  if (spec.family == Family::Unix) {
    if (auto status = parse_unix(rest, spec); !status) return std::move(status).error();
    return spec;
  }
  std::string_view host = rest;
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    const auto colon = close == std::string_view::npos ? close : rest.find(':', close);
    host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  } else {
    const auto colon = rest.rfind(':');
    host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    if (colon != std::string_view::npos && host.find(':') != std::string_view::npos) {
      return Error("an IPv6 address stands in brackets, and in quotes: \"" + std::string(scheme->name) +
                   "://[ADDRESS]:PORT\"");
    }
  }
  if (auto status = parse_listen_host(host, false, spec); !status) return std::move(status).error();
  if (port.empty()) return Error("the port is missing in " + quoted(text));
  auto checked = parse_listen_port(port);
  if (!checked) return std::move(checked).error();
  spec.port = std::move(*checked);
  return spec;
}

std::string to_string(const ListenSpec& spec) {
  const bool literal_v6 = spec.host.find(':') != std::string::npos;
  const bool literal =
      literal_v6 || (spec.host.find_first_not_of("0123456789.") == std::string::npos && !spec.host.empty());
  std::string out;
  for (const Scheme& scheme : kSchemes) {
    const Family family = literal ? Family::Any : spec.family;
    if (scheme.transport == spec.transport && scheme.family == family) out = scheme.name;
  }
  out += "://";
  if (spec.family == Family::Unix) return out + spec.path;
  out += literal_v6 ? "[" + spec.host + "]" : spec.host;
  if (!spec.interface_name.empty()) out += "%" + spec.interface_name;
  return out + ":" + spec.port;
}

std::optional<PortRange> numeric_ports(std::string_view port) noexcept {
  const auto dash = port.find('-');
  const auto first = parse_unsigned(port.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_unsigned(port.substr(dash + 1));
  if (!first || !last || *first == 0 || *first > *last || *last > 65535) return std::nullopt;
  return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

const ListenSpec* origin_in_listen(const ServiceDefinition& definition, const net::Endpoint& endpoint,
                                   unsigned port_offset) {
  for (const ListenSpec& spec : definition.listen) {
    if (spec.transport != endpoint.transport) continue;
    const bool is_unix = endpoint.address.family() == AF_UNIX;
    if (is_unix != (spec.family == Family::Unix)) continue;
    if (is_unix && spec.path != endpoint.address.host()) continue;
    const auto ports = numeric_ports(spec.port);
    const unsigned port = endpoint.address.port() - port_offset;
    if (is_unix || !ports || (ports->first <= port && port <= ports->last)) return &spec;
  }
  return nullptr;
}

}  // namespace xsd::config
