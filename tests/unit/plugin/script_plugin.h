// SPDX-License-Identifier: Apache-2.0
//
// The script: a plugin whose callbacks are functions of the test. A callback that is not set is not in the
// table either, so that what the host does without one can be tested. One at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "plugin_test.h"

namespace xsd::plugin {

struct Script {
  std::function<int()> start;
  std::function<void()> stop;
  std::function<int(xsd_connection*)> on_open;
  std::function<void(xsd_connection*, std::string_view)> on_data;
  std::function<void(xsd_connection*)> on_end;
  std::function<void(xsd_connection*)> on_writable;
  std::function<void(xsd_connection*, std::uint32_t)> on_close;
  std::function<void(xsd_connection*)> on_readable;
  std::function<void(xsd_connection*)> on_urgent;
  std::function<void(xsd_connection*, int)> on_connected;
  std::function<void(xsd_connection*, int, int, int)> on_program;
  std::function<void(xsd_datagram* const*, std::size_t)> on_datagrams;

  const xsd_host* host = nullptr;  ///< since start
  xsd_service* service = nullptr;
};

inline Script script;

/// The table for what `script` has.
inline xsd_plugin script_plugin() {
  xsd_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.api_version = XSD_PLUGIN_API_VERSION;
  plugin.name = "script";
  plugin.start = [](const xsd_host* host, xsd_service* service, void**) {
    script.host = host;
    script.service = service;
    return script.start ? script.start() : 0;
  };
  if (script.stop) plugin.stop = [](void*) { script.stop(); };
  if (script.on_open) plugin.on_open = [](void*, xsd_connection* c) { return script.on_open(c); };
  if (script.on_data) {
    plugin.on_data = [](void*, xsd_connection* c, const void* data, std::size_t length) {
      script.on_data(c, {static_cast<const char*>(data), length});
    };
  }
  if (script.on_end) plugin.on_end = [](void*, xsd_connection* c) { script.on_end(c); };
  if (script.on_writable) plugin.on_writable = [](void*, xsd_connection* c) { script.on_writable(c); };
  if (script.on_close) {
    plugin.on_close = [](void*, xsd_connection* c, std::uint32_t reason) { script.on_close(c, reason); };
  }
  if (script.on_readable) plugin.on_readable = [](void*, xsd_connection* c) { script.on_readable(c); };
  if (script.on_urgent) plugin.on_urgent = [](void*, xsd_connection* c) { script.on_urgent(c); };
  if (script.on_connected) {
    plugin.on_connected = [](void*, xsd_connection* c, int result) { script.on_connected(c, result); };
  }
  if (script.on_program) {
    plugin.on_program = [](void*, xsd_connection* c, int error, int status, int signal) {
      script.on_program(c, error, status, signal);
    };
  }
  if (script.on_datagrams) {
    plugin.on_datagrams = [](void*, xsd_datagram* const* datagrams, std::size_t count) {
      script.on_datagrams(datagrams, count);
    };
  }
  return plugin;
}

/// A service with the script on it. `options` may be set before `start_script`.
template <class Base>
class WithScript : public Base {
 protected:
  using Base::Base;
  /// While the test that the callbacks refer to is still whole.
  void TearDown() override {
    this->service.reset();
    script = {};
  }

  void start_script(std::optional<Duration> idle_timeout = std::nullopt) {
    plugin = script_plugin();
    this->start({"script", "", &plugin}, idle_timeout, std::move(options));
  }
  const xsd_host& host() { return *script.host; }
  /// Calls `work` as a callback of the plugin.
  void in_callback(std::function<void()> work) {
    static std::function<void()> running;
    running = std::move(work);
    xsd_timer* const timer = host().timer_new(
        script.service, [](void*) { running(); }, nullptr);
    host().timer_set(timer, 0);
    this->loop->run_once(Duration::zero());
    host().timer_free(timer);
  }

  HostedOptions options;
  xsd_plugin plugin{};
};

}  // namespace xsd::plugin
