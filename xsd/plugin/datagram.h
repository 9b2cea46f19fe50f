// SPDX-License-Identifier: Apache-2.0
//
// Datagram: one received datagram, the xsd_datagram of the plugin interface; lives while on_datagram runs.
// DatagramReader: reads the datagram sockets of one service and hands what comes to its plugin. Borrows
// sockets and PluginInstance.
//
// What is never answered, so that two services cannot be set on each other and nobody is made to shout at a
// third (RFC 862 and its kin answer anything, hence CVE-2024-2169 and older ones):
//   - source port 0; a source port of kReflectingPorts; a group or broadcast source; one that
//   HostedOptions::refuse_sender names.
//     The plugin does not see these datagrams. An ordinary client's port is above 1023.
//   - a datagram that this process itself has sent (unix; on IP the ports tell). The same.
//   - a datagram sent to a group or broadcast address. The plugin sees it, and its reply is refused.
//   - one without a sender's name (unix). The same.
//   - one whose sender's name is a file (unix), but no socket of the sender's own or behind a link. The same:
//     it is us who open that file, so a sender could have us write to a socket that is shut to him.
// Each is counted in `refused` once.
//
// Order: receive until the queue is empty, a bound is reached, or the receive call fails. Errors that an
// earlier answer brought about (ICMP) are reported by the next call on the socket; they are skipped, unless
// there is nothing else up to the bound.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"
#include "xsd/plugin/plugin_instance.h"

namespace xsd::plugin {

/// UDP ports of services that answer whatever they are sent: echo, discard, systat, daytime, netstat, qotd,
/// chargen, time, domain, tftp, sunrpc, ntp, netbios-ns, snmp, ldap, kpasswd.
inline constexpr std::array<std::uint16_t, 16> kReflectingPorts{7,  9,  11,  13,  15,  17,  19,  37,
                                                                53, 69, 111, 123, 137, 161, 389, 464};
bool is_reflecting_port(std::uint16_t port) noexcept;

class Datagram : public ::xsd_datagram {
 public:
  Datagram(PluginInstance& instance, DatagramCounters& counters, int fd, const net::SocketAddress& bound,
           bool wildcard) noexcept
      : instance_(instance), counters_(counters), fd_(fd), bound_(bound), wildcard_(wildcard) {}
  Datagram(const Datagram&) = delete;
  Datagram& operator=(const Datagram&) = delete;

  /// Receives the next one into the scratch buffer: its length, or a negative errno.
  std::int64_t receive() noexcept;
  /// Whether the plugin may see what was received.
  bool may_be_shown() const noexcept;

  int reply(const char* data, std::size_t length) noexcept;
  const xsd_peer_info* info() noexcept;

 private:
  /// The address that the datagram was sent to, as the kernel tells it (ip(7), ipv6(7)).
  struct Destination {
    int family = AF_UNSPEC;  ///< AF_UNSPEC: not told
    in_pktinfo v4;
    in6_pktinfo v6;
  };

  void read_control(msghdr& message) noexcept;
  bool to_group() const noexcept;
  int pin_file(UniqueFd& file) noexcept;
  net::SocketAddress local() const noexcept;
  std::size_t write_source(msghdr& message) const noexcept;
  ssize_t send(const char* data, std::size_t length) noexcept;

  PluginInstance& instance_;
  DatagramCounters& counters_;
  int fd_;
  const net::SocketAddress& bound_;
  bool wildcard_;
  bool replied_ = false;
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un path;
  } from_;
  socklen_t from_length_ = 0;
  net::SocketAddress sender_;
  ucred process_{};  ///< that sent it (unix); pid 0: not told
  Destination destination_;
  std::optional<PeerText> text_;
};

class DatagramReader {
 public:
  explicit DatagramReader(PluginInstance& instance) noexcept : instance_(instance) {}

  /// See HostedService::read_datagrams.
  int read(int fd, const net::SocketAddress& bound, bool wildcard) noexcept;
  const DatagramCounters& counters() const noexcept { return counters_; }

 private:
  PluginInstance& instance_;
  DatagramCounters counters_;
};

}  // namespace xsd::plugin
