/* SPDX-License-Identifier: Apache-2.0
 *
 * Echoes, and writes to where nothing is when what arrives begins with '!'.
 */
#include "bad.h"

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  static volatile uintptr_t nowhere = 16;
  if (*(const char*)data == '!') *(volatile char*)nowhere = 1;
  bad_echo(state, connection, data, length);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "crash_in_data",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = on_data,
};

XSD_PLUGIN_REGISTER(crash_in_data, plugin)
