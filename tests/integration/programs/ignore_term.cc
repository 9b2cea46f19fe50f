// SPDX-License-Identifier: Apache-2.0
//
// ignore_term [FILE]: ignores TERM, says "pid N" and stays, whatever its client does, for two minutes at
// most. With FILE a child of its own, which ignores TERM too, stays beside it; its pid is written there.
#include <csignal>
#include <cstdio>

#include <unistd.h>

namespace {

constexpr unsigned kLife = 120;

[[noreturn]] void stay() {
  alarm(kLife);
  for (;;)
    pause();
}

}  // namespace

int main(int argc, char** argv) {
  (void)std::signal(SIGTERM, SIG_IGN);
  (void)std::signal(SIGPIPE, SIG_IGN);  // as a `wait` server it has nobody to say it to
  if (argc > 1) {
    const pid_t child = fork();
    if (child == 0) stay();
    FILE* const file = std::fopen(argv[1], "w");
    if (file != nullptr) {
      (void)std::fprintf(file, "%d\n", child);
      (void)std::fclose(file);
    }
  }
  (void)std::printf("pid %d\n", getpid());
  (void)std::fflush(stdout);
  stay();
}
