// SPDX-License-Identifier: Apache-2.0
//
// Processes that a test starts: Process runs beside the test, run() waits for the end. Exit statuses are
// those of a shell: 128 + signal for a process that a signal ended. No process outlives the test program: the
// kernel kills it with us.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "tests/integration/harness/eventually.h"

namespace xsd::test {

struct StartOptions {
  std::vector<std::string> environment{};  ///< NAME=value: added to ours; "NAME=" alone makes it empty
  std::vector<std::string> unset{};        ///< names taken from ours
  std::function<void()>
      in_child{};  ///< runs in the child right before exec: limits, user, closed descriptors
  /// Names and descriptors, borrowed; the child has them from 3 on, and LISTEN_FDS, LISTEN_PID,
  /// LISTEN_FDNAMES say so (sd_listen_fds(3)).
  std::vector<std::pair<std::string, int>> listen{};
  std::filesystem::path input = "/dev/null";
  std::filesystem::path output = "/dev/null";
  std::filesystem::path error = "/dev/null";
  /// Runs under `strace` with these words (`-e`, `trace=accept4`, ...), from exec on, children included; see
  /// why_no_strace().
  std::vector<std::string> strace{};
  std::filesystem::path strace_output{};
};

/// Empty if strace works here, else why not: `if (auto why = why_no_strace(); !why.empty()) GTEST_SKIP() <<
/// why;`
std::string why_no_strace();

class Process {
 public:
  /// Throws std::runtime_error if it cannot be started (a program that cannot be executed ends with 127).
  explicit Process(const std::vector<std::string>& argv, const StartOptions& options = {});
  /// KILL if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Of the program itself, also under strace.
  pid_t pid() const noexcept { return pid_; }
  bool running();
  /// True if the signal could be sent.
  bool signal(int number);
  /// strace goes, the program goes on: what it injected is over.
  void end_tracing();
  /// Its exit status, or nothing if it still runs at the deadline.
  std::optional<int> wait(Milliseconds deadline = kDeadline);

 private:
  void start_strace(const StartOptions& options);

  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> status_;
  std::unique_ptr<Process> strace_;
};

struct RunResult {
  int status = -1;  ///< -1: it did not end in time
  std::string out;
  std::string err;
};

/// Runs to the end, or kills it at the deadline.
RunResult run(const std::vector<std::string>& argv, StartOptions options = {},
              Milliseconds deadline = kDeadline);

/// The daemon's binary with these arguments, to the end.
RunResult run_xsd(std::vector<std::string> arguments, StartOptions options = {},
                  Milliseconds deadline = kDeadline);

/// The daemon's binary; a program of tests/integration/programs.
std::string xsd_binary();
std::string program(std::string_view name);
/// Whether the daemon was built with sanitizers: it is slower then, and uses more memory.
bool is_sanitized();

}  // namespace xsd::test
