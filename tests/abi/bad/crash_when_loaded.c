/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends the process that loads it, before anything is asked of it.
 */
#include "bad.h"

__attribute__((constructor)) static void crash(void) {
  __builtin_trap();
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "crash_when_loaded",
    .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(crash_when_loaded, plugin)
