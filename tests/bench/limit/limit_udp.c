// SPDX-License-Identifier: Apache-2.0
//
// Reference for UDP echo: recvfrom, sendto, in one blocking loop, any datagram whole.
#include "limit.h"

int main(void) {
  static char buffer[65536];
  const int fd = limit_listen(SOCK_DGRAM, 0);
  limit_ready(fd);
  for (;;) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    const ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr*)&peer, &size);
    if (got < 0) {
      if (errno == EINTR || errno == ECONNREFUSED) continue;
      limit_fail("recvfrom");
    }
    (void)sendto(fd, buffer, (size_t)got, 0, (const struct sockaddr*)&peer, size);  // datagrams may be lost
  }
}
