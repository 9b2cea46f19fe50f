/* SPDX-License-Identifier: Apache-2.0
 *
 * What the bad plugins share: a start that remembers the host, and an on_data that echoes, so that a test can
 * see that a plugin works up to the point where it does not.
 */
#ifndef XSD_TESTS_ABI_BAD_H
#define XSD_TESTS_ABI_BAD_H

#include "xsd/plugin.h"

static const struct xsd_host* host;

static inline int bad_start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)service;
  (void)state;
  host = given;
  return 0;
}

static inline void bad_echo(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  (void)state;
  (void)host->write(connection, data, length);
}

#endif
