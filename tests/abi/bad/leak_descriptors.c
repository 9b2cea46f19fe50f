/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens twenty descriptors in start that stay open across an exec: none may reach a program of another
 * service.
 */
#include "bad.h"

#include <fcntl.h>

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  for (int i = 0; i < 20; ++i)
    (void)open("/dev/null", O_RDONLY); /* without O_CLOEXEC; the number is forgotten */
  return bad_start(given, service, state);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "leak_descriptors", .description = "a bad plugin", .start = start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(leak_descriptors, plugin)
