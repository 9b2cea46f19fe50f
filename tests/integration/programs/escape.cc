// SPDX-License-Identifier: Apache-2.0
//
// escape FILE stay|leave [COUNT]: has COUNT descendants (one unless it is said) that get away: each forked
// twice, in a session of its own, without the connection, and ignoring TERM. Their pids are written to FILE,
// one a line. Then it says "pid N" and stays until TERM, or ends. Nobody lives longer than two minutes.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr unsigned kLife = 120;

[[noreturn]] void stay() {
  alarm(kLife);
  for (;;)
    pause();
}

void escape(int gate) {
  if (fork() != 0) return;
  (void)setsid();
  if (fork() != 0) _exit(0);
  (void)setsid();
  (void)std::signal(SIGTERM, SIG_IGN);
  const pid_t own = getpid();
  const bool told = write(gate, &own, sizeof own) == sizeof own;
  for (int fd = 0; fd < 64; ++fd)
    (void)close(fd);
  if (!told) _exit(1);
  stay();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 1;
  const int count = argc > 3 ? std::atoi(argv[3]) : 1;
  int gate[2];
  FILE* const file = std::fopen(argv[1], "w");
  if (file == nullptr || pipe(gate) != 0) return 1;
  for (int i = 0; i < count; ++i)
    escape(gate[1]);
  for (int i = 0; i < count; ++i) {
    pid_t pid = 0;
    if (read(gate[0], &pid, sizeof pid) != sizeof pid) return 1;
    (void)std::fprintf(file, "%d\n", pid);
  }
  (void)std::fclose(file);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  (void)std::printf("pid %d\n", getpid());
  (void)std::fflush(stdout);
  if (std::strcmp(argv[2], "stay") == 0) stay();
  return 0;
}
