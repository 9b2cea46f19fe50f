/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin interface of xsd: everything that a handler of connections and datagrams sees of the daemon. C11
 * and C++17. plugin-guide.md teaches it by example; plugin.hpp is a thin C++ layer on top. What stands here
 * is also xsd-plugin(3), which is made from this file.
 *
 * A plugin is a struct xsd_plugin with a table of callbacks. A loadable one is a shared library NAME.so that
 * exports a single symbol, made by XSD_PLUGIN_REGISTER. The daemon exports nothing: what a plugin may call is
 * handed to it as a struct xsd_host.
 *
 * Versions. Every struct begins with its size and the API version it was compiled against. Members are only
 * ever appended, so a host and a plugin of the same major version work together: each side uses the members
 * that the smaller of the two sizes covers and treats the rest as 0. A plugin that can do without a function
 * of a later minor version asks XSD_HOST_HAS first.
 *
 * Where it runs. In a worker process of an unprivileged user, without capabilities and behind a system-call
 * filter; all services of one plugin share one worker (with `workers: 0` they run in the daemon itself). What
 * the filter lets through beyond reading files, memory, threads and the sockets it was given is declared in
 * `needs`.
 *
 * Threads. All callbacks of one service run on one thread, one at a time. No callback may block: what blocks
 * goes through run_blocking. All host functions must be called from a callback.
 *
 * Results. Functions that can fail return 0 (or a count) on success and a negative errno value on failure.
 *
 * Pointers. Unless a line below says otherwise, what the host passes to a callback is the host's and valid
 * until the callback returns, and what a plugin passes to a host function is the plugin's and is not kept
 * after the function returns. Text is NUL-terminated; bytes come with a length.
 *
 * Times are int64_t nanoseconds.
 */
#ifndef XSD_PLUGIN_H
#define XSD_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. */
#define XSD_PLUGIN_API_MAJOR 1u
#define XSD_PLUGIN_API_MINOR 1u
#define XSD_PLUGIN_API_VERSION ((XSD_PLUGIN_API_MAJOR << 16) | XSD_PLUGIN_API_MINOR)

/* One stream connection: accepted, made with `connect`, or to a program. The host's; valid until its last
 * callback (on_close) returns. */
struct xsd_connection;

/* One datagram on its way to a plugin. The host's; valid until on_datagram (on_datagrams) returns. */
struct xsd_datagram;

/* One running service. The host's; valid from start until stop returns. */
struct xsd_service;

/* since 1.1 --- */
/* A part of a service's `settings`. The host's; valid as long as the service (in `validate`: until it
 * returns). */
struct xsd_node;
/* Where `validate` says what is wrong. Valid until validate returns. */
struct xsd_report;
/* A timer of a service. Made by timer_new; valid until timer_free, or until stop has returned. */
struct xsd_timer;
/* A counter of a service that is shown in the daemon's status. Valid as long as the service. */
struct xsd_metric;
/* --- */

/* What is known of a connection or a datagram's path. All text is NUL-terminated, numeric, never NULL. Valid
 * as long as the connection (or the datagram). */
struct xsd_peer_info {
  uint32_t size;
  uint32_t api_version;
  uint64_t id;                /* of the connection, as in the log (there in hexadecimal); 0 for a datagram,
                               * and for connections of `connect` and start_program */
  const char* service;        /* id of the service */
  const char* remote_address; /* "192.0.2.7", "2001:db8::1"; "" if a unix peer has no name */
  const char* local_address;
  uint16_t remote_port; /* host byte order; 0 if there is none */
  uint16_t local_port;
};

/* Why a connection ended, for on_close. */
#define XSD_CLOSE_FINISHED 0u /* both directions done, or closed by the plugin */
#define XSD_CLOSE_PEER 1u     /* reset or error */
#define XSD_CLOSE_TIMEOUT 2u  /* idle_timeout */
#define XSD_CLOSE_DRAIN 3u    /* the daemon stops or the service was removed */
#define XSD_CLOSE_HANDED 4u   /* hand_over has taken it away (since 1.1) */

/* Log levels, as the daemon's. */
#define XSD_LOG_ERROR 0u
#define XSD_LOG_WARNING 1u
#define XSD_LOG_INFO 2u
#define XSD_LOG_DEBUG 3u

/* --- since 1.1 ---------------------------------------------------------------------------------------- */

/* What a node of the settings is. */
#define XSD_NODE_NULL 0u
#define XSD_NODE_SCALAR 1u
#define XSD_NODE_LIST 2u
#define XSD_NODE_MAP 3u

/* Types of settings: the host checks them, so that a plugin need not. Scalars have the grammar of the
 * daemon's own keys (xsd.yaml(5)). */
#define XSD_TYPE_TEXT 1u
#define XSD_TYPE_NUMBER 2u   /* decimal, 0 to 2^64-1 */
#define XSD_TYPE_BOOLEAN 3u  /* true false yes no */
#define XSD_TYPE_DURATION 4u /* 250ms 10s 5m 1h 1d */
#define XSD_TYPE_SIZE 5u     /* bytes: 64K 1M */
#define XSD_TYPE_PATH 6u     /* text that begins with '/' */
#define XSD_TYPE_TEXTS 7u    /* a list of texts; a single text in the file is shown as a list of one */
#define XSD_TYPE_MAP 8u      /* names to texts */
#define XSD_TYPE_ANY 9u      /* not looked at: `validate` does it */

/* One key of `settings`. */
struct xsd_setting {
  const char* name;     /* [a-z0-9_]+ */
  uint32_t type;        /* XSD_TYPE_* */
  uint32_t required;    /* nonzero: a service without it is faulty */
  const char* fallback; /* what counts where it is missing: a scalar as in the file; NULL: nothing */
  const char* help;     /* one line */
};

/* What a plugin needs of the system-call filter beyond the rest: bits of xsd_plugin.needs. Files are opened
 * for reading by anybody. */
#define XSD_NEEDS_FILES 1u   /* make, write, rename and remove files */
#define XSD_NEEDS_NETWORK 2u /* make sockets: `connect` of the host, or its own */

/* Bytes to be sent. */
struct xsd_piece {
  const void* data;
  size_t length;
};

/* Flags of write_pieces. */
#define XSD_WRITE_MORE 1u /* more follows in this callback (send_file, write): wait with the last packet */

/* --- */

/* Functions of the host. Valid for the life of the process; the pointer may be kept. */
struct xsd_host {
  uint32_t size;
  uint32_t api_version;

  /* A line in the daemon's log, under the service's name. `message` may hold any bytes; they are escaped, and
   * cut at 1 KiB. */
  void (*log)(struct xsd_service* service, uint32_t level, const char* message, size_t length);

  /* The daemon's wall clock: seconds since 1970-01-01 00:00 UTC and nanoseconds within the second. */
  void (*wall_clock)(struct xsd_service* service, int64_t* seconds, int32_t* nanoseconds);

  /* --- stream connections --- */

  /* A pointer of the plugin's own for this connection; NULL at first. */
  void (*set_data)(struct xsd_connection* connection, void* data);
  void* (*get_data)(struct xsd_connection* connection);
  /* Who it is from, and where it came in. */
  const struct xsd_peer_info* (*peer_info)(struct xsd_connection* connection);

  /* Sends `length` bytes, all of them: what the kernel does not take now is copied and sent as room comes.
   * While anything is waiting to be sent, the host does not read from this connection (no on_data): a client
   * that does not read is not read from, and what waits is bounded by what one on_data causes to be written.
   * -ENOBUFS: with these bytes more than 1 MiB could wait; nothing was taken. -EPIPE: the sending direction
   * is closed. (As for all that send, since 1.1: -ENOTCONN before on_connected, -EBUSY while joined.) */
  int (*write)(struct xsd_connection* connection, const void* data, size_t length);

  /* Offers bytes without a copy: returns how many the kernel took (0: no room now; ask for on_writable). Not
   * while a `write` is still waiting: -EAGAIN. */
  int64_t (*try_write)(struct xsd_connection* connection, const void* data, size_t length);

  /* Call on_writable as long as there is room to send (1) or not (0, at first). */
  void (*want_writable)(struct xsd_connection* connection, int on);

  /* From now on the kernel throws away what the peer sends: counted, never copied, never shown to on_data. */
  void (*discard_input)(struct xsd_connection* connection);

  /* Ends the sending direction once everything written is on its way (half-close, shutdown(2)). When the
   * peer's direction has ended too, the connection closes. */
  void (*finish)(struct xsd_connection* connection);

  /* Closes once everything written is on its way; what the peer still sends is thrown away meanwhile.
   * on_close follows, never before this callback has returned. */
  void (*close)(struct xsd_connection* connection);

  /* --- datagrams --- */

  /* Who it is from, and where it came in. */
  const struct xsd_peer_info* (*datagram_info)(struct xsd_datagram* datagram);

  /* Answers to where the datagram came from, from the address that it was sent to. At most one reply a
   * datagram (-EALREADY). A reply for which there is no room is dropped, as the network would: still 0.
   * -EACCES: there must be no answer, because the datagram was sent to a group or broadcast address, or its
   * sender has no name or one that is not his own. (Datagrams of dangerous senders are not shown to plugins
   * at all.) In on_datagrams replies are collected and leave in one call when it returns. */
  int (*reply)(struct xsd_datagram* datagram, const void* data, size_t length);

  /* === since 1.1 === */

  /* --- settings: the map that stands under `settings:` in the service's file --- */

  /* The map itself; never NULL, empty where the file has none. */
  const struct xsd_node* (*settings)(struct xsd_service* service);
  /* XSD_NODE_*. All functions on nodes take NULL for a node that is not there: kind NULL, no text, count 0.
   */
  uint32_t (*node_kind)(const struct xsd_node* node);
  /* Of a scalar, as written; NULL of others. */
  const char* (*node_text)(const struct xsd_node* node);
  /* Members of a map or items of a list. */
  size_t (*node_count)(const struct xsd_node* node);
  /* The one at `index`, in the file's order; *key (may be NULL) is its name in a map, NULL in a list. NULL
   * beyond the end. */
  const struct xsd_node* (*node_at)(const struct xsd_node* node, size_t index, const char** key);
  /* The member of this name; NULL if there is none. On the map of `settings` a declared key that is missing
   * in the file and has a fallback gives that. */
  const struct xsd_node* (*node_find)(const struct xsd_node* map, const char* key);
  /* The scalar by the daemon's grammar. -EINVAL if it is none, *value is left alone then. */
  int (*node_number)(const struct xsd_node* node, uint64_t* value);
  int (*node_boolean)(const struct xsd_node* node, int* value);
  int (*node_duration)(const struct xsd_node* node, int64_t* nanoseconds);
  int (*node_size)(const struct xsd_node* node, uint64_t* bytes);
  /* For `validate` only: what is wrong with the node, or, if it is NULL, with the settings as a whole. The
   * daemon shows it with the place in the file. */
  void (*report)(struct xsd_report* report, const struct xsd_node* node, const char* text);

  /* --- timers and time --- */

  /* `fire(argument)` is a callback of the service, called once for each time the timer was set and ran out.
   */
  struct xsd_timer* (*timer_new)(struct xsd_service* service, void (*fire)(void* argument), void* argument);
  /* Runs out after `delay`; if it was set before, that is forgotten. */
  void (*timer_set)(struct xsd_timer* timer, int64_t delay);
  void (*timer_cancel)(struct xsd_timer* timer);
  /* May be called from its own `fire`; NULL is ignored. Timers that are left when the service ends do not run
   * out any more and are freed after `stop`. */
  void (*timer_free)(struct xsd_timer* timer);
  /* A clock that only goes forward (CLOCK_MONOTONIC), as it was when this turn of the loop began: what
   * timer_set counts from. */
  int64_t (*monotonic_clock)(struct xsd_service* service);

  /* --- counters --- */

  /* The counter of this name, made if it is new: [a-z0-9_]{1,31}, at most 16 a service; NULL beyond that. */
  struct xsd_metric* (*metric)(struct xsd_service* service, const char* name);
  /* NULL is ignored. */
  void (*metric_add)(struct xsd_metric* metric, int64_t number);

  /* --- more on stream connections --- */

  /* The service that it is a connection of. */
  struct xsd_service* (*service_of)(struct xsd_connection* connection);

  /* For plugins that have on_readable: up to `length` bytes of what has arrived. 0: the peer has ended its
   * direction; from then on on_readable is not called, and the plugin finishes or closes when it is ready.
   * -EAGAIN: nothing there now. -EPIPE: the connection is broken or closed. -EINVAL: no on_readable, or no
   * length. */
  int64_t (*read)(struct xsd_connection* connection, void* buffer, size_t length);
  /* The same without taking them, or the end. */
  int64_t (*peek)(struct xsd_connection* connection, void* buffer, size_t length);
  /* Whether anything is read from the peer at all (1, at first) or it has to wait (0). The idle timeout goes
   * on meanwhile. */
  void (*set_reading)(struct xsd_connection* connection, int on);

  /* As `write`, gathering several pieces. `flags`: XSD_WRITE_*. At most 64 pieces (-EINVAL). */
  int (*write_pieces)(struct xsd_connection* connection, const struct xsd_piece* pieces, size_t count,
                      uint32_t flags);
  /* Sends `length` bytes of a file from `offset` on without copying them (sendfile(2)), after what was
   * written before. Takes `fd` over, in every case: the host closes it. What is written later follows after
   * the file; the 1 MiB of `write` does not count the file. If the file turns out to be shorter or cannot be
   * read, the connection is closed with a reset, and on_close(XSD_CLOSE_PEER) follows (the peer was promised
   * more). -EPIPE, -EINVAL (no regular file, or no such part of one). -ENOBUFS: 16 files wait already. */
  int (*send_file)(struct xsd_connection* connection, int fd, uint64_t offset, uint64_t length);
  /* Bytes that wait to be sent: of `write`s, and of files. */
  uint64_t (*unsent)(struct xsd_connection* connection);
  /* The idle timeout of this connection, counted from now on; 0: none. */
  void (*set_idle_timeout)(struct xsd_connection* connection, int64_t timeout);
  /* Closes with a reset (where the transport has one) as soon as this callback has returned; what waits to be
   * sent is lost. on_close(XSD_CLOSE_FINISHED) follows. */
  void (*abort)(struct xsd_connection* connection);

  /* Connects outward, without blocking: to a numeric address and port, or with port 0 to the path of a unix
   * socket ("@name": abstract). *connection (NULL if it fails here) can be used at once for set_data,
   * set_idle_timeout, set_reading, want_writable, close and abort; on_connected tells how it went, later and
   * never from within. Afterwards it is a connection like an accepted one, whose on_data etc. are called; it
   * does not count as a client. There is no on_open for it. -EINVAL: no address. -ESHUTDOWN: the service
   * ends. -ENOSYS: the plugin has not said XSD_NEEDS_NETWORK. */
  int (*connect)(struct xsd_service* service, const char* address, uint16_t port,
                 struct xsd_connection** connection);
  /* From now on the host carries bytes between the two, without copying them where the kernel can
   * (splice(2)), half-closes included, and the plugin hears of both again only with on_close (and, of a
   * program, on_program). Both are of the same service and connected, and no side of them has ended by us
   * (-EPIPE, -ENOTCONN) or throws input away (-EINVAL); what was written to either before goes out first.
   * Bytes in either direction count against the idle timeout of both. When one ends, however that comes, what
   * is on its way to the other still goes out, and then it is closed. -EBUSY: joined already. */
  int (*join)(struct xsd_connection* a, struct xsd_connection* b);

  /* Gives an accepted connection to another service, which must be one that runs a program and be named in
   * `hand_over` of this service's file: the program gets the socket with whatever has not been read from it.
   * That service's own limits hold, and it may refuse, or not be there at the moment: then the connection is
   * closed. on_close(XSD_CLOSE_HANDED) follows. After an error the
   * connection goes on here. -EBUSY: something waits to be sent. -EACCES: not named there. -EINVAL: no
   * accepted connection. -ENOSYS: not possible where this service runs. */
  int (*hand_over)(struct xsd_connection* connection, const char* service);

  /* Starts a program that this service declares under `programs:`, with our end of a socket pair as a new
   * connection: what is written to it is the program's standard input, what it prints is its on_data (its end
   * is on_end). `environment`: `count` texts NAME=value on top of what the service's file says, at most 128
   * and 32 KiB in all; what is no name ([A-Za-z_][A-Za-z0-9_]*), a name that is there twice, and names of the
   * daemon's own (PATH, LD_*, XSD_*) are refused with -EINVAL. `directory` (may be NULL) is where it starts,
   * an absolute path (-EINVAL). How it went is told by on_program, later and never from within. The
   * connection does not count as a client, and ends by itself only when the program has ended as well as both
   * directions; `close` and `abort` end it before that. -ENOENT: no such program is declared. -ENOBUFS: too
   * many or too long. -ENOSYS: not possible where this service runs. -ESHUTDOWN: the service ends. */
  int (*start_program)(struct xsd_service* service, const char* program, const char* const* environment,
                       size_t count, const char* directory, struct xsd_connection** connection);

  /* --- more on datagrams --- */

  /* In on_datagrams: the bytes of one. */
  const void* (*datagram_data)(struct xsd_datagram* datagram, size_t* length);

  /* --- work that blocks --- */

  /* Runs `work(argument)` on a thread of a small pool, then `done(argument)` as a callback of the service.
   * `work` calls no host function and touches only what nobody else does meanwhile. Both are called in every
   * case, before `stop`: a service that ends waits for them (its connections are gone by then). -EAGAIN: 256
   * of this process wait for a thread already. -ESHUTDOWN: the service ends. */
  int (*run_blocking)(struct xsd_service* service, void (*work)(void* argument), void (*done)(void* argument),
                      void* argument);
};

/* True if the host has this function (of a later minor version than 1.0). */
#define XSD_HOST_HAS(host, member) \
  ((host)->size >= offsetof(struct xsd_host, member) + sizeof((host)->member) && (host)->member != NULL)

/* Callbacks. NULL where a plugin does not care; a plugin with no on_open/on_data/on_writable/on_readable
 * serves no streams, one with no on_datagram/on_datagrams no datagrams. */
struct xsd_plugin {
  uint32_t size;
  uint32_t api_version;

  /* [a-z0-9_-], at most 32 characters; what `plugin:` in a service file says. A loadable plugin's file is
   * NAME.so. Static. */
  const char* name;
  /* One line for `xsd --plugins`. Static. */
  const char* description;

  /* A service that uses this plugin starts. *state is the plugin's own and comes back in every callback of
   * this service. Nonzero: the service fails with this (negative) errno. `service` may be kept until stop. */
  int (*start)(const struct xsd_host* host, struct xsd_service* service, void** state);
  /* The last callback of a service; its connections have ended before. */
  void (*stop)(void* state);

  /* A connection was accepted. Nonzero: refuse it (it is closed; no on_close follows). */
  int (*on_open)(void* state, struct xsd_connection* connection);
  /* Bytes arrived. */
  void (*on_data)(void* state, struct xsd_connection* connection, const void* data, size_t length);
  /* The peer has ended its direction. Without this callback the host calls `finish`. Data written before is
   * still sent. */
  void (*on_end)(void* state, struct xsd_connection* connection);
  /* There is room to send (see want_writable). */
  void (*on_writable)(void* state, struct xsd_connection* connection);
  /* The connection is over; `reason` is one of XSD_CLOSE_*. The last callback of this connection. */
  void (*on_close)(void* state, struct xsd_connection* connection, uint32_t reason);

  /* A datagram arrived, whole. */
  void (*on_datagram)(void* state, struct xsd_datagram* datagram, const void* data, size_t length);

  /* === since 1.1 === */

  /* Of the plugin itself, for people: "1.4.2". Static; NULL: none. */
  const char* version;
  /* XSD_NEEDS_*. */
  uint32_t needs;
  /* The keys of `settings`: a static array of `setting_count` structs of `setting_size` bytes each
   * (XSD_SETTINGS). Others are errors in the file. None: the plugin has no settings. */
  uint32_t setting_count;
  uint32_t setting_size;
  const struct xsd_setting* settings;
  /* What the types of the settings cannot say. Called when a configuration is loaded, in a process of its own
   * that serves nobody; keeps nothing. */
  void (*validate)(const struct xsd_host* host, const struct xsd_node* settings, struct xsd_report* report);

  /* If set, the host does not read: it calls this as long as there is something (or the end) to be read and
   * nothing waits to be sent, and on_data and on_end are not called. What it leaves is reported again at
   * once; one that wants to wait says set_reading. (After discard_input the host reads, and finishes for it.)
   */
  void (*on_readable)(void* state, struct xsd_connection* connection);
  /* The peer has sent urgent data (TCP, RFC 6093). The byte itself is part of what on_data gets. */
  void (*on_urgent)(void* state, struct xsd_connection* connection);
  /* How `connect` went: 0 or a negative errno; after an error on_close follows. Not called for a connection
   * that is closed before. */
  void (*on_connected)(void* state, struct xsd_connection* connection, int result);
  /* About a program of start_program: it could not be started (`error`, a negative errno), or it has ended
   * with `exit_status`, or by `signal` if that is not 0. What it has printed may still follow. Called at most
   * once for each, before its connection's on_close. A connection that is closed before the program has ended
   * is not told; the program gets TERM then. */
  void (*on_program)(void* state, struct xsd_connection* connection, int error, int exit_status, int signal);
  /* Instead of on_datagram: those that have arrived together. */
  void (*on_datagrams)(void* state, struct xsd_datagram* const* datagrams, size_t count);
};

/* The one symbol of a loadable plugin. The struct is static. */
typedef const struct xsd_plugin* (*xsd_plugin_entry)(void);

/* The first two members of a struct: its size and version. */
#define XSD_PLUGIN_HEADER(type) (uint32_t)sizeof(struct type), XSD_PLUGIN_API_VERSION

/* The three members of xsd_plugin that describe a static array of xsd_setting. */
#define XSD_SETTINGS(array)                                        \
  .setting_count = (uint32_t)(sizeof(array) / sizeof((array)[0])), \
  .setting_size = (uint32_t)sizeof(struct xsd_setting), .settings = (array)

#if defined(XSD_PLUGIN_BUILTIN)
/* Compiled into the daemon: the accessor's name carries the plugin's, and it is listed in the host's table.
 */
#define XSD_PLUGIN_REGISTER(name, plugin)             \
  const struct xsd_plugin* xsd_builtin_##name(void);  \
  const struct xsd_plugin* xsd_builtin_##name(void) { \
    return &(plugin);                                 \
  }
#else
/* Stands once behind the struct of a plugin, and makes the symbol by which the daemon finds it. `name` is
 * that of the plugin, without quotes. */
#define XSD_PLUGIN_REGISTER(name, plugin)                                                     \
  __attribute__((visibility("default"))) const struct xsd_plugin* xsd_plugin_entry_v1(void);  \
  __attribute__((visibility("default"))) const struct xsd_plugin* xsd_plugin_entry_v1(void) { \
    return &(plugin);                                                                         \
  }
#endif

#ifdef __cplusplus
}
#endif

#endif /* XSD_PLUGIN_H */
