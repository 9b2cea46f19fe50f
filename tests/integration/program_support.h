// SPDX-License-Identifier: Apache-2.0
//
// What the tests of programs share: the world that a program found, the records of its connections, and
// clients of unix sockets that are no streams.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {

/// What show_world and wait_world say: "key value" lines, arguments and environment apart.
struct World {
  std::map<std::string, std::string> values;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;

  /// Empty if it was not said.
  std::string operator[](const std::string& key) const;
};

World parse_world(std::string_view text);
/// The world of a program started for a connection to that port.
World ask_world(std::uint16_t port, const ClientOptions& options = {});

/// The fields of a text record: "service", "event", and each KEY=VALUE (without quotes).
using Record = std::map<std::string, std::string>;
/// The records of that event ("start", "end", "refuse") of a service in the daemon's text log.
std::vector<Record> records(const Daemon& daemon, std::string_view service, std::string_view event);
/// Waits until there are `count` of them, and gives them.
std::vector<Record> wait_records(const Daemon& daemon, std::string_view service, std::string_view event,
                                 std::size_t count, Milliseconds deadline = kDeadline);

/// How many descriptors the daemon has open once it has handled all that came before.
std::size_t settled_fd_count(Daemon& daemon);

/// N of "pid N", 0 if it is not that.
pid_t pid_of(std::string_view line);

/// A FIFO that programs/hold waits for, open until release().
class Barrier {
 public:
  explicit Barrier(const std::filesystem::path& path);
  ~Barrier() { release(); }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  const std::string& path() const noexcept { return path_; }
  void release();

 private:
  std::string path_;
  int fd_ = -1;
};

/// A client of a unix socket of the type SOCK_DGRAM (with an address of its own, so that it can be answered)
/// or SOCK_SEQPACKET.
class UnixClient {
 public:
  UnixClient(int type, const std::string& path);
  ~UnixClient();
  UnixClient(const UnixClient&) = delete;
  UnixClient& operator=(const UnixClient&) = delete;
  bool connected() const noexcept { return connected_; }
  bool send(std::string_view text);
  /// One datagram or packet; empty at the end or the deadline.
  std::string receive(Milliseconds deadline = kDeadline);

 private:
  int fd_ = -1;
  bool connected_ = false;
};

/// Empty if any user can execute this file, else why not: tests of a daemon that is not root skip then.
std::string why_not_for_all(const std::filesystem::path& file);

/// For StartOptions::in_child; they end the process if they fail.
void become_user(uid_t uid);
void drop_capability(int number);

/// A service file for a program on these endpoints, as the user that runs the test unless `more` names one.
std::string program_on(std::string_view name, const std::vector<std::string>& endpoints,
                       const std::vector<std::string>& argv, std::string_view more = "");

/// A copy of a program, which may then be removed or changed.
std::string copy_program(const TempFolder& folder, std::string_view name, std::string_view as);

}  // namespace xsd::test
