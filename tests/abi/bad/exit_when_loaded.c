/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends the process that loads it, as if all were well.
 */
#include "bad.h"

#include <unistd.h>

__attribute__((constructor)) static void leave(void) {
  _exit(0);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "exit_when_loaded",
    .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(exit_when_loaded, plugin)
