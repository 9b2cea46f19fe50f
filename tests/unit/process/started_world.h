// SPDX-License-Identifier: Apache-2.0
//
// For the tests of this layer: plans for show_world, socket pairs to start it with, and what it printed, read
// back.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "xsd/base/unique_fd.h"
#include "xsd/process/exec_plan.h"
#include "xsd/process/spawner.h"

namespace xsd::process {

inline constexpr const char* kShowWorld = XSD_SHOW_WORLD;
inline constexpr uid_t kNobody = 65534;

/// What show_world printed. A key that is not there is empty.
struct World {
  std::map<std::string, std::string> values;
  std::vector<std::string> environment;  ///< sorted
  std::vector<std::string> arguments;
  std::string rest;  ///< lines that are not show_world's
  std::string operator[](const std::string& key) const {
    const auto found = values.find(key);
    return found == values.end() ? std::string() : found->second;
  }
};

/// Two connected stream sockets; `theirs` is what the child gets.
struct Pair {
  UniqueFd ours;
  UniqueFd theirs;
  explicit Pair(int flags = 0);
};

/// A plan with no environment that keeps our ids.
ExecPlan world_plan(std::vector<std::string> arguments = {});

/// The definition of a service that runs show_world, for make_exec_plan.
config::ServiceDefinition world_definition();

/// tcp 192.0.2.7:40122 -> 192.0.2.1:79
SpawnRequest tcp_request(int socket);

/// Everything up to the end of `fd`.
std::string read_all(int fd);
World parse_world(const std::string& text);
/// Waits for the child; its exit status, or minus the signal.
int wait_for(const Spawned& child);

/// Starts the plan on `pair.theirs` (closed then) or on `request.socket` if that is set, and reads to the
/// end. Fails the test if it cannot be started or does not end with 0.
World run(Spawner& spawner, const ExecPlan& plan, Pair& pair, SpawnRequest request);
World run(Spawner& spawner, const ExecPlan& plan);

/// True if we have a child, alive or not.
bool has_children();

/// Our open descriptors, as text.
std::string our_descriptors();

/// A directory that goes away with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const noexcept { return path_; }
  std::string write(const std::string& name, const std::string& content, mode_t mode) const;

 private:
  std::string path_;
};

/// Runs `body` in a forked process, where it may change ids, limits, filters or signals; the failures of its
/// assertions are printed there and fail the test here.
template <class Body>
void in_other_process(Body body);

void finish_other_process(pid_t pid);

}  // namespace xsd::process

template <class Body>
void xsd::process::in_other_process(Body body) {
  std::fflush(nullptr);  // or both would print what waits
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    body();
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  finish_other_process(pid);
}
