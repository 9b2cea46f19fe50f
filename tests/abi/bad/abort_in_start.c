/* SPDX-License-Identifier: Apache-2.0
 *
 * Aborts in start.
 */
#include "bad.h"

#include <stdlib.h>

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)bad_start(given, service, state);
  abort();
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "abort_in_start", .description = "a bad plugin", .start = start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(abort_in_start, plugin)
