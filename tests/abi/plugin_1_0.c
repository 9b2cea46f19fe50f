/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin as it was built for interface version 1.0: it sees the header of that version only. It must run
 * under every later host of the same major version.
 */
#include "1.0/plugin.h"

_Static_assert(XSD_PLUGIN_API_MINOR == 0u, "this is about 1.0");

static const struct xsd_host* host;

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  host = given;
  *state = service;
  if (host->size < sizeof(struct xsd_host)) return -1;
  host->log(service, XSD_LOG_INFO, "started", 7);
  return 0;
}

static void stop(void* state) {
  host->log(state, XSD_LOG_INFO, "stopped", 7);
}

static int on_open(void* state, struct xsd_connection* connection) {
  host->set_data(connection, state);
  return host->write(connection, "hello ", 6);
}

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  (void)state;
  (void)host->write(connection, data, length);
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  if (host->get_data(connection) == state && reason == XSD_CLOSE_FINISHED)
    host->log(state, XSD_LOG_INFO, "closed", 6);
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  (void)state;
  (void)host->reply(datagram, data, length);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "plugin_1_0",
    .description = "of version 1.0",
    .start = start,
    .stop = stop,
    .on_open = on_open,
    .on_data = on_data,
    .on_close = on_close,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(plugin_1_0, plugin)
