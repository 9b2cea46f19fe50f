/* SPDX-License-Identifier: Apache-2.0
 *
 * chat: a room. Every line goes to everyone in it but the one who wrote it.
 *
 * A line ends with LF, CR, CR LF or (telnet) CR NUL, or when its writer ends. It is cut at 1 KiB; the rest of
 * it is thrown away. What is no printable ASCII, tab or well-formed UTF-8, and controls in particular, comes
 * out as '?', so that nobody can play with the terminals of the others. Commands of telnet (RFC 854) are
 * skipped.
 *
 * Nobody waits for a slow reader: whoever has more than 64 KiB waiting is dropped.
 *
 * Memory: the room of a service is made in start and freed in stop; a user in on_open and on_close.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xsd/plugin.h"

enum {
  LONGEST_LINE = 1024,
  MOST_WAITING = 64 * 1024, /* for a reader that does not read */
  MOST_USERS = 100000
};

/* Where in a telnet command the next byte stands. */
enum Telnet { TEXT, COMMAND, OPTION, SUBNEGOTIATION, SUBNEGOTIATION_COMMAND };
enum { IAC = 255, WILL = 251, DONT = 254, SB = 250, SE = 240 };

struct user {
  struct xsd_connection* connection;
  struct user* next;
  struct user* previous;
  enum Telnet telnet;
  int after_cr; /* LF or NUL belongs to the CR before it */
  int dropped;  /* was too slow; its on_close is on its way */
  size_t used;
  char line[LONGEST_LINE + 1]; /* and room for the LF */
};

struct room {
  struct xsd_service* service;
  struct xsd_metric* lines;
  struct xsd_metric* present;
  const char* greeting; /* the host's, as long as the service */
  uint64_t max_users;
  uint64_t users;
  int announce;
  struct user* first;
};

static const struct xsd_host* host;

/* --- the room --- */

static void say(struct user* user, const char* text, size_t length) {
  if (user->dropped) return;
  /* If this fails, the connection is ending, and on_close tells. */
  (void)host->write(user->connection, text, length);
  if (host->unsent(user->connection) <= MOST_WAITING) return;
  user->dropped = 1;
  host->abort(user->connection);
}

static void say_to_others(struct room* room, const struct user* writer, const char* text, size_t length) {
  for (struct user* user = room->first; user != NULL; user = user->next)
    if (user != writer) say(user, text, length);
}

static void announce(struct room* room, const struct user* user, const char* what) {
  if (!room->announce) return;
  const char* address = host->peer_info(user->connection)->remote_address;
  char text[256];
  const int length = snprintf(text, sizeof text, "* %.100s has %s, %llu here\n",
                              address[0] != '\0' ? address : "somebody of this machine", what,
                              (unsigned long long)room->users);
  if (length > 0) say_to_others(room, user, text, (size_t)length);
}

/* --- lines --- */

/* The length of the well-formed UTF-8 sequence (RFC 3629) at `text`, no control; 0: there is none. */
static size_t printable(const unsigned char* text, size_t length) {
  const unsigned char first = text[0];
  if (first < 0x80) return first == '\t' || (first >= 0x20 && first != 0x7f) ? 1 : 0;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || size > length) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if (first == 0xc2 && text[1] < 0xa0) return 0; /* C1 controls: some terminals obey them */
  if (first == 0xe0 && text[1] < 0xa0) return 0; /* overlong, surrogates, beyond Unicode */
  if (first == 0xed && text[1] > 0x9f) return 0;
  if (first == 0xf0 && text[1] < 0x90) return 0;
  if (first == 0xf4 && text[1] > 0x8f) return 0;
  return size;
}

static void end_line(struct room* room, struct user* user) {
  unsigned char* const line = (unsigned char*)user->line;
  for (size_t at = 0; at < user->used;) {
    const size_t size = printable(line + at, user->used - at);
    if (size == 0) line[at] = '?';
    at += size == 0 ? 1 : size;
  }
  user->line[user->used] = '\n';
  say_to_others(room, user, user->line, user->used + 1);
  user->used = 0;
  host->metric_add(room->lines, 1);
}

static void take_text(struct room* room, struct user* user, unsigned char byte) {
  const int after_cr = user->after_cr;
  user->after_cr = byte == '\r';
  if (after_cr && (byte == '\n' || byte == '\0')) return;
  if (byte == '\n' || byte == '\r')
    end_line(room, user);
  else if (user->used < LONGEST_LINE)
    user->line[user->used++] = (char)byte;
}

static void take_byte(struct room* room, struct user* user, unsigned char byte) {
  switch (user->telnet) {
    case TEXT:
      if (byte == IAC)
        user->telnet = COMMAND;
      else
        take_text(room, user, byte);
      break;
    case COMMAND:
      user->telnet = byte == SB ? SUBNEGOTIATION : byte >= WILL && byte <= DONT ? OPTION : TEXT;
      if (byte == IAC) take_text(room, user, byte); /* doubled: the byte itself */
      break;
    case OPTION:
      user->telnet = TEXT;
      break;
    case SUBNEGOTIATION:
      if (byte == IAC) user->telnet = SUBNEGOTIATION_COMMAND;
      break;
    case SUBNEGOTIATION_COMMAND:
      user->telnet = byte == SE ? TEXT : SUBNEGOTIATION;
      break;
  }
}

/* --- callbacks --- */

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  /* The last of its functions that is used here: a daemon with an older interface has none of it. */
  if (!XSD_HOST_HAS(given, abort)) return -ENOSYS;
  struct room* const room = calloc(1, sizeof *room);
  if (room == NULL) return -ENOMEM;
  host = given;
  const struct xsd_node* const settings = host->settings(service);
  room->service = service;
  room->lines = host->metric(service, "lines");
  room->present = host->metric(service, "users");
  room->greeting = host->node_text(host->node_find(settings, "greeting"));
  /* Declared, with fallbacks: the host has checked them. */
  (void)host->node_number(host->node_find(settings, "max_users"), &room->max_users);
  (void)host->node_boolean(host->node_find(settings, "announce"), &room->announce);
  *state = room;
  return 0;
}

static void stop(void* state) {
  free(state);
}

static int on_open(void* state, struct xsd_connection* connection) {
  static const char kFull[] = "too many users\n";
  struct room* const room = state;
  if (room->users >= room->max_users) {
    (void)host->write(connection, kFull, sizeof kFull - 1);
    host->close(connection);
    return 0;
  }
  struct user* const user = calloc(1, sizeof *user);
  if (user == NULL) return -ENOMEM;
  user->connection = connection;
  user->next = room->first;
  if (user->next != NULL) user->next->previous = user;
  room->first = user;
  room->users += 1;
  host->set_data(connection, user);
  host->metric_add(room->present, 1);
  if (room->greeting != NULL && room->greeting[0] != '\0') {
    say(user, room->greeting, strlen(room->greeting));
    say(user, "\n", 1);
  }
  announce(room, user, "joined");
  return 0;
}

static void on_data(void* state, struct xsd_connection* connection, const void* data, size_t length) {
  const unsigned char* const bytes = data;
  struct user* const user = host->get_data(connection);
  if (user == NULL) return; /* was one too many */
  for (size_t i = 0; i < length; ++i)
    take_byte(state, user, bytes[i]);
}

static void on_end(void* state, struct xsd_connection* connection) {
  struct user* const user = host->get_data(connection);
  if (user != NULL && user->used > 0) end_line(state, user);
  host->finish(connection);
}

static void on_close(void* state, struct xsd_connection* connection, uint32_t reason) {
  struct room* const room = state;
  struct user* const user = host->get_data(connection);
  if (user == NULL) return;
  if (user->next != NULL) user->next->previous = user->previous;
  if (user->previous != NULL)
    user->previous->next = user->next;
  else
    room->first = user->next;
  room->users -= 1;
  host->metric_add(room->present, -1);
  if (reason != XSD_CLOSE_DRAIN) announce(room, user, user->dropped ? "been too slow" : "left");
  free(user);
}

/* --- what the daemon is told --- */

static const struct xsd_setting settings[] = {
    {"max_users", XSD_TYPE_NUMBER, 0, "100", "who comes when so many are here is told so and closed"},
    {"greeting", XSD_TYPE_TEXT, 0, NULL, "a line for everyone who joins"},
    {"announce", XSD_TYPE_BOOLEAN, 0, "yes", "tell the others who joins and leaves"},
};

static void validate(const struct xsd_host* given, const struct xsd_node* node, struct xsd_report* report) {
  uint64_t users = 0;
  const struct xsd_node* const max_users = given->node_find(node, "max_users");
  if (given->node_number(max_users, &users) == 0 && (users == 0 || users > MOST_USERS))
    given->report(report, max_users, "max_users is a number from 1 to 100000");
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin),
    .name = "chat",
    .description = "a room: every line goes to everyone else",
    .version = "1.0.0",
    XSD_SETTINGS(settings),
    .validate = validate,
    .start = start,
    .stop = stop,
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

XSD_PLUGIN_REGISTER(chat, plugin)
