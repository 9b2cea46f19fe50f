/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts a thread that takes a processor and never ends. Its service goes on.
 */
#include "bad.h"

#include <pthread.h>

static void* spin(void* argument) {
  volatile unsigned count = 0;
  (void)argument;
  for (;;)
    ++count;
  return NULL;
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  pthread_t thread;
  (void)bad_start(given, service, state);
  return -pthread_create(&thread, NULL, spin, NULL);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "thread_that_spins", .description = "a bad plugin", .start = start,
    .on_data = bad_echo,
};

XSD_PLUGIN_REGISTER(thread_that_spins, plugin)
