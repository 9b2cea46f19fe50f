// SPDX-License-Identifier: Apache-2.0
//
// PluginInstance: what one service's connections and datagrams share: the plugin's callbacks and state, the
// loop, the options, and what the plugin has made for the service. It is the xsd_service that the plugin is
// shown. Owned by HostedService; the others borrow it.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>

#include "xsd/config/definitions.h"
#include "xsd/net/address.h"
#include "xsd/plugin.h"
#include "xsd/plugin/hosted_service.h"
#include "xsd/plugin/service_parts.h"
#include "xsd/plugin/settings_nodes.h"
#include "xsd/reactor/event_loop.h"

// The opaque types of plugin.h: bases of ours, so that a handle becomes the object by a static_cast.
struct xsd_service {};
struct xsd_connection {};
struct xsd_datagram {};

namespace xsd::plugin {

class StreamSet;

struct PluginInstance : ::xsd_service {
  PluginInstance(reactor::EventLoop& event_loop, const xsd_plugin& callbacks, HostedOptions hosted_options,
                 StreamSet& stream_set)
      : loop(event_loop),
        calls(callbacks),
        options(std::move(hosted_options)),
        streams(stream_set),
        settings(complete_settings(calls, options.settings)),
        timers(*this) {
    options.settings = nullptr;  // borrowed for the moment only
  }

  reactor::EventLoop& loop;
  const xsd_plugin calls;
  void* state = nullptr;
  HostedOptions options;
  StreamSet& streams;
  const config::SettingsNode settings;
  TimerSet timers;
  MetricSet metrics;
  std::size_t works = 0;               ///< of run_blocking, whose `done` has not run yet
  std::function<void()> on_last_work;  ///< called once, when it is ending and no work is left
  bool ending = false;                 ///< the owner has given it up: nothing new is begun

  /// See plugin.h.
  int run_blocking(void (*work)(void*), void (*done)(void*), void* argument) noexcept;
  /// From now on the plugin is only told of what ends.
  void end() noexcept;
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
