// SPDX-License-Identifier: Apache-2.0
//
// PluginInstance: what one service's connections and datagrams share: the plugin's callbacks and state, the
// loop, the options. It is the xsd_service that the plugin is shown. Owned by HostedService; the others
// borrow it.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "xsd/net/address.h"
#include "xsd/plugin.h"
#include "xsd/plugin/hosted_service.h"
#include "xsd/reactor/event_loop.h"

// The opaque types of plugin.h: bases of ours, so that a handle becomes the object by a static_cast.
struct xsd_service {};
struct xsd_connection {};
struct xsd_datagram {};

namespace xsd::plugin {

struct PluginInstance : ::xsd_service {
  PluginInstance(reactor::EventLoop& event_loop, const xsd_plugin& callbacks, HostedOptions hosted_options)
      : loop(event_loop), calls(callbacks), options(std::move(hosted_options)) {}

  reactor::EventLoop& loop;
  const xsd_plugin calls;
  void* state = nullptr;
  HostedOptions options;
};

/// The text behind an xsd_peer_info. Made when a plugin asks for it.
struct PeerText {
  PeerText(const PluginInstance& instance, std::uint64_t id, const net::SocketAddress& remote,
           const net::SocketAddress& local)
      : remote_host(remote.host()), local_host(local.host()) {
    info.size = sizeof info;
    info.api_version = XSD_PLUGIN_API_VERSION;
    info.id = id;
    info.service = instance.options.service.c_str();
    info.remote_address = remote_host.c_str();
    info.local_address = local_host.c_str();
    info.remote_port = remote.port();
    info.local_port = local.port();
  }
  PeerText(const PeerText&) = delete;
  PeerText& operator=(const PeerText&) = delete;

  std::string remote_host;
  std::string local_host;
  xsd_peer_info info{};
};

/// Where bytes are read to on their way to a plugin. One for the process: a handler of the loop uses it and
/// is done with it before the next one runs. 64 KiB, so that any UDP datagram fits.
inline constexpr std::size_t kScratchSize = std::size_t{64} * 1024;
std::array<char, kScratchSize>& scratch() noexcept;

}  // namespace xsd::plugin
