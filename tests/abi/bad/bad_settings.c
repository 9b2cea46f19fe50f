/* SPDX-License-Identifier: Apache-2.0
 *
 * Says that it has settings, and has none.
 */
#include "bad.h"

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "bad_settings",
    .description = "a bad plugin",
    .start = bad_start,
    .on_data = bad_echo,
    .setting_count = 3,
    .setting_size = (uint32_t)sizeof(struct xsd_setting),
    .settings = NULL,
};

XSD_PLUGIN_REGISTER(bad_settings, plugin)
