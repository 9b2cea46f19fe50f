/* SPDX-License-Identifier: Apache-2.0
 *
 * Its start says that there is no memory, every time.
 */
#include "bad.h"

#include <errno.h>

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)bad_start(given, service, state);
  return -ENOMEM;
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "start_fails", .description = "a bad plugin", .start = start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(start_fails, plugin)
