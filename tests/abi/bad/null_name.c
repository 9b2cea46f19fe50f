/* SPDX-License-Identifier: Apache-2.0
 *
 * Has no name.
 */
#include "bad.h"

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = NULL, .description = "a bad plugin", .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(null_name, plugin)
