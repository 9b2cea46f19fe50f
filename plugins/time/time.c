/* SPDX-License-Identifier: Apache-2.0
 *
 * time (RFC 868): says the seconds since 1900-01-01 00:00 UTC as 32 bits, most significant byte first. The
 * count passes 2^32 in February 2036 and begins anew.
 */
#include <errno.h>

#include "xsd/plugin.h"

enum { TIME_LENGTH = 4 };
static const uint64_t seconds_1900_to_1970 = 2208988800u;

static const struct xsd_host* host;

static void make_time(unsigned char bytes[TIME_LENGTH], struct xsd_service* service) {
  int64_t seconds = 0;
  host->wall_clock(service, &seconds, NULL);
  const uint64_t since_1900 = (uint64_t)seconds + seconds_1900_to_1970;
  for (unsigned i = 0; i < TIME_LENGTH; ++i) {
    bytes[i] = (unsigned char)(since_1900 >> (24u - 8u * i));
  }
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  host = given;
  *state = service;
  return 0;
}

static int on_open(void* state, struct xsd_connection* connection) {
  unsigned char bytes[TIME_LENGTH];
  make_time(bytes, state);
  const int result = host->write(connection, bytes, sizeof bytes);
  host->close(connection);
  return result == -EPIPE
             ? 0
             : result; /* a client that is gone already is an ended connection, not a refused one */
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  (void)data;
  (void)length;
  unsigned char bytes[TIME_LENGTH];
  make_time(bytes, state);
  (void)host->reply(datagram, bytes, sizeof bytes); /* as the network: may be lost */
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "time",
    .description = "says the seconds since 1900 as 32 bits (RFC 868)",
    .start = start,
    .on_open = on_open,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(time, plugin)
