/* SPDX-License-Identifier: Apache-2.0
 *
 * Never lets the process go on that loads it.
 */
#include "bad.h"

__attribute__((constructor)) static void loop(void) {
  for (volatile int on = 1; on;) {
  }
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "loop_when_loaded",
    .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(loop_when_loaded, plugin)
