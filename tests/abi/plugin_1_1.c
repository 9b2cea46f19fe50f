/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin as it was built for interface version 1.1: it sees the header of that version only, and uses what
 * that version brought. It must run under every later host of the same major version. The first line of a
 * client says what is wanted:
 *   settings        what its settings are
 *   work            a line from run_blocking
 *   wait            a line from a timer
 *   pieces          a line of several pieces
 *   file            the file of its settings, by send_file, and a line behind it
 *   out PORT        joined to that port of 127.0.0.1
 *   run PROGRAM     joined to that program
 *   status PROGRAM  how that program ended
 *   to SERVICE      handed over to that service, with what follows the line
 *   abort           reset
 * Urgent data are answered with a line. Datagrams are answered in batches.
 */
#define _GNU_SOURCE
#include "1.1/plugin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(XSD_PLUGIN_API_MINOR == 1u, "this is about 1.1");

struct work;

/* A client, or what it is joined to. */
struct visit {
  struct xsd_connection* connection;
  struct visit* other;
  struct xsd_timer* timer;
  struct work* work;
  int at_end; /* nothing more comes */
};

struct work {
  struct visit* visit; /* NULL: it has gone */
  int result;
};

static const struct xsd_host* host;
static struct xsd_metric* lines;
static struct xsd_metric* programs;

static void say(struct xsd_connection* connection, const char* text) {
  (void)host->write(connection, text, strlen(text));
}

static void say_result(struct xsd_connection* connection, const char* what, int result) {
  char text[64];
  (void)snprintf(text, sizeof text, "%s %d\n", what, result);
  say(connection, text);
}

static struct visit* make_visit(struct xsd_connection* connection) {
  struct visit* const visit = calloc(1, sizeof *visit);
  if (visit == NULL) abort();
  visit->connection = connection;
  host->set_data(connection, visit);
  return visit;
}

/* An answer that its client has waited for. */
static void say_at_last(const struct visit* visit, const char* what, int result) {
  say_result(visit->connection, what, result);
  if (visit->at_end) host->finish(visit->connection);
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  host = given;
  if (!XSD_HOST_HAS(host, run_blocking) || host->size < sizeof(struct xsd_host)) return -1;
  lines = host->metric(service, "lines");
  programs = host->metric(service, "programs");
  *state = service;
  return 0;
}

static int on_open(void* state, struct xsd_connection* connection) {
  (void)make_visit(connection);
  return host->service_of(connection) == state ? 0 : -1;
}

static void show_settings(struct xsd_service* service, struct xsd_connection* connection) {
  const struct xsd_node* const map = host->settings(service);
  const struct xsd_node* const names = host->node_find(map, "names");
  uint64_t size = 0;
  int64_t pause = 0;
  int polite = 0;
  const char* key = NULL;
  char text[256];
  if (host->node_size(host->node_find(map, "size"), &size) != 0) return;
  if (host->node_duration(host->node_find(map, "pause"), &pause) != 0) return;
  if (host->node_boolean(host->node_find(map, "polite"), &polite) != 0) return;
  const struct xsd_node* const first = host->node_at(names, 0, &key);
  (void)snprintf(text, sizeof text, "size=%llu pause=%lld polite=%d names=%zu kind=%u %s=%s\n",
                 (unsigned long long)size, (long long)pause, polite, host->node_count(names),
                 (unsigned)host->node_kind(names), key, host->node_text(first));
  say(connection, text);
}

static void do_work(void* argument) {
  ((struct work*)argument)->result = 42;
}

static void end_work(void* argument) {
  struct work* const work = argument;
  if (work->visit != NULL) {
    work->visit->work = NULL;
    say_at_last(work->visit, "worked", work->result);
  }
  free(work);
}

static void begin_work(struct xsd_service* service, struct visit* visit) {
  struct work* const work = calloc(1, sizeof *work);
  if (work == NULL) abort();
  work->visit = visit;
  visit->work = work;
  if (host->run_blocking(service, do_work, end_work, work) != 0) abort();
}

static void fire(void* argument) {
  struct visit* const visit = argument;
  host->timer_free(visit->timer);
  visit->timer = NULL;
  say_at_last(visit, "waited", 0);
}

static void send_a_file(struct xsd_service* service, struct xsd_connection* connection) {
  const char* const path = host->node_text(host->node_find(host->settings(service), "file"));
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) abort();
  const int result = host->send_file(connection, fd, 0, (uint64_t)status.st_size);
  say_result(connection, host->unsent(connection) == 0 ? "sent" : "waits", result);
}

static void keep_other(struct visit* visit, const char* what, int result, struct xsd_connection* other) {
  if (result != 0) {
    say_result(visit->connection, what, result);
    return;
  }
  visit->other = make_visit(other);
  visit->other->other = visit;
}

static void obey(struct xsd_service* service, struct visit* visit, const char* line) {
  static const struct xsd_piece pieces[] = {{"one ", 4}, {"two ", 4}, {"three\n", 6}};
  struct xsd_connection* const client = visit->connection;
  struct xsd_connection* other = NULL;
  host->metric_add(lines, 1);
  if (strcmp(line, "settings") == 0) {
    show_settings(service, client);
  } else if (strcmp(line, "work") == 0) {
    begin_work(service, visit);
  } else if (strcmp(line, "wait") == 0) {
    visit->timer = host->timer_new(service, fire, visit);
    host->timer_set(visit->timer, 1000 * 1000);
  } else if (strcmp(line, "pieces") == 0) {
    (void)host->write_pieces(client, pieces, 3, XSD_WRITE_MORE);
  } else if (strcmp(line, "file") == 0) {
    send_a_file(service, client);
  } else if (strncmp(line, "out ", 4) == 0) {
    const int result = host->connect(service, "127.0.0.1", (uint16_t)atoi(line + 4), &other);
    keep_other(visit, "connect", result, other);
    host->set_reading(client, result != 0);
  } else if (strncmp(line, "run ", 4) == 0) {
    const int result = host->start_program(service, line + 4, NULL, 0, "/", &other);
    keep_other(visit, "run", result, other);
    if (result == 0) {
      say_result(client, "started", 0);
      if (host->join(client, other) != 0) host->abort(client);
    }
  } else if (strncmp(line, "status ", 7) == 0) {
    const int result = host->start_program(service, line + 7, NULL, 0, NULL, &other);
    keep_other(visit, "status", result, other);
  } else if (strncmp(line, "to ", 3) == 0) {
    const int result = host->hand_over(client, line + 3);
    if (result != 0) say_result(client, "to", result);
  } else if (strcmp(line, "abort") == 0) {
    host->abort(client);
  } else {
    say(client, "what?\n");
  }
}

static void on_readable(void* state, struct xsd_connection* connection) {
  struct visit* const visit = host->get_data(connection);
  char line[256];
  const int64_t seen = host->peek(connection, line, sizeof line - 1);
  char* const end = seen > 0 ? memchr(line, '\n', (size_t)seen) : NULL;
  if (end != NULL) {
    (void)host->read(connection, line, (size_t)(end - line) + 1);
    *end = '\0';
    obey(state, visit, line);
  } else if (seen == 0 && host->read(connection, line, 1) == 0) {
    visit->at_end = 1;
    if (visit->timer == NULL && visit->work == NULL && visit->other == NULL) host->finish(connection);
  }
}

static void on_urgent(void* state, struct xsd_connection* connection) {
  (void)state;
  say(connection, "urgent\n");
}

static void on_connected(void* state, struct xsd_connection* connection, int result) {
  const struct visit* const visit = host->get_data(connection);
  (void)state;
  if (visit->other == NULL) return;
  say_result(visit->other->connection, "connected", result);
  host->set_reading(visit->other->connection, 1);
  if (result == 0) (void)host->join(visit->other->connection, connection);
}

static void on_program(void* state, struct xsd_connection* connection, int error, int status, int signal) {
  const struct visit* const visit = host->get_data(connection);
  (void)state;
  host->metric_add(programs, 1);
  if (visit->other != NULL) say_at_last(visit->other, "ended", error != 0 ? error : status + 1000 * signal);
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  struct visit* const visit = host->get_data(connection);
  if (reason == XSD_CLOSE_HANDED) host->log(state, XSD_LOG_INFO, "handed", 6);
  if (visit->other != NULL) visit->other->other = NULL;
  if (visit->work != NULL) visit->work->visit = NULL;
  host->timer_free(visit->timer);
  free(visit);
}

static void on_datagrams(void* state, struct xsd_datagram* const* datagrams, size_t count) {
  (void)state;
  for (size_t i = 0; i < count; ++i) {
    size_t length = 0;
    const void* const data = host->datagram_data(datagrams[i], &length);
    (void)host->reply(datagrams[i], data, length);
  }
}

static void validate(const struct xsd_host* given, const struct xsd_node* map, struct xsd_report* report) {
  uint64_t size = 0;
  const struct xsd_node* const node = given->node_find(map, "size");
  if (given->node_size(node, &size) == 0 && size == 13) given->report(report, node, "that brings bad luck");
}

static const struct xsd_setting settings[] = {
    {"file", XSD_TYPE_PATH, 1, NULL, "what `file` sends"},
    {"size", XSD_TYPE_SIZE, 0, "4K", "a size"},
    {"pause", XSD_TYPE_DURATION, 0, "2s", "a duration"},
    {"polite", XSD_TYPE_BOOLEAN, 0, "yes", "a boolean"},
    {"names", XSD_TYPE_MAP, 0, NULL, "names to texts"},
};

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "plugin_1_1",
    .description = "of version 1.1",
    .start = start,
    .on_open = on_open,
    .on_close = on_close,
    .version = "1.1",
    .needs = XSD_NEEDS_NETWORK,
    XSD_SETTINGS(settings),
    .validate = validate,
    .on_readable = on_readable,
    .on_urgent = on_urgent,
    .on_connected = on_connected,
    .on_program = on_program,
    .on_datagrams = on_datagrams,
};

XSD_PLUGIN_REGISTER(plugin_1_1, plugin)
