/* SPDX-License-Identifier: Apache-2.0
 *
 * Says that its struct is larger than any that there will be; what follows it is not its own.
 */
#include "bad.h"

static const struct xsd_plugin plugin = {
    .size = UINT32_MAX,
    .api_version = XSD_PLUGIN_API_VERSION,
    .name = "size_huge",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(size_huge, plugin)
