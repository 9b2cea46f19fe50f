/* SPDX-License-Identifier: Apache-2.0
 *
 * daytime (RFC 867): says the date and the time of day as text, in the form that xinetd's users know:
 *     22 NOV 2026 01:10:47 UTC
 * in the local time zone, with CR LF.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "xsd/plugin.h"

static const struct xsd_host* host;

/* Not strftime's: those are the locale's. */
static const char* const months[12] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};

struct text {
  char bytes[96];
  size_t length;
};

static void make_text(struct text* text, struct xsd_service* service) {
  int64_t seconds = 0;
  host->wall_clock(service, &seconds, NULL);
  const time_t now = (time_t)seconds;
  struct tm local;
  text->length = 0;
  if (localtime_r(&now, &local) == NULL) return;
  const int length = snprintf(text->bytes, sizeof text->bytes, "%02d %s %d %02d:%02d:%02d %.32s\r\n",
                              local.tm_mday, months[local.tm_mon], 1900 + local.tm_year, local.tm_hour,
                              local.tm_min, local.tm_sec, local.tm_zone);
  if (length > 0 && (size_t)length < sizeof text->bytes) text->length = (size_t)length;
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  host = given;
  *state = service;
  tzset(); /* reads the zone's file now rather than for the first client */
  return 0;
}

static int on_open(void* state, struct xsd_connection* connection) {
  struct text text;
  make_text(&text, state);
  const int result = host->write(connection, text.bytes, text.length);
  host->close(connection);
  return result == -EPIPE
             ? 0
             : result; /* a client that is gone already is an ended connection, not a refused one */
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  (void)data;
  (void)length;
  struct text text;
  make_text(&text, state);
  (void)host->reply(datagram, text.bytes, text.length); /* as the network: may be lost */
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "daytime",
    .description = "says the date and time as text (RFC 867)",
    .start = start,
    .on_open = on_open,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(daytime, plugin)
