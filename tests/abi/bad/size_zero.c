/* SPDX-License-Identifier: Apache-2.0
 *
 * Says that its struct has no members.
 */
#include "bad.h"

static const struct xsd_plugin plugin = {
    .size = 0,
    .api_version = XSD_PLUGIN_API_VERSION,
    .name = "size_zero",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(size_zero, plugin)
