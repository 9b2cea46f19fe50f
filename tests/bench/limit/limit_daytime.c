// SPDX-License-Identifier: Apache-2.0
//
// Reference for TCP daytime: accept, write the line, close, in one blocking loop. Nothing is cheaper.
#include <time.h>

#include "limit.h"

int main(void) {
  const int listener = limit_listen(SOCK_STREAM, 0);
  limit_ready(listener);
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      limit_fail("accept4");
    }
    const time_t now = time(NULL);
    struct tm parts;
    char line[64];
    const size_t size = strftime(line, sizeof line, "%a %b %e %H:%M:%S %Y\r\n", localtime_r(&now, &parts));
    (void)send(fd, line, size, MSG_NOSIGNAL);  // a peer that went away gets nothing
    close(fd);
  }
}
