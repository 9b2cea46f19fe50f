/* SPDX-License-Identifier: Apache-2.0
 *
 * Echoes, and ends its process as if all were well when what arrives begins with '!'.
 */
#include "bad.h"

#include <stdlib.h>

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  if (*(const char*)data == '!') exit(0);
  bad_echo(state, connection, data, length);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "exit_in_data",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = on_data,
};

XSD_PLUGIN_REGISTER(exit_in_data, plugin)
