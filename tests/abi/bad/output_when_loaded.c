/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes to both standard outputs when it is loaded: what a probe reports must not be mixed up with it.
 */
#include "bad.h"

#include <unistd.h>

__attribute__((constructor)) static void chat(void) {
  static const char text[] = "a plugin that talks\n";
  if (write(STDOUT_FILENO, text, sizeof text - 1) < 0 || write(STDERR_FILENO, text, sizeof text - 1) < 0)
    return; /* nobody listens */
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "output_when_loaded",
    .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(output_when_loaded, plugin)
