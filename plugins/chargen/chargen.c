/* SPDX-License-Identifier: Apache-2.0
 *
 * chargen (RFC 864): sends lines of 72 characters, each line beginning one character later in the ring of the
 * 95 printing ASCII characters, until the peer goes. To a datagram, whatever is in it, it answers with a few
 * of these lines, less than 512 bytes.
 *
 * Lines repeat after 95. The pattern holds that period many times over, so that one call sends about 100 KiB
 * from any position. A connection needs nothing but its position within the period; it is kept in the pointer
 * itself.
 */
#include "xsd/plugin.h"

enum {
  FIRST_CHARACTER = ' ',
  CHARACTERS = 95,
  TEXT_LENGTH = 72,
  LINE_LENGTH = TEXT_LENGTH + 2,
  PERIOD = CHARACTERS * LINE_LENGTH,
  PERIODS = 16,
  PATTERN_LENGTH = PERIOD * PERIODS,
  MOST_PER_TURN = 256 * 1024,
  DATAGRAM_LINES = 6, /* 444 bytes */
  DATAGRAM_STEP = 7,  /* each answer begins so many lines further */
};

static const struct xsd_host* host;
static char pattern[PATTERN_LENGTH]; /* filled when the first service starts */

static void fill_pattern(void) {
  if (pattern[0] != 0) return;
  char* out = pattern;
  for (unsigned line = 0; line < CHARACTERS * PERIODS; ++line) {
    for (unsigned i = 0; i < TEXT_LENGTH; ++i)
      *out++ = (char)(FIRST_CHARACTER + (line + i) % CHARACTERS);
    *out++ = '\r';
    *out++ = '\n';
  }
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)service;
  (void)state;
  host = given;
  fill_pattern();
  return 0;
}

static void on_writable(void* state, struct xsd_connection* connection) {
  (void)state;
  size_t position = (size_t)(uintptr_t)host->get_data(connection);
  for (size_t sent = 0; sent < MOST_PER_TURN;) {
    const size_t length = PATTERN_LENGTH - position;
    const int64_t taken = host->try_write(connection, pattern + position, length);
    if (taken <= 0) break;
    sent += (size_t)taken;
    position = (position + (size_t)taken) % PERIOD;
    if ((size_t)taken < length) break;
  }
  host->set_data(connection, (void*)(uintptr_t)position);
}

static int on_open(void* state, struct xsd_connection* connection) {
  (void)state;
  host->discard_input(connection);
  host->want_writable(connection, 1);
  return 0;
}

/* A peer that has nothing to say may still want to listen. */
static void on_end(void* state, struct xsd_connection* connection) {
  (void)state;
  (void)connection;
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  static unsigned line;
  (void)state;
  (void)data;
  (void)length;
  (void)host->reply(datagram, pattern + line * LINE_LENGTH,
                    DATAGRAM_LINES * LINE_LENGTH); /* as the network: may be lost */
  line = (line + DATAGRAM_STEP) % CHARACTERS;
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "chargen",
    .description = "sends a pattern of characters without end (RFC 864)",
    .start = start,
    .on_open = on_open,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_datagram = on_datagram,
};

XSD_PLUGIN_REGISTER(chargen, plugin)
