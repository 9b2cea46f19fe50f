/* SPDX-License-Identifier: Apache-2.0
 *
 * Its entry has nothing to give.
 */
#include "xsd/plugin.h"

__attribute__((visibility("default"))) const struct xsd_plugin* xsd_plugin_entry_v1(void);

const struct xsd_plugin* xsd_plugin_entry_v1(void) {
  return NULL;
}
