/* SPDX-License-Identifier: Apache-2.0
 *
 * tcpmux (RFC 1078): a client says the name of a service on a line of its own and gets that service. "HELP"
 * lists the names. Every other answer is one line that begins with '-', and the end.
 *
 * Which services there are is what the host gives as settings: their ids by name, in two maps; those of
 * `greeted` want their clients to be told "+Go" first, those of `plain` answer for themselves. What is right
 * for a client is decided by the host when the connection is handed over.
 *
 * A line ends with CR LF, or LF alone; its name has at most 255 bytes. No byte behind it is read: they are
 * the service's. So the line is looked at before it is taken. It has to be there within 10 seconds,
 * however it comes. Answers hold no byte that a client has sent.
 *
 * Memory: a client is made in on_open and freed in on_close, the list of names in start and stop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "xsd/plugin.h"

enum { LONGEST_NAME = 255, LONGEST_LINE = LONGEST_NAME + 2, SECONDS = 10 /* for the name */ };

struct mux {
  const struct xsd_node* plain; /* the host's, as long as the service */
  const struct xsd_node* greeted;
  char* names; /* the answer to HELP */
  size_t names_length;
  struct xsd_service* service;
  struct xsd_metric* handed;
  struct xsd_metric* refused;
};

struct client {
  struct mux* mux;
  struct xsd_connection* connection;
  struct xsd_timer* deadline;
  size_t used;
  char line[LONGEST_LINE];
};

static const struct xsd_host* host;

/* --- answers --- */

static void end(struct client* client, const char* answer, size_t length) {
  host->timer_cancel(client->deadline);
  /* If it fails, there is nobody who could read it. */
  (void)host->write(client->connection, answer, length);
  host->close(client->connection);
}

static void refuse(struct client* client, const char* answer) {
  host->metric_add(client->mux->refused, 1);
  end(client, answer, strlen(answer));
}

static void on_deadline(void* argument) {
  refuse(argument, "-No name within 10 seconds\r\n");
}

/* True if the client is told that it gets the service. */
static int greet(struct client* client) {
  static const char kGo[] = "+Go\r\n";
  const int64_t length = (int64_t)sizeof kGo - 1;
  /* Nothing was sent before, so there is room, unless the client is gone. */
  return host->try_write(client->connection, kGo, (size_t)length) == length;
}

static void hand_over(struct client* client, const char* id, int greeted) {
  if (greeted && !greet(client)) {
    host->abort(client->connection);
  } else if (host->hand_over(client->connection, id) == 0) {
    host->metric_add(client->mux->handed, 1);
  } else if (greeted) {
    host->close(client->connection); /* the promise cannot be taken back */
  } else {
    refuse(client, "-Service not available\r\n");
  }
}

/* --- names --- */

/* The id of the service, or NULL. */
static const char* find(const struct xsd_node* services, const char* name, size_t length) {
  const size_t count = host->node_count(services);
  for (size_t i = 0; i < count; ++i) {
    const char* key = NULL;
    const struct xsd_node* const id = host->node_at(services, i, &key);
    /* The client's name may hold a NUL, so it is compared only with one of the same length. */
    if (strlen(key) == length && strncasecmp(key, name, length) == 0) return host->node_text(id);
  }
  return NULL;
}

static void answer(struct client* client, size_t length) {
  static const char kHelp[] = "HELP";
  const char* const name = client->line;
  const struct mux* const mux = client->mux;
  const char* const plain = find(mux->plain, name, length);
  const char* const greeted = find(mux->greeted, name, length);
  if (length == sizeof kHelp - 1 && strncasecmp(name, kHelp, length) == 0)
    end(client, mux->names, mux->names_length);
  else if (plain != NULL)
    hand_over(client, plain, 0);
  else if (greeted != NULL)
    hand_over(client, greeted, 1);
  else
    refuse(client, "-Service not found\r\n");
}

/* `got` bytes are new: the line is there, or too long, or more has to come. */
static void take(struct client* client, size_t got) {
  client->used += got;
  size_t length = client->used - 1;
  if (client->line[length] == '\n') {
    if (length > 0 && client->line[length - 1] == '\r') --length;
    answer(client, length);
  } else if (client->used == sizeof client->line) {
    refuse(client, "-The name is too long\r\n");
  }
}

static void on_readable(void* state, struct xsd_connection* connection) {
  (void)state;
  struct client* const client = host->get_data(connection);
  char* const next = client->line + client->used;
  int64_t got = host->peek(connection, next, sizeof client->line - client->used);
  if (got > 0) {
    const char* const end_of_line = memchr(next, '\n', (size_t)got);
    if (end_of_line != NULL) got = end_of_line - next + 1;
  }
  /* What comes before the end of the line is all of the line; and the end of all has to be taken too. */
  if (got >= 0) got = host->read(connection, next, got > 0 ? (size_t)got : 1);
  if (got > 0)
    take(client, (size_t)got);
  else if (got == 0 && client->used > 0)
    refuse(client, "-The line has no end\r\n");
  else if (got == 0)
    host->close(connection);
  /* Else nothing is there, or the connection is broken, which the host has seen. */
}

/* --- life --- */

static int on_open(void* state, struct xsd_connection* connection) {
  struct mux* const mux = state;
  struct client* const client = calloc(1, sizeof *client);
  if (client == NULL) return -ENOMEM;
  client->mux = mux;
  client->connection = connection;
  client->deadline = host->timer_new(mux->service, on_deadline, client);
  host->timer_set(client->deadline, SECONDS * INT64_C(1000000000));
  host->set_data(connection, client);
  return 0;
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  (void)state;
  (void)reason;
  struct client* const client = host->get_data(connection);
  host->timer_free(client->deadline);
  free(client);
}

/* What one of the maps adds to the answer to HELP, and how long that is. `to` may be NULL, or has room for
 * that and a NUL. */
static size_t put_names(const struct xsd_node* services, char* to) {
  size_t length = 0;
  const size_t count = host->node_count(services);
  for (size_t i = 0; i < count; ++i) {
    const char* key = NULL;
    (void)host->node_at(services, i, &key);
    if (to != NULL) (void)stpcpy(stpcpy(to + length, key), "\r\n");
    length += strlen(key) + 2;
  }
  return length;
}

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  struct mux* const mux = calloc(1, sizeof *mux);
  if (mux == NULL) return -ENOMEM;
  host = given;
  const struct xsd_node* const settings = host->settings(service);
  mux->service = service;
  mux->plain = host->node_find(settings, "plain");
  mux->greeted = host->node_find(settings, "greeted");
  mux->handed = host->metric(service, "handed_over");
  mux->refused = host->metric(service, "refused");
  const size_t plain = put_names(mux->plain, NULL);
  mux->names_length = plain + put_names(mux->greeted, NULL);
  mux->names = calloc(1, mux->names_length + 1);
  if (mux->names == NULL) {
    free(mux);
    return -ENOMEM;
  }
  (void)put_names(mux->plain, mux->names);
  (void)put_names(mux->greeted, mux->names + plain);
  *state = mux;
  return 0;
}

static void stop(void* state) {
  struct mux* const mux = state;
  free(mux->names);
  free(mux);
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "tcpmux",
    .description = "gives clients to services by name (RFC 1078)",
    .start = start,
    .stop = stop,
    .on_open = on_open,
    .on_readable = on_readable,
    .on_close = on_close,
};

XSD_PLUGIN_REGISTER(tcpmux, plugin)
