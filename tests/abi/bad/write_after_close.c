/* SPDX-License-Identifier: Apache-2.0
 *
 * Does everything to a connection after it has closed it, in the same callback and in on_close. Silly and
 * allowed: nothing is sent twice and nothing crashes.
 */
#include "bad.h"

static void go_on(struct xsd_connection* connection) {
  static const char text[] = "after close\n";
  (void)host->write(connection, text, sizeof text - 1);
  (void)host->try_write(connection, text, sizeof text - 1);
  host->want_writable(connection, 1);
  host->discard_input(connection);
  host->finish(connection);
  host->close(connection);
  host->set_data(connection, connection);
  (void)host->peer_info(connection);
}

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  bad_echo(state, connection, data, length);
  host->close(connection);
  go_on(connection);
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  (void)state;
  (void)reason;
  go_on(connection);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "write_after_close",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = on_data,
    .on_close = on_close,
};

XSD_PLUGIN_REGISTER(write_after_close, plugin)
