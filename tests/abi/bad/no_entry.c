/* SPDX-License-Identifier: Apache-2.0
 *
 * Exports something, but not the entry.
 */
__attribute__((visibility("default"))) int xsd_plugin_entry_v0(void);

int xsd_plugin_entry_v0(void) {
  return 1;
}
