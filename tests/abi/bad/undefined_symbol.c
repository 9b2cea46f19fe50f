/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls a function that nobody has: it cannot be loaded with RTLD_NOW.
 */
#include "bad.h"

int xsd_function_that_nobody_has(void);

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)given;
  (void)service;
  (void)state;
  return xsd_function_that_nobody_has();
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "undefined_symbol", .description = "a bad plugin", .start = start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(undefined_symbol, plugin)
