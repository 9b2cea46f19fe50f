/* SPDX-License-Identifier: Apache-2.0
 *
 * A loadable plugin in C11 that sees nothing but plugin.h. It is compiled; registry_test.cc looks at what it
 * exports.
 */
#include "xsd/plugin.h"

_Static_assert(sizeof(struct xsd_plugin) % sizeof(void*) == 0, "no hole at the end");

static int on_open(void* state, struct xsd_connection* connection) {
  (void)state;
  (void)connection;
  return 0;
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "in_c",
    .on_open = on_open,
};

XSD_PLUGIN_REGISTER(in_c, plugin)
