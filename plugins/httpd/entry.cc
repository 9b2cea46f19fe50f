// SPDX-License-Identifier: Apache-2.0
//
// The plugin `httpd`: the table of callbacks. They end the process where memory does, and throw nothing.
#include <cerrno>
#include <memory>

#include <xsd/plugin.h>

#include "client.h"
#include "peer.h"
#include "service.h"

namespace httpd {
namespace {

Service& service_of(void* state) noexcept {
  return *static_cast<Service*>(state);
}

Peer& peer_of(void* state, xsd_connection* connection) noexcept {
  return *static_cast<Peer*>(service_of(state).host.get_data(connection));
}

int start(const xsd_host* host, xsd_service* handle, void** state) noexcept {
  if (!XSD_HOST_HAS(host, start_program)) return -ENOSYS;
  std::unique_ptr<Service> service;
  const int result = Service::create(*host, handle, service);
  *state = service.release();
  return result;
}

void stop(void* state) noexcept {
  const std::unique_ptr<Service> service(&service_of(state));
}

int on_open(void* state, xsd_connection* connection) noexcept {
  return Client::open(service_of(state), connection);
}

void on_data(void* state, xsd_connection* connection, const void* data, size_t length) noexcept {
  peer_of(state, connection).on_data({static_cast<const char*>(data), length});
}

void on_end(void* state, xsd_connection* connection) noexcept {
  peer_of(state, connection).on_end();
}

void on_writable(void* state, xsd_connection* connection) noexcept {
  peer_of(state, connection).on_writable();
}

void on_close(void* state, xsd_connection* connection, std::uint32_t /*reason*/) noexcept {
  const std::unique_ptr<Peer> peer(&peer_of(state, connection));
  peer->on_close();
}

void on_program(void* state, xsd_connection* connection, int error, int exit_status, int signal) noexcept {
  peer_of(state, connection).on_program(error, exit_status, signal);
}

constexpr xsd_plugin make_plugin() noexcept {
  xsd_plugin plugin{};
  plugin.size = sizeof(xsd_plugin);
  plugin.api_version = XSD_PLUGIN_API_VERSION;
  plugin.name = "httpd";
  plugin.description = "static files and CGI programs over HTTP/1.1";
  plugin.start = start;
  plugin.stop = stop;
  plugin.on_open = on_open;
  plugin.on_data = on_data;
  plugin.on_end = on_end;
  plugin.on_writable = on_writable;
  plugin.on_close = on_close;
  plugin.version = "1.0";
  plugin.setting_count = std::size(kSettings);
  plugin.setting_size = sizeof(xsd_setting);
  plugin.settings = kSettings;
  plugin.validate = validate_settings;
  plugin.on_program = on_program;
  return plugin;
}

constexpr xsd_plugin kPlugin = make_plugin();

}  // namespace
}  // namespace httpd

extern "C" {
XSD_PLUGIN_REGISTER(httpd, httpd::kPlugin)
}
