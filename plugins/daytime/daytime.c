/* SPDX-License-Identifier: Apache-2.0
 *
 * daytime (RFC 867): says the date and the time of day as text, in the form that xinetd's users know:
 *     22 NOV 2026 01:10:47 UTC
 * in the local time zone, with CR LF.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "xsd/plugin.h"

static const struct xsd_host* host;

/* Not strftime's: those are the locale's. */
static const char* const months[12] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};

/* One for each service. */
struct daytime {
  struct xsd_service* service;
  int64_t second; /* that the text is about */
  size_t length;
  char text[96];
};

/* Once a second is enough. */
static void bring_up_to_date(struct daytime* daytime) {
  int64_t second = 0;
  host->wall_clock(daytime->service, &second, NULL);
  if (daytime->length > 0 && second == daytime->second) return;
  const time_t now = (time_t)second;
  struct tm local;
  daytime->second = second;
  daytime->length = 0;
  if (localtime_r(&now, &local) == NULL) return;
  const int length = snprintf(daytime->text, sizeof daytime->text, "%02d %s %d %02d:%02d:%02d %.32s\r\n",
                              local.tm_mday, months[local.tm_mon], 1900 + local.tm_year, local.tm_hour,
                              local.tm_min, local.tm_sec, local.tm_zone);
  if (length > 0 && (size_t)length < sizeof daytime->text) daytime->length = (size_t)length;
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  host = given;
  struct daytime* const daytime = calloc(1, sizeof *daytime);
  if (daytime == NULL) return -ENOMEM;
  daytime->service = service;
  *state = daytime;
  tzset(); /* reads the zone's file now rather than for the first client */
  return 0;
}

static void stop(void* state) {
  free(state);
}

static int on_open(void* state, struct xsd_connection* connection) {
  struct daytime* const daytime = state;
  bring_up_to_date(daytime);
  const int result = host->write(connection, daytime->text, daytime->length);
  host->close(connection);
  return result == -EPIPE
             ? 0
             : result; /* a client that is gone already is an ended connection, not a refused one */
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  (void)data;
  (void)length;
  struct daytime* const daytime = state;
  bring_up_to_date(daytime);
  (void)host->reply(datagram, daytime->text, daytime->length); /* as the network: may be lost */
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "daytime",
    .description = "says the date and time as text (RFC 867)",
    .start = start,
    .stop = stop,
    .on_open = on_open,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(daytime, plugin)
