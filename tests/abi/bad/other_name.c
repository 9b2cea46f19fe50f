/* SPDX-License-Identifier: Apache-2.0
 *
 * Has a name that is not its file's.
 */
#include "bad.h"

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "echo", .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(other_name, plugin)
