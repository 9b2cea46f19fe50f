/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts a thread that does what only callbacks may do: it calls host functions, and it never ends.
 */
#include "bad.h"

#include <pthread.h>

static void* spin(void* service) {
  static const char text[] = "from a thread";
  for (;;)
    host->log(service, XSD_LOG_INFO, text, sizeof text - 1);
  return NULL;
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  pthread_t thread;
  (void)bad_start(given, service, state);
  return -pthread_create(&thread, NULL, spin, service);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "thread_that_logs", .description = "a bad plugin", .start = start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(thread_that_logs, plugin)
