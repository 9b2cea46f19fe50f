// SPDX-License-Identifier: Apache-2.0
#include "started_world.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace xsd::process {

Pair::Pair(int flags) {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds), 0);
  ours = UniqueFd(fds[0]);
  theirs = UniqueFd(fds[1]);
  EXPECT_EQ(fcntl(ours.get(), F_SETFL, 0), 0);
}

ExecPlan world_plan(std::vector<std::string> arguments) {
  ExecPlan plan;
  plan.service = "world";
  plan.program = kShowWorld;
  plan.arguments = {kShowWorld};
  plan.arguments.insert(plan.arguments.end(), arguments.begin(), arguments.end());
  return plan;
}

config::ServiceDefinition world_definition() {
  config::ServiceDefinition definition;
  definition.id = "world";
  definition.service = "world";
  definition.kind = config::ServiceKind::Program;
  definition.server = kShowWorld;
  return definition;
}

SpawnRequest tcp_request(int socket) {
  SpawnRequest request;
  request.socket = socket;
  request.remote = *net::SocketAddress::parse("192.0.2.7", 40122);
  request.local = *net::SocketAddress::parse("192.0.2.1", 79);
  request.connection_id = "7f3a";
  return request;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = read(fd, buffer, sizeof buffer);
    if (size <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
  }
}

World parse_world(const std::string& text) {
  World world;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    const auto blank = line.find(' ');
    const std::string key = line.substr(0, blank);
    const std::string value = blank == std::string::npos ? std::string() : line.substr(blank + 1);
    if (key == "env") {
      world.environment.push_back(value);
    } else if (key == "arg") {
      world.arguments.push_back(value);
    } else if (key == "to") {
      world.rest += line + "\n";
    } else {
      world.values[key] = value;
    }
  }
  std::sort(world.environment.begin(), world.environment.end());
  return world;
}

int wait_for(const Spawned& child) {
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED) != 0) return -1000;
  EXPECT_EQ(info.si_pid, child.pid);
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

World run(Spawner& spawner, const ExecPlan& plan, Pair& pair, SpawnRequest request) {
  if (request.socket < 0) request.socket = pair.theirs.get();
  auto child = spawner.spawn(plan, request);
  pair.theirs.reset();
  if (!child) {
    ADD_FAILURE() << child.error().text(plan);
    return {};
  }
  World world = parse_world(read_all(pair.ours.get()));
  EXPECT_EQ(wait_for(*child), 0);
  EXPECT_EQ(world["pid"], std::to_string(child->pid));
  return world;
}

World run(Spawner& spawner, const ExecPlan& plan) {
  Pair pair;
  return run(spawner, plan, pair, tcp_request(-1));
}

bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::string our_descriptors() {
  std::string text;
  for (int fd = 0; fd < 20000; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0) continue;
    struct stat status {};
    (void)fstat(fd, &status);
    text += std::to_string(fd) + (flags == FD_CLOEXEC ? "c" : "") + ":" + std::to_string(status.st_ino) + " ";
  }
  return text;
}

TemporaryDirectory::TemporaryDirectory() {
  char name[] = "/tmp/xsd-process-XXXXXX";
  if (mkdtemp(name) == nullptr) {
    ADD_FAILURE() << "mkdtemp";
    return;
  }
  path_ = name;
  EXPECT_EQ(chmod(name, 0777), 0);  // NOLINT: programs under other users write here
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::write(const std::string& name, const std::string& content,
                                      mode_t mode) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(chmod(path.c_str(), mode), 0);
  return path;
}

void finish_other_process(pid_t pid) {
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "status " << status << "; see what it printed";
}

}  // namespace xsd::process
