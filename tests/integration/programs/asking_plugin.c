/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin `asking`: asks the daemon for what its client's first line says.
 *   run PROGRAM [NAME=value...]   its input and output are the client's; how it went follows as a line
 *   in FOLDER PROGRAM             the same, started there
 *   to SERVICE                    the client goes to that service, with what follows the line
 *   crash                         ends the worker
 * Other errors are answered with "error NUMBER". Counts the lines as `asked`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xsd/plugin.h"

#define MOST_WORDS 200

struct link {
  struct xsd_connection* client;
  struct xsd_connection* program;
};

static const struct xsd_host* host;
static struct xsd_metric* asked;

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  (void)state;
  host = given;
  asked = host->metric(service, "asked");
  return 0;
}

static int on_open(void* state, struct xsd_connection* connection) {
  struct link* const link = calloc(1, sizeof *link);
  (void)state;
  if (link == NULL) return -1;
  link->client = connection;
  host->set_data(connection, link);
  return 0;
}

static void say(struct xsd_connection* connection, const char* text) {
  (void)host->write(connection, text, strlen(text));
}

static void run(struct link* link, const char* program, const char** environment, size_t count,
                const char* directory) {
  char text[64];
  const int result = host->start_program(host->service_of(link->client), program, environment, count,
                                         directory, &link->program);
  if (result == 0) {
    host->set_data(link->program, link);
    return;
  }
  (void)snprintf(text, sizeof text, "error %d\n", -result);
  say(link->client, text);
  host->close(link->client);
}

static void ask(struct link* link, char* line) {
  const char* words[MOST_WORDS];
  char text[64];
  size_t count = 0;
  for (char* word = strtok(line, " "); word != NULL && count < MOST_WORDS; word = strtok(NULL, " "))
    words[count++] = word;
  host->metric_add(asked, 1);
  if (count >= 2 && strcmp(words[0], "run") == 0) {
    run(link, words[1], words + 2, count - 2, NULL);
  } else if (count == 3 && strcmp(words[0], "in") == 0) {
    run(link, words[2], NULL, 0, words[1]);
  } else if (count == 2 && strcmp(words[0], "to") == 0) {
    const int result = host->hand_over(link->client, words[1]);
    if (result == 0) return;
    (void)snprintf(text, sizeof text, "error %d\n", -result);
    say(link->client, text);
    host->close(link->client);
  } else if (count == 1 && strcmp(words[0], "crash") == 0) {
    abort();
  }
}

static void read_line(struct link* link) {
  char line[8192];
  const int64_t seen = host->peek(link->client, line, sizeof line - 1);
  char* const end = seen > 0 ? memchr(line, '\n', (size_t)seen) : NULL;
  if (seen <= 0) {
    if (seen == 0) host->close(link->client);
    return;
  }
  if (end == NULL) return;
  (void)host->read(link->client, line, (size_t)(end - line) + 1);
  *end = '\0';
  ask(link, line);
}

static void carry(struct xsd_connection* from, struct xsd_connection* to) {
  char bytes[4096];
  const int64_t count = host->read(from, bytes, sizeof bytes);
  if (count > 0 && to != NULL) (void)host->write(to, bytes, (size_t)count);
}

static void on_readable(void* state, struct xsd_connection* connection) {
  struct link* const link = host->get_data(connection);
  (void)state;
  if (connection == link->program) {
    char byte = 0;
    if (host->peek(connection, &byte, 1) == 0) host->finish(connection);
    carry(connection, link->client);
  } else if (link->program == NULL) {
    read_line(link);
  } else {
    char byte = 0;
    if (host->peek(connection, &byte, 1) == 0) host->finish(link->program);
    carry(connection, link->program);
  }
}

static void on_program(void* state, struct xsd_connection* connection, int error, int exit_status,
                       int signal) {
  const struct link* const link = host->get_data(connection);
  char text[96];
  (void)state;
  if (link->client == NULL) return;
  (void)snprintf(text, sizeof text, "ended error=%d exit=%d signal=%d\n", -error, exit_status, signal);
  say(link->client, text);
  if (error != 0) host->close(connection);
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  struct link* const link = host->get_data(connection);
  struct xsd_connection* const other = connection == link->client ? link->program : link->client;
  (void)state;
  (void)reason;
  if (connection == link->client) {
    link->client = NULL;
  } else {
    link->program = NULL;
  }
  if (other != NULL) {
    host->close(other);
  } else {
    free(link);
  }
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "asking",
    .description = "asks the daemon for what its client says",
    .start = start,
    .on_open = on_open,
    .on_close = on_close,
    .on_readable = on_readable,
    .on_program = on_program,
};

XSD_PLUGIN_REGISTER(asking, plugin)
