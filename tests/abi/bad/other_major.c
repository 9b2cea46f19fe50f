/* SPDX-License-Identifier: Apache-2.0
 *
 * Made for the next major version of the interface.
 */
#include "bad.h"

static const struct xsd_plugin plugin = {
    .size = sizeof(struct xsd_plugin),
    .api_version = (XSD_PLUGIN_API_MAJOR + 1) << 16,
    .name = "other_major",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(other_major, plugin)
