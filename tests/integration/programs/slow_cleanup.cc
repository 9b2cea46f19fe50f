// SPDX-License-Identifier: Apache-2.0
//
// slow_cleanup FILE MILLISECONDS: says "pid N" and ends on TERM, as most programs do. A child of its own, in
// its process group, needs so long to clean up after TERM and then writes "cleaned up" to FILE.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <unistd.h>

namespace {

constexpr unsigned kLife = 120;

[[noreturn]] void clean_up_on_term(const sigset_t& term, const char* path, long milliseconds) {
  int number = 0;
  (void)sigwait(&term, &number);
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
  FILE* const file = std::fopen(path, "w");
  if (file != nullptr) {
    (void)std::fputs("cleaned up\n", file);
    (void)std::fclose(file);
  }
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 1;
  (void)alarm(kLife);
  sigset_t term;
  (void)sigemptyset(&term);
  (void)sigaddset(&term, SIGTERM);
  (void)sigprocmask(SIG_BLOCK, &term, nullptr);
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) clean_up_on_term(term, argv[1], std::atol(argv[2]));
  (void)sigprocmask(SIG_UNBLOCK, &term, nullptr);
  (void)std::printf("pid %d\n", getpid());
  (void)std::fflush(stdout);
  for (;;)
    (void)pause();
}
