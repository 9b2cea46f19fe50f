// SPDX-License-Identifier: Apache-2.0
//
// Reference for TCP echo, short connections and streams: one thread, level-triggered epoll, non-blocking
// sockets, one receive buffer for all. What a peer does not take at once is kept aside until it does.
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "limit.h"

enum { kBufferSize = 64 * 1024, kEvents = 64, kAcceptBudget = 64 };

// What is still to be sent to a peer that reads slowly; indexed by descriptor.
struct Pending {
  char* data;
  size_t size;
  size_t sent;
};

static struct Pending* pending_of;
static size_t pending_count;
static int poller;
static char buffer[kBufferSize];

static void watch(int operation, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poller, operation, fd, &event) != 0) limit_fail("epoll_ctl");
}

static void finish(int fd) {
  free(pending_of[fd].data);
  pending_of[fd] = (struct Pending){0};
  close(fd);  // the only reference, so it leaves the poller as well
}

static void accept_batch(int listener) {
  for (int i = 0; i < kAcceptBudget; ++i) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      limit_fail("accept4");
    }
    if ((size_t)fd >= pending_count) {
      close(fd);
      continue;
    }
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

static void keep(int fd, const char* rest, size_t size) {
  char* copy = malloc(size);
  if (copy == NULL) limit_fail("malloc");
  memcpy(copy, rest, size);
  pending_of[fd] = (struct Pending){.data = copy, .size = size, .sent = 0};
  watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void echo(int fd) {
  const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) finish(fd);
    return;
  }
  const ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    finish(fd);
    return;
  }
  const size_t done = sent < 0 ? 0 : (size_t)sent;
  if (done < (size_t)got) keep(fd, buffer + done, (size_t)got - done);
}

static void flush(int fd) {
  struct Pending* pending = &pending_of[fd];
  const ssize_t sent = send(fd, pending->data + pending->sent, pending->size - pending->sent, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) finish(fd);
    return;
  }
  pending->sent += (size_t)sent;
  if (pending->sent < pending->size) return;
  free(pending->data);
  *pending = (struct Pending){0};
  watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

int main(void) {
  limit_raise_files();
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) limit_fail("getrlimit");
  pending_count = files.rlim_cur < 65536 ? (size_t)files.rlim_cur : 65536;
  pending_of = calloc(pending_count, sizeof *pending_of);
  if (pending_of == NULL) limit_fail("calloc");

  const int listener = limit_listen(SOCK_STREAM, SOCK_NONBLOCK);
  // Accepted sockets inherit it on Linux. Without it, streams wait for delayed acknowledgements.
  const int on = 1;
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) limit_fail("TCP_NODELAY");
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) limit_fail("epoll_create1");
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  limit_ready(listener);

  for (;;) {
    struct epoll_event events[kEvents];
    const int count = epoll_wait(poller, events, kEvents, -1);
    if (count < 0 && errno != EINTR) limit_fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        accept_batch(listener);
      } else if (pending_of[fd].data != NULL) {
        flush(fd);
      } else {
        echo(fd);
      }
    }
  }
}
