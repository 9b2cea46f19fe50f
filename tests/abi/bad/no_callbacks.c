/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves neither streams nor datagrams.
 */
#include "xsd/plugin.h"

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "no_callbacks",
    .description = "a bad plugin",
};

XSD_PLUGIN_REGISTER(no_callbacks, plugin)
