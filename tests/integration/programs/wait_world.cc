// SPDX-License-Identifier: Apache-2.0
//
// wait_world FILE: what a `wait` server finds when it is started, one "key value" a line, appended to FILE in
// one write. Then it serves one client: "pid N" to a connection, "pid N: " and its own text to a datagram.
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr int kHighestFd = 20000;

std::string world;

void say(const std::string& key, const std::string& value) {
  world.append(key).append(1, ' ').append(value).append(1, '\n');
}

int socket_option(int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(0, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

void say_descriptors() {
  std::string open;
  std::string blocking;
  for (int fd = 0; fd < kHighestFd; ++fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0) continue;
    open += (open.empty() ? "" : " ") + std::to_string(fd);
    if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0)
      blocking += (blocking.empty() ? "" : " ") + std::to_string(fd);
    say("inode" + std::to_string(fd), std::to_string(status.st_ino));
  }
  say("fds", open);
  say("blocking", blocking);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string pid = "pid " + std::to_string(getpid());
  const int type = socket_option(SO_TYPE);
  say_descriptors();
  say("type", std::to_string(type));
  say("listening", std::to_string(socket_option(SO_ACCEPTCONN)));
  say("pid", std::to_string(getpid()));
  say("pgid", std::to_string(getpgrp()));
  say("sid", std::to_string(getsid(0)));
  for (char** variable = environ; *variable != nullptr; ++variable)
    say("env", *variable);
  const int file = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (file < 0 || write(file, world.data(), world.size()) < 0) return 1;

  if (type != SOCK_DGRAM) {
    const int client = accept(0, nullptr, nullptr);
    return client >= 0 && send(client, (pid + "\n").data(), pid.size() + 1, MSG_NOSIGNAL) > 0 ? 0 : 1;
  }
  char buffer[65536];
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  const ssize_t count = recvfrom(0, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (count < 0) return 1;
  const std::string reply = pid + ": " + std::string(buffer, static_cast<std::size_t>(count));
  (void)sendto(0, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
  return 0;
}
