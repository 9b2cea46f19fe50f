/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe probe;

__attribute__((format(printf, 1, 2))) static void note(const char* format, ...) {
  const size_t used = strlen(probe.record);
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(probe.record + used, sizeof probe.record - used, format, arguments);
  va_end(arguments);
}

static int describe(char* out, size_t room, const struct xsd_peer_info* info) {
  return snprintf(out, room, "%s %s %u %s %u", info->service, info->remote_address, info->remote_port,
                  info->local_address, info->local_port);
}

static int start(const struct xsd_host* host, struct xsd_service* service, void** state) {
  probe.host = host;
  probe.service = service;
  *state = &probe;
  note("start ");
  return probe.start_result;
}

static void stop(void* state) {
  note(state == &probe ? "stop " : "stop-with-wrong-state ");
}

static void write_big(struct xsd_connection* connection) {
  char* big = calloc(1, PROBE_BIG);
  if (big == NULL) return;
  note("big=%d ", probe.host->write(connection, big, PROBE_BIG));
  note("more=%d ", probe.host->write(connection, big, PROBE_BIG));
  note("try=%d ", (int)probe.host->try_write(connection, big, 1));
  free(big);
}

static void write_big_and_close(struct xsd_connection* connection) {
  char* big = malloc(PROBE_BIG);
  if (big == NULL) return;
  for (unsigned i = 0; i < PROBE_BIG; ++i)
    big[i] = (char)PROBE_BYTE(i);
  (void)probe.host->write(connection, big, PROBE_BIG);
  probe.host->close(connection);
  free(big);
}

static void close_others(struct xsd_connection* self, const char* text, size_t length) {
  for (size_t i = 0; i < PROBE_MOST; ++i) {
    struct xsd_connection* const other = probe.connections[i];
    if (other == NULL || other == self) continue;
    (void)probe.host->write(other, text, length);
    probe.host->close(other);
  }
}

static void obey(struct xsd_connection* connection, char command, const char* text, size_t length) {
  const struct xsd_host* const host = probe.host;
  char info[256];
  switch (command) {
    case 'w':
      (void)host->write(connection, text, length);
      break;
    case 'f':
      (void)host->write(connection, text, length);
      host->finish(connection);
      break;
    case 'c':
      (void)host->write(connection, text, length);
      host->close(connection);
      note("write=%d try=%d ", host->write(connection, "x", 1), (int)host->try_write(connection, "x", 1));
      host->close(connection);
      host->finish(connection);
      host->want_writable(connection, 1);
      break;
    case 'b':
      write_big(connection);
      break;
    case 'k':
      write_big_and_close(connection);
      break;
    case 'd':
      host->discard_input(connection);
      break;
    case 'p':
      (void)host->write(connection, info, (size_t)describe(info, sizeof info, host->peer_info(connection)));
      break;
    case 'l':
      host->log(probe.service, XSD_LOG_WARNING, text, length);
      break;
    case 'o':
      close_others(connection, text, length);
      break;
    case 'v':
      host->want_writable(connection, 1);
      break;
    default:
      break;
  }
}

static int on_open(void* state, struct xsd_connection* connection) {
  (void)state;
  note("open ");
  for (size_t i = 0; i < PROBE_MOST; ++i) {
    if (probe.connections[i] != NULL) continue;
    probe.connections[i] = connection;
    break;
  }
  probe.host->set_data(connection, connection);
  if (probe.on_open != NULL) obey(connection, probe.on_open[0], probe.on_open + 1, strlen(probe.on_open + 1));
  return probe.open_result;
}

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  (void)state;
  note("data:%zu ", length);
  obey(connection, *(const char*)data, (const char*)data + 1, length - 1);
}

static void on_end(void* state, struct xsd_connection* connection) {
  (void)state;
  note("end ");
  if (probe.finish_on_end) probe.host->finish(connection);
}

static void on_writable(void* state, struct xsd_connection* connection) {
  (void)state;
  note("writable ");
  if (--probe.writable_calls <= 0) probe.host->want_writable(connection, 0);
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  (void)state;
  note("close:%u ", reason);
  if (probe.host->get_data(connection) != connection) note("wrong-data ");
  if (probe.host->write(connection, "x", 1) >= 0) note("wrote-after-end ");
  probe.host->close(connection);
  for (size_t i = 0; i < PROBE_MOST; ++i) {
    if (probe.connections[i] == connection) probe.connections[i] = NULL;
  }
}

static void on_datagram(void* state, struct xsd_datagram* datagram, const void* data, size_t length) {
  const struct xsd_host* const host = probe.host;
  const char* const text = data;
  char info[256];
  (void)state;
  note("datagram:%zu ", length);
  if (length == 0) return;
  switch (text[0]) {
    case 'a':
      note("reply=%d ", host->reply(datagram, text + 1, length - 1));
      break;
    case 't':
      note("reply=%d ", host->reply(datagram, text + 1, length - 1));
      note("reply=%d ", host->reply(datagram, text + 1, length - 1));
      break;
    case 'p':
      (void)host->reply(datagram, info, (size_t)describe(info, sizeof info, host->datagram_info(datagram)));
      break;
    default:
      break;
  }
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "probe",
    .description = "does what it is sent",
    .start = start,
    .stop = stop,
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_datagram = on_datagram,
};

const struct xsd_plugin* xsd_builtin_probe(void) {
  return &plugin;
}
