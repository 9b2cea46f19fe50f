/* SPDX-License-Identifier: Apache-2.0
 *
 * Echoes, after five seconds if what arrives begins with '!': everything of its thread waits for it.
 */
#include "bad.h"

#include <time.h>

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  struct timespec left = {.tv_sec = 5, .tv_nsec = 0};
  if (*(const char*)data == '!')
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0) {
    }
  bad_echo(state, connection, data, length);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "block_in_data",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = on_data,
};

XSD_PLUGIN_REGISTER(block_in_data, plugin)
