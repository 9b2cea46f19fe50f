// SPDX-License-Identifier: Apache-2.0
//
// RedirectTarget: the value of `redirect`, where connections are passed on to; text to target and back.
// Nothing is looked up here. It reaches the plugin `redirect` as two of its settings, `host` and `port`.
//
//   HOST:PORT          HOST is an IPv4 address, an IPv6 address in brackets or a host name; PORT is 1-65535
//                      or a name of the services database
//   unix:/PATH         a unix socket; unix:///PATH means the same, as in `listen`
//   unix:@NAME         one in the abstract name space
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "xsd/base/result.h"
#include "xsd/config/definitions.h"

namespace xsd::config {

struct RedirectTarget {
  std::string host;  ///< no brackets; of a unix socket its path or @NAME
  std::string port;  ///< empty: a unix socket
  friend bool operator==(const RedirectTarget&, const RedirectTarget&) = default;
};

/// The error is the whole message.
Result<RedirectTarget> parse_redirect_target(std::string_view text);
std::string to_string(const RedirectTarget& target);

/// Puts the target into the settings of the plugin, before what is there.
void put_redirect_target(const RedirectTarget& target, Position where, SettingsNode& settings);
/// The target of a service; nothing if it is none that passes connections on, or its settings have no target.
std::optional<RedirectTarget> redirect_target_of(const ServiceDefinition& definition);
/// The settings without it, as far as they were written.
SettingsNode settings_but_target(const ServiceDefinition& definition);
/// The name of the port, which has to be looked up; nullptr if there is none.
const SettingsNode* redirect_port_name(const ServiceDefinition& definition);

}  // namespace xsd::config
