/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin interface of xsd: everything that a handler of connections and datagrams sees of the daemon. C11
 * and C++17.
 *
 * A plugin is a struct xsd_plugin with a table of callbacks. A loadable one exports a single symbol, made by
 * XSD_PLUGIN_REGISTER. The daemon exports nothing: what a plugin may call is handed to it as a struct
 * xsd_host.
 *
 * Versions. Every struct begins with its size and the API version it was compiled against. Members are only
 * ever appended, so a host and a plugin of the same major version work together: each side uses the members
 * that the smaller of the two sizes covers and treats the rest as 0.
 *
 * Threads. All callbacks of one service run on one thread, one at a time. No callback may block. All host
 * functions must be called from a callback.
 *
 * Results. Functions that can fail return 0 (or a count) on success and a negative errno value on failure.
 *
 * Pointers. Unless a line below says otherwise, what the host passes to a callback is the host's and valid
 * until the callback returns, and what a plugin passes to a host function is the plugin's and is not kept
 * after the function returns.
 */
#ifndef XSD_PLUGIN_H
#define XSD_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XSD_PLUGIN_API_MAJOR 1u
#define XSD_PLUGIN_API_MINOR 0u
#define XSD_PLUGIN_API_VERSION ((XSD_PLUGIN_API_MAJOR << 16) | XSD_PLUGIN_API_MINOR)

/* One stream connection. The host's; valid from on_open until on_close returns. */
struct xsd_connection;

/* One datagram on its way to a plugin. The host's; valid until on_datagram returns. */
struct xsd_datagram;

/* One running service. The host's; valid from start until stop returns. */
struct xsd_service;

/* What is known of a connection or a datagram's path. All text is NUL-terminated, numeric, never NULL. Valid
 * as long as the connection (or the datagram). */
struct xsd_peer_info {
  uint32_t size;
  uint32_t api_version;
  uint64_t id;                /* of the connection, as in the log (there in hexadecimal); 0 for a datagram */
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

/* Log levels, as the daemon's. */
#define XSD_LOG_ERROR 0u
#define XSD_LOG_WARNING 1u
#define XSD_LOG_INFO 2u
#define XSD_LOG_DEBUG 3u

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
  const struct xsd_peer_info* (*peer_info)(struct xsd_connection* connection);

  /* Sends `length` bytes, all of them: what the kernel does not take now is copied and sent as room comes.
   * While anything is waiting to be sent, the host does not read from this connection (no on_data): a client
   * that does not read is not read from, and what waits is bounded by what one on_data causes to be written.
   * -ENOBUFS: with these bytes more than 1 MiB could wait; nothing was taken. -EPIPE: the sending direction
   * is closed. */
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

  const struct xsd_peer_info* (*datagram_info)(struct xsd_datagram* datagram);

  /* Answers to where the datagram came from, from the address that it was sent to. At most one reply a
   * datagram (-EALREADY). A reply for which there is no room is dropped, as the network would: still 0.
   * -EACCES: there must be no answer, because the datagram was sent to a group or broadcast address, or its
   * sender has no name or one that is not his own. (Datagrams of dangerous senders are not shown to plugins
   * at all.) */
  int (*reply)(struct xsd_datagram* datagram, const void* data, size_t length);
};

/* Callbacks. NULL where a plugin does not care; a plugin with no on_open/on_data/on_writable serves no
 * streams, one with no on_datagram no datagrams. */
struct xsd_plugin {
  uint32_t size;
  uint32_t api_version;

  /* [a-z0-9_-], at most 32 characters; what `plugin:` in a service file says. Static. */
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
};

/* The one symbol of a loadable plugin. The struct is static. */
typedef const struct xsd_plugin* (*xsd_plugin_entry)(void);

#define XSD_PLUGIN_HEADER(type) (uint32_t)sizeof(struct type), XSD_PLUGIN_API_VERSION

#if defined(XSD_PLUGIN_BUILTIN)
/* Compiled into the daemon: the accessor's name carries the plugin's, and it is listed in the host's table.
 */
#define XSD_PLUGIN_REGISTER(name, plugin)             \
  const struct xsd_plugin* xsd_builtin_##name(void);  \
  const struct xsd_plugin* xsd_builtin_##name(void) { \
    return &(plugin);                                 \
  }
#else
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
