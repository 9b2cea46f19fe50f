/* SPDX-License-Identifier: Apache-2.0
 *
 * echo (RFC 862): sends back what it gets. The host keeps memory bounded (it does not read while an answer
 * waits) and, since there is no on_end here, ends our direction when the peer has ended its own and
 * everything is sent.
 */
#include "xsd/plugin.h"

static const struct xsd_host* host;

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)service;
  (void)state;
  host = given;
  return 0;
}

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  (void)state;
  (void)host->write(connection, data, length); /* if it fails, the host ends the connection */
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  (void)state;
  (void)host->reply(datagram, data, length); /* as the network: may be lost */
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "echo",
    .description = "sends back what it gets (RFC 862)",
    .start = start,
    .on_data = on_data,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(echo, plugin)
