// SPDX-License-Identifier: Apache-2.0
//
// Daemon: the real xsd, started by a test in the foreground with a log file of its own and its standard error
// kept. Readiness and the end of a reload are known by the NOTIFY_SOCKET protocol. When it goes, a daemon
// that still runs gets QUIT and then KILL; a daemon that died by itself, and sanitizer output on its standard
// error, fail the test. If the test has failed, the end of the log is printed.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/process.h"
#include "tests/integration/harness/temp_folder.h"

namespace xsd::test {

/// Descriptors by their names, of which several may have the same.
using Store = std::multimap<std::string, int>;

struct DaemonOptions {
  std::filesystem::path config{};  ///< main file or folder; empty: `conf.d` in the test's folder
  std::string config_option = "--config";
  std::vector<std::string> arguments{};  ///< more options
  bool log_to_file = true;  ///< false: the configuration or `arguments` say where the log goes; log() then
                            ///< reads the standard error
  bool wait_ready = true;   ///< wait for READY=1 in the constructor (a failure if it does not come)
  StartOptions start{};     ///< environment, in_child, strace
  /// What its service manager keeps. Taken over from an earlier daemon.
  Store store{};
  std::size_t store_size = 64;  ///< as FileDescriptorStoreMax=; tests that want a store set FDSTORE, too
};

class Daemon {
 public:
  /// Files it makes in `folder`: xsd.log, xsd.pid, stdout, stderr, notify (socket), strace (if traced).
  explicit Daemon(const TempFolder& folder, DaemonOptions options = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  pid_t pid() const noexcept { return process_->pid(); }
  bool running() { return process_->running(); }
  bool signal(int number) { return process_->signal(number); }

  bool wait_ready(Milliseconds deadline = kDeadline);
  /// HUP, then waits until that reload is over; its summary line (`reload: started 1, ...`), or the line that
  /// says it was rejected. Call it when no reload is under way.
  std::string hup_and_wait(Milliseconds deadline = kDeadline);
  /// The same for a reload that comes by itself (`watch: true`): waits for the next RELOADING=1 .. READY=1.
  /// Empty if none comes.
  std::string wait_reload(Milliseconds deadline = kDeadline);
  /// Waits for a notification that contains `part`, e.g. "STOPPING=1".
  bool wait_notification(std::string_view part, Milliseconds deadline = kDeadline);
  /// All datagrams so far.
  const std::vector<std::string>& notifications();

  /// TERM and its exit status; -1 if it does not end in time.
  int stop(Milliseconds deadline = kDeadline);
  /// Waits for its end without a signal. A test that calls this (or stop) expects the daemon to end.
  std::optional<int> wait_exit(Milliseconds deadline = kDeadline);

  std::string log() const;
  std::string error_output() const;
  /// Lines of the log that contain `part`.
  std::vector<std::string> log_lines(std::string_view part) const;
  /// Waits until the log has `count` lines that contain `part`.
  bool wait_log(std::string_view part, std::size_t count = 1, Milliseconds deadline = kDeadline) const;
  /// Sends USR1 and waits for the dump; its lines that contain `part` ("state: echo:").
  std::vector<std::string> state(std::string_view part = "state:");

  /// The descriptors that it has left with its service manager so far, by their names.
  const Store& store();
  /// The same, for the next daemon.
  Store take_store();

  void end_tracing() { process_->end_tracing(); }
  const std::filesystem::path& strace_file() const noexcept { return strace_file_; }
  std::string strace_text() const { return read_file(strace_file_); }

 private:
  void make_notify_socket();
  /// Reads one datagram; false at the deadline or when the daemon has ended.
  bool receive_notification(SteadyTime end);
  /// What systemd does with FDSTORE and FDSTOREREMOVE: whoever has no room says nothing of it, an open file
  /// is kept once, and a name that is not there is no fault.
  void keep_or_forget(const std::string& notification, int fd);
  std::string last_reload_line() const;
  std::size_t count_reload_lines() const;

  std::filesystem::path folder_;
  std::filesystem::path log_file_;
  std::filesystem::path strace_file_;
  int notify_ = -1;
  std::vector<std::string> notifications_;
  Store store_;
  std::size_t store_size_;
  std::unique_ptr<Process> process_;
  std::size_t reload_lines_ = 0;  ///< in the log, when it was looked for one last
  bool end_expected_ = false;
};

/// What strace is told to see all that is read.
std::vector<std::string> trace_reads();
/// Fails the test if the daemon itself has read this text of a client's, or nobody has. After end_tracing().
void expect_not_read_by_master(const Daemon& daemon, std::string_view text);

/// Fails the test if a sanitizer spoke in this text.
void expect_no_sanitizer_report(std::string_view text);

}  // namespace xsd::test
