// SPDX-License-Identifier: Apache-2.0
//
// What the reference programs share. A reference is the least that a correct single-threaded server can do
// for an operation; `xsd_bench` states what xsd costs as a multiple of it. They listen on a free port of
// 127.0.0.1 and print "port N" once they do; they live until they are killed.
#ifndef XSD_TESTS_BENCH_LIMIT_H
#define XSD_TESTS_BENCH_LIMIT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBacklog = 4096 };

_Noreturn static inline void limit_fail(const char* step) {
  fprintf(stderr, "reference: %s: %s\n", step, strerror(errno));
  exit(1);
}

/// A bound (and for SOCK_STREAM listening) socket on 127.0.0.1; `flags` as for socket(2).
static inline int limit_listen(int type, int flags) {
  const int fd = socket(AF_INET, type | flags | SOCK_CLOEXEC, 0);
  if (fd < 0) limit_fail("socket");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0) limit_fail("bind");
  if (type == SOCK_STREAM && listen(fd, kBacklog) != 0) limit_fail("listen");
  return fd;
}

/// Says that clients may come.
static inline void limit_ready(int fd) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr*)&address, &size) != 0) limit_fail("getsockname");
  printf("port %u\n", (unsigned)ntohs(address.sin_port));
  fflush(stdout);
}

/// Raises the soft limit of open files to the hard one; returns what it was before.
static inline struct rlimit limit_raise_files(void) {
  struct rlimit before;
  if (getrlimit(RLIMIT_NOFILE, &before) != 0) limit_fail("getrlimit");
  const struct rlimit raised = {.rlim_cur = before.rlim_max, .rlim_max = before.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &raised) != 0) limit_fail("setrlimit");
  return before;
}

#endif
