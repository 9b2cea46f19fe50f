// SPDX-License-Identifier: Apache-2.0
//
// spoil_socket HOW: a `wait` server that serves one client as wait_world does ("pid N" to a connection,
// "pid N: " and its own text to a datagram) and leaves its socket in a state that others must get it out of:
//   shutdown   shut down in both directions
//   connect    a datagram socket connected to its last client
//   errors     an IPv4 datagram socket that collects errors (IP_RECVERR), with some in its queue
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int kErrors = 3;

sockaddr_storage peer{};
socklen_t peer_length = sizeof peer;

bool serve_one(const std::string& pid) {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  auto* const from = reinterpret_cast<sockaddr*>(&peer);
  if (type != SOCK_DGRAM) {
    const int client = accept(0, nullptr, nullptr);
    return client >= 0 && send(client, (pid + "\n").data(), pid.size() + 1, MSG_NOSIGNAL) > 0;
  }
  char buffer[65536];
  const ssize_t count = recvfrom(0, buffer, sizeof buffer, 0, from, &peer_length);
  if (count < 0) return false;
  const std::string reply = pid + ": " + std::string(buffer, static_cast<std::size_t>(count));
  return sendto(0, reply.data(), reply.size(), 0, from, peer_length) >= 0;
}

void collect_errors() {
  const int on = 1;
  (void)setsockopt(0, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  // Nobody is there: a port that was bound, and is not any more.
  const int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in nobody{};
  nobody.sin_family = AF_INET;
  nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof nobody;
  (void)bind(other, reinterpret_cast<const sockaddr*>(&nobody), length);
  (void)getsockname(other, reinterpret_cast<sockaddr*>(&nobody), &length);
  close(other);
  for (int i = 0; i < kErrors; ++i)
    (void)sendto(0, "x", 1, 0, reinterpret_cast<const sockaddr*>(&nobody), length);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  if (!serve_one("pid " + std::to_string(getpid()))) return 1;
  if (how == "shutdown") (void)shutdown(0, SHUT_RDWR);  // says ENOTCONN to a datagram socket, and does it
  if (how == "connect") (void)connect(0, reinterpret_cast<const sockaddr*>(&peer), peer_length);
  if (how == "errors") collect_errors();
  return 0;
}
