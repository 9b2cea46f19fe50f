/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves and stops as it should, and then keeps its process from ending: a destructor that waits for ever.
 */
#include "bad.h"

#include <unistd.h>

__attribute__((destructor)) static void hang(void) {
  while (host != NULL)
    (void)pause();
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "hang_at_exit", .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(hang_at_exit, plugin)
