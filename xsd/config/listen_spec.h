// SPDX-License-Identifier: Apache-2.0
//
// Text to ListenSpec and back: the grammar of `listen`, and of the xinetd keys that mean the same. Nothing is
// looked up here.
//
//   SCHEME://HOST[%INTERFACE]:PORT       tcp udp, tcp4 udp4 tcp6 udp6
//   SCHEME:///PATH, SCHEME://@NAME       unix unix-dgram unix-seqpacket
//
// HOST is `*`, an IPv4 address, an IPv6 address in brackets, a host name, or nothing before %INTERFACE (then
// it is `*`). A `%` inside the brackets is the zone of the address (RFC 4007), one behind the host is the
// interface to bind to. PORT is 1-65535, a name of the services database, or a range of at most kMaxPortRange
// ports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/base/result.h"
#include "xsd/config/definitions.h"

namespace xsd::config {

inline constexpr std::uint32_t kMaxPortRange = 1024;

/// One entry of `listen`; `where` is left for the caller. The error is the whole message.
Result<ListenSpec> parse_listen(std::string_view text);

/// HOST[%INTERFACE] into `spec`; its family, if set already, must fit. `bare_v6`: an IPv6 address may stand
/// without brackets (`bind`).
Status parse_listen_host(std::string_view text, bool bare_v6, ListenSpec& spec);

/// PORT, checked; what is returned is what ListenSpec::port holds.
Result<std::string> parse_listen_port(std::string_view text);

/// The text that parse_listen reads back to the same.
std::string to_string(const ListenSpec& spec);

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};
/// The ports that a number or range stands for; nullopt if `port` is a name.
std::optional<PortRange> numeric_ports(std::string_view port) noexcept;

/// The entry of `listen` that an endpoint of the service comes from, as far as that can be told.
const ListenSpec* origin_in_listen(const ServiceDefinition& definition, const net::Endpoint& endpoint,
                                   unsigned port_offset);

}  // namespace xsd::config
