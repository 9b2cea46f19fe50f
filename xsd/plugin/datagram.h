// SPDX-License-Identifier: Apache-2.0
//
// Datagram: one received datagram, the xsd_datagram of the plugin interface; holds it while on_datagram (or
// on_datagrams) runs.
// DatagramReader: reads the datagram sockets of one service and hands what comes to its plugin: one by one,
// or if the plugin has on_datagrams, as many as have come in one call; then their replies are collected,
// copied, and leave in one call too. Borrows sockets and PluginInstance.
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
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
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

/// A bound socket that is read.
struct DatagramSocket {
  int fd;
  const net::SocketAddress& bound;
  bool wildcard;  ///< bound to all addresses
};

class Datagram : public ::xsd_datagram {
 public:
  /// Borrows all of it. `collected`: where the bytes of a reply are kept for later; nullptr: it leaves at
  /// once.
  Datagram(PluginInstance& instance, DatagramCounters& counters, std::vector<char>* collected) noexcept
      : instance_(instance), counters_(counters), collected_(collected) {}
  Datagram(const Datagram&) = delete;
  Datagram& operator=(const Datagram&) = delete;

  /// Makes `message` ready to receive this one into `buffer`, of kScratchSize bytes.
  void prepare(const DatagramSocket& socket, msghdr& message, char* buffer) noexcept;
  /// `message` has received a datagram that was `length` bytes long.
  void received(msghdr& message, std::size_t length) noexcept;
  /// Whether the plugin may see what was received.
  bool may_be_shown() const noexcept;

  int reply(const char* data, std::size_t length) noexcept;
  const xsd_peer_info* info() noexcept;
  std::string_view data() const noexcept { return {static_cast<const char*>(piece_.iov_base), length_}; }

  /// True if a reply was collected; then `message` is made ready to send it.
  bool has_reply(msghdr& message) noexcept;
  /// Nothing is to be sent any more.
  void let_go() noexcept { file_.reset(); }

 private:
  /// The address that the datagram was sent to, as the kernel tells it (ip(7), ipv6(7)).
  struct Destination {
    int family = AF_UNSPEC;  ///< AF_UNSPEC: not told
    in_pktinfo v4;
    in6_pktinfo v6;
  };

  void read_control(msghdr& message) noexcept;
  bool to_group() const noexcept;
  int pin_file() noexcept;
  net::SocketAddress local() const noexcept;
  void address_reply(msghdr& message) noexcept;
  std::size_t write_source(msghdr& message) const noexcept;

  PluginInstance& instance_;
  DatagramCounters& counters_;
  std::vector<char>* collected_;
  const DatagramSocket* socket_ = nullptr;
  bool replied_ = false;
  bool to_be_sent_ = false;  ///< the reply is collected
  std::size_t length_ = 0;
  iovec piece_{};             ///< the buffer; then the reply
  std::size_t reply_at_ = 0;  ///< in collected_
  std::size_t reply_length_ = 0;
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un path;
  } from_;
  socklen_t from_length_ = 0;
  UniqueFd file_;  ///< that the reply goes to (unix)
  net::SocketAddress sender_;
  ucred process_{};  ///< that sent it (unix); pid 0: not told
  Destination destination_;
  // As long as what IP sockets get, and for a unix socket no longer than the credentials, which come first:
  // no room for descriptors that a sender would like to give us (unix(7)).
  alignas(cmsghdr) char control_[CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(in_pktinfo))];
  std::optional<PeerText> text_;
};

class DatagramReader {
 public:
  explicit DatagramReader(PluginInstance& instance) noexcept;
  ~DatagramReader();

  /// See HostedService::read_datagrams.
  int read(int fd, const net::SocketAddress& bound, bool wildcard) noexcept;
  const DatagramCounters& counters() const noexcept { return counters_; }

 private:
  struct Batch;
  int read_single(const DatagramSocket& socket) noexcept;
  int read_batches(const DatagramSocket& socket) noexcept;
  void send_replies(const DatagramSocket& socket, std::size_t received) noexcept;
  bool take(Datagram& datagram, msghdr& message, std::size_t length) noexcept;

  PluginInstance& instance_;
  DatagramCounters counters_;
  std::unique_ptr<Batch> batch_;  ///< made when it is needed
};

}  // namespace xsd::plugin
