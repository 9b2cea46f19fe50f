// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/redirect_target.h"

#include "xsd/base/text.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/value_decoders.h"

#include <algorithm>
#include <utility>

namespace xsd::config {
namespace {

constexpr std::string_view kHost = "host";
constexpr std::string_view kPort = "port";
constexpr std::string_view kUnix = "unix:";

const SettingsNode* find_scalar(const SettingsNode& settings, std::string_view key) noexcept {
  const auto found = std::find_if(settings.members.begin(), settings.members.end(),
                                  [key](const auto& member) { return member.first == key; });
  if (found == settings.members.end() || found->second.kind != SettingsNode::Kind::Scalar) return nullptr;
  return &found->second;
}

SettingsNode scalar(const std::string& text, Position where) {
  SettingsNode node;
  node.kind = SettingsNode::Kind::Scalar;
  node.scalar = text;
  node.where = node.key_where = where;
  return node;
}

Result<RedirectTarget> parse_unix_target(std::string_view path) {
  if (path.starts_with("///") || path.starts_with("//@")) path.remove_prefix(2);
  const bool is_path = path.starts_with('/') && path.size() > 1 && !path.ends_with('/');
  const bool is_name = path.starts_with('@') && path.size() > 1;
  if (!is_path && !is_name) {
    return Error("a unix socket is written unix:/PATH or unix:@NAME, not " +
                 quoted(std::string(kUnix) + std::string(path)));
  }
  if (!net::SocketAddress::unix_path(path)) return Error("the path of a unix socket has at most 107 bytes");
  return RedirectTarget{std::string(path), {}};
}

}  // namespace

Result<RedirectTarget> parse_redirect_target(std::string_view text) {
  if (text.starts_with(kUnix)) return parse_unix_target(text.substr(kUnix.size()));
  const auto colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  if (colon == std::string_view::npos || host.empty() || host.ends_with(':'))
    return Error(quoted(text) + " is no HOST:PORT");
  if (!host.starts_with('[') && host.find(':') != std::string_view::npos) {
    return Error("an IPv6 address stands in brackets before the port: " +
                 quoted("[" + std::string(host) + "]:" + std::string(text.substr(colon + 1))));
  }
  ListenSpec spec;
  if (Status status = parse_listen_host(host, false, spec); !status) return std::move(status.error());
  if (spec.host == "*") return Error(quoted(host) + " is no host that connections could be passed on to");
  if (!spec.interface_name.empty()) return Error("an interface makes no sense here: " + quoted(host));
  auto port = parse_listen_port(text.substr(colon + 1));
  if (!port) return std::move(port.error());
  if (const auto range = numeric_ports(*port); range && range->first != range->last)
    return Error("connections are passed on to one port, not to a range: " + quoted(*port));
  return RedirectTarget{std::move(spec.host), std::move(*port)};
}

std::string to_string(const RedirectTarget& target) {
  // Of three slashes two would be taken for those of unix:///PATH.
  if (target.port.empty())
    return std::string(kUnix) + (target.host.starts_with("//") ? "//" : "") + target.host;
  const bool is_v6 = target.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + target.host + "]" : target.host) + ":" + target.port;
}

void put_redirect_target(const RedirectTarget& target, Position where, SettingsNode& settings) {
  settings.kind = SettingsNode::Kind::Map;
  auto& members = settings.members;
  if (!target.port.empty()) members.emplace(members.begin(), kPort, scalar(target.port, where));
  members.emplace(members.begin(), kHost, scalar(target.host, where));
}

std::optional<RedirectTarget> redirect_target_of(const ServiceDefinition& definition) {
  if (definition.plugin != kRedirectPlugin) return std::nullopt;
  const SettingsNode* const host = find_scalar(definition.settings, kHost);
  const SettingsNode* const port = find_scalar(definition.settings, kPort);
  if (host == nullptr) return std::nullopt;
  return RedirectTarget{host->scalar, port != nullptr ? port->scalar : std::string()};
}

SettingsNode settings_but_target(const ServiceDefinition& definition) {
  SettingsNode rest = definition.settings;
  if (!redirect_target_of(definition)) return rest;
  std::erase_if(rest.members,
                [](const auto& member) { return member.first == kHost || member.first == kPort; });
  return rest.members.empty() ? SettingsNode() : rest;
}

const SettingsNode* redirect_port_name(const ServiceDefinition& definition) {
  if (definition.plugin != kRedirectPlugin) return nullptr;
  const SettingsNode* const port = find_scalar(definition.settings, kPort);
  return port != nullptr && !numeric_ports(port->scalar) ? port : nullptr;
}

namespace decoders {

void redirect(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "HOST:PORT or unix:/PATH";
  in.draft->redirect_where = value.where;
  if (value.is_list()) return refuse_value(in, value, kWanted, "an address in brackets stands in quotes");
  const auto text = scalar_of(in, value, kWanted);
  if (!text) return;
  auto target = parse_redirect_target(*text);
  if (!target) return in.sink.error(value.where, target.error().text());
  in.draft->redirect = std::move(*target);
}

}  // namespace decoders

}  // namespace xsd::config
