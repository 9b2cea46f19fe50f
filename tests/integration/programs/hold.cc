// SPDX-License-Identifier: Apache-2.0
//
// hold FIFO [STATUS]: opens FIFO for reading, says "pid N" on descriptor 1, and ends with STATUS once nobody
// has FIFO open for writing any more: a barrier for as many processes as one likes. Two minutes at most.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace {

constexpr unsigned kLife = 120;
constexpr int kNoFifo = 99;

}  // namespace

int main(int argc, char** argv) {
  (void)alarm(kLife);
  (void)std::signal(SIGPIPE, SIG_IGN);  // as a `wait` server it has nobody to say it to
  const int fifo = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
  if (fifo < 0) return kNoFifo;
  (void)std::printf("pid %d\n", getpid());
  (void)std::fflush(stdout);
  char byte = 0;
  while (read(fifo, &byte, 1) > 0) {
  }
  return argc > 2 ? std::atoi(argv[2]) : 0;
}
