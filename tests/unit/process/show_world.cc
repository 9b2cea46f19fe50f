// SPDX-License-Identifier: Apache-2.0
//
// show_world: what a program finds when it is started, one "key value" a line on descriptor 1. If the first
// argument is "wait", it ends when descriptor 0 does. "mark PATH" makes a file: proof that the program ran.
#include <cstdio>
#include <cstring>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr int kHighestFd = 20000;

std::string world;

void say(const char* key, const std::string& value) {
  world.append(key).append(1, ' ').append(value).append(1, '\n');
}

void say_descriptors() {
  std::string open;
  std::string blocking;
  for (int fd = 0; fd < kHighestFd; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    open += (open.empty() ? "" : " ") + std::to_string(fd);
    if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0)
      blocking += (blocking.empty() ? "" : " ") + std::to_string(fd);
    struct stat status {};
    if (fstat(fd, &status) == 0) say(("inode" + std::to_string(fd)).c_str(), std::to_string(status.st_ino));
  }
  say("fds", open);
  say("blocking", blocking);
}

void say_ids() {
  uid_t uid[3];
  gid_t gid[3];
  (void)getresuid(&uid[0], &uid[1], &uid[2]);
  (void)getresgid(&gid[0], &gid[1], &gid[2]);
  say("uids", std::to_string(uid[0]) + " " + std::to_string(uid[1]) + " " + std::to_string(uid[2]));
  say("gids", std::to_string(gid[0]) + " " + std::to_string(gid[1]) + " " + std::to_string(gid[2]));
  gid_t groups[64];
  const int count = getgroups(64, groups);
  std::string text;
  for (int i = 0; i < count; ++i)
    text += (i == 0 ? "" : " ") + std::to_string(groups[i]);
  say("groups", text);
  say("pid", std::to_string(getpid()));
  say("pgid", std::to_string(getpgrp()));
  say("sid", std::to_string(getsid(0)));
}

void say_limit(const char* key, __rlimit_resource_t resource) {
  rlimit limit{};
  (void)getrlimit(resource, &limit);
  say(key, std::to_string(limit.rlim_cur) + ":" + std::to_string(limit.rlim_max));
}

void say_signals() {
  sigset_t mask;
  (void)sigprocmask(SIG_SETMASK, nullptr, &mask);
  std::string blocked;
  std::string not_default;
  for (int number = 1; number < _NSIG; ++number) {
    if (sigismember(&mask, number) == 1) blocked += std::to_string(number) + " ";
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_DFL) {
      not_default += std::to_string(number) + " ";
    }
  }
  say("blocked", blocked);
  say("dispositions", not_default);
}

/// The kernel's view, with the signals that the library hides. Absent in a chroot.
void say_status() {
  FILE* const status = fopen("/proc/self/status", "re");
  if (status == nullptr) return;
  char line[512];
  while (fgets(line, sizeof line, status) != nullptr) {
    for (const char* key : {"NoNewPrivs", "SigBlk", "SigIgn"}) {
      if (strncmp(line, key, strlen(key)) != 0) continue;
      std::string value = strchr(line, ':') + 2;
      value.pop_back();
      say(key, value);
    }
  }
  fclose(status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "mark") == 0) {
    return open(argv[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0 ? 1 : 0;
  }
  say_descriptors();
  say_ids();
  say_limit("nofile", RLIMIT_NOFILE);
  say_limit("core", RLIMIT_CORE);
  say_limit("fsize", RLIMIT_FSIZE);
  say_signals();
  say_status();
  const mode_t mask = umask(0);
  char octal[16];
  snprintf(octal, sizeof octal, "%03o", mask);
  say("umask", octal);
  say("nice", std::to_string(getpriority(PRIO_PROCESS, 0)));
  char directory[4096];
  say("cwd", getcwd(directory, sizeof directory) == nullptr ? "?" : directory);
  for (int i = 0; i < argc; ++i)
    say("arg", argv[i]);
  for (char** variable = environ; *variable != nullptr; ++variable)
    say("env", *variable);
  for (const char* rest = world.c_str(); *rest != '\0';) {
    const ssize_t size = write(1, rest, strlen(rest));
    if (size <= 0) return 1;
    rest += size;
  }
  if (argc > 1 && strcmp(argv[1], "stderr") == 0 && write(2, "to stderr\n", 10) != 10) return 1;
  if (argc > 1 && strcmp(argv[1], "wait") == 0) {
    (void)shutdown(1, SHUT_WR);
    char byte = 0;
    while (read(0, &byte, 1) > 0) {
    }
  }
  return 0;
}
