/* SPDX-License-Identifier: Apache-2.0
 *
 * Echoes, and has work to do that takes a second when what arrives begins with '!'. It is no fault, but who
 * stops a service meanwhile has to wait.
 */
#include "bad.h"

#include <time.h>

static struct xsd_service* own;

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  own = service;
  return bad_start(given, service, state);
}

static void stop(void* state) {
  (void)state;
  host->log(own, XSD_LOG_INFO, "stopped", 7);
}

static void work(void* argument) {
  struct timespec left = {.tv_sec = 1, .tv_nsec = 0};
  (void)argument;
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0) {
  }
}

static void done(void* argument) {
  (void)argument;
  host->log(own, XSD_LOG_INFO, "the work is done", 16);
}

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  if (*(const char*)data == '!' && host->run_blocking(own, work, done, NULL) != 0) return;
  bad_echo(state, connection, data, length);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "slow_work",
    .description = "a bad plugin",
    .start = start,
    .stop = stop,
    .on_data = on_data,
};

XSD_PLUGIN_REGISTER(slow_work, plugin)
