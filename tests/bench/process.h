// SPDX-License-Identifier: Apache-2.0
//
// What the driver starts and ends: a server process (killed and waited for by its own pid when the owner
// goes), a temporary folder, and the socket on which a daemon says that it is ready. Everything waits with a
// deadline.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"

namespace bench {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// Milliseconds from now until `deadline`, at least 0, as poll(2) takes them.
int milliseconds_left(Deadline deadline);
/// Both swallow a signal; used only to let servers come to rest.
void pause_for(std::chrono::microseconds time);

struct Launch {
  std::vector<std::string> argv;
  std::vector<std::string> extra_environment;  // NAME=value, on top of the small one that all servers get
  std::string cgroup_procs;                    // the file that takes the process into its group; empty: none
  int cpu = -1;                                // the only processor to run on; -1: any
  std::string error_file;                      // where standard error goes; empty: to the driver's
  bool capture_output = false;
  int orphan_signal = SIGKILL;  // what it gets when the driver ends without ending it
};

class Process {
 public:
  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  /// Forks and executes; the soft limit of open files is 1024 as it is at a usual login.
  static xsd::Result<Process> start(const Launch& launch);

  pid_t pid() const { return pid_; }
  /// The captured standard output.
  int output() const { return output_.get(); }
  /// False once it has ended by itself.
  bool is_running();
  /// TERM, then KILL after `grace`; returns when it is gone.
  void stop(std::chrono::milliseconds grace);

 private:
  pid_t pid_ = -1;
  xsd::UniqueFd output_;
};

/// A folder under /tmp, readable by all (programs run as nobody), removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() = default;
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  ~TemporaryFolder();

  static xsd::Result<TemporaryFolder> create(bool keep);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  bool keep_ = false;
};

/// Removes what runs that were killed have left in `parent`: folders xsd-bench-PID-* of processes that are
/// gone.
void remove_stale(const std::filesystem::path& parent);

/// The far end of NOTIFY_SOCKET (sd_notify(3)).
class ReadySocket {
 public:
  static xsd::Result<ReadySocket> create(const std::filesystem::path& path);

  /// Waits for a message with READY=1. True if it came in time.
  bool wait_ready(Deadline deadline);
  /// Throws away what has come so far.
  void drain();

 private:
  xsd::UniqueFd fd_;
};

xsd::Status write_file(const std::filesystem::path& path, const std::string& text);
/// Writes beside it and renames, so that a reader sees the old or the new file.
xsd::Status replace_file(const std::filesystem::path& path, const std::string& text);
std::string read_file(const std::filesystem::path& path);
/// The end of a log, for a message about a server that failed.
std::string last_lines(const std::filesystem::path& path);

/// `count` ports free for TCP and UDP on 127.0.0.1, below the range that clients' own ports come from.
xsd::Result<std::vector<std::uint16_t>> free_ports(std::size_t count);

}  // namespace bench
