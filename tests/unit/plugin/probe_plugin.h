/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe: a plugin in C that writes down its callbacks and does what the bytes say that it is sent. The
 * first byte of what arrives (on a stream of one on_data, or of a datagram) is the command, the rest its
 * argument.
 *   streams     w  write it                          f  write it, finish
 *               c  write it, close, try to go on     v  want_writable
 *               b  write BIG bytes and two more      k  write BIG bytes that differ by place, close
 *               d  discard_input                     p  write the peer's information
 *               l  log it                            o  write it to every other connection, close those
 *   datagrams   a  reply with it                     t  reply with it twice
 *               p  reply with the datagram's information
 */
#ifndef XSD_TESTS_PROBE_PLUGIN_H
#define XSD_TESTS_PROBE_PLUGIN_H

#include "xsd/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PROBE_BIG = 1024 * 1024, PROBE_MOST = 64 };
#define PROBE_BYTE(place) (((place)*7 + (place) / 251) & 0x7f)

struct probe {
  char record[65536];  /* "start open data:5 end close:0 stop ", and "write=-32" for results worth noting */
  const char* on_open; /* what on_open does: a command as above, NULL for nothing */
  int open_result;     /* of on_open */
  int start_result;    /* of start */
  int finish_on_end;   /* whether on_end calls finish */
  int writable_calls;  /* want_writable is switched off after so many, if on_open asked for it */
  const struct xsd_host* host;
  struct xsd_service* service;
  struct xsd_connection* connections[PROBE_MOST];
};
extern struct probe probe;

const struct xsd_plugin* xsd_builtin_probe(void);

#ifdef __cplusplus
}
#endif

#endif
