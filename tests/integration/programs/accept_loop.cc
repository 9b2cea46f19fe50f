// SPDX-License-Identifier: Apache-2.0
//
// accept_loop [IDLE_MS]: a `wait` server. It says "pid N" to everybody who connects to the socket on
// descriptor 0, or answers each datagram with "pid N: " and what was in it. Ends when nobody came for so long
// (default: a minute), or by TERM.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int kDefaultIdle = 60000;

void answer_datagram(const std::string& pid) {
  char buffer[65536];
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  const ssize_t count =
      recvfrom(0, buffer, sizeof buffer, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
  if (count < 0) return;
  const std::string reply = pid + ": " + std::string(buffer, static_cast<std::size_t>(count));
  (void)sendto(0, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
}

void answer_connection(const std::string& pid) {
  const int client = accept(0, nullptr, nullptr);
  if (client < 0) return;
  (void)send(client, (pid + "\n").data(), pid.size() + 1, MSG_NOSIGNAL);
  close(client);
}

}  // namespace

int main(int argc, char** argv) {
  const int idle = argc > 1 ? std::atoi(argv[1]) : kDefaultIdle;
  const std::string pid = "pid " + std::to_string(getpid());
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return 1;
  for (;;) {
    pollfd ready{0, POLLIN, 0};
    if (poll(&ready, 1, idle) <= 0) return 0;
    if (type == SOCK_DGRAM) {
      answer_datagram(pid);
    } else {
      answer_connection(pid);
    }
  }
}
