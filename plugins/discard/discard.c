/* SPDX-License-Identifier: Apache-2.0
 *
 * discard (RFC 863): throws away what it gets. On streams the kernel does it; no byte is copied.
 */
#include "xsd/plugin.h"

static const struct xsd_host* host;

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)service;
  (void)state;
  host = given;
  return 0;
}

static int on_open(void* state, struct xsd_connection* connection) {
  (void)state;
  host->discard_input(connection);
  return 0;
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  (void)state;
  (void)datagram;
  (void)data;
  (void)length;
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "discard",
    .description = "throws away what it gets (RFC 863)",
    .start = start,
    .on_open = on_open,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(discard, plugin)
