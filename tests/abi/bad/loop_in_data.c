/* SPDX-License-Identifier: Apache-2.0
 *
 * Echoes, and never returns when what arrives begins with '!'.
 */
#include "bad.h"

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  if (*(const char*)data == '!')
    for (;;) {
    }
  bad_echo(state, connection, data, length);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "loop_in_data",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = on_data,
};

XSD_PLUGIN_REGISTER(loop_in_data, plugin)
