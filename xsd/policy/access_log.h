// SPDX-License-Identifier: Apache-2.0
//
// AccessLog: the text of records. One `start`, one `end` or one `refuse` for a connection, one line each,
// whatever was in it. Formatting only: the lines go where the log sends them.
//
//   text  echo: start conn=7f3a pid=812 from=192.0.2.7:40122
//         echo: end conn=7f3a pid=812 from=192.0.2.7:40122 exit=0 duration_ms=12
//         echo: refuse conn=7f3b from=192.0.2.7:40123 reason=instances
//         echo: end conn=7f3c pid=813 from=192.0.2.7:40124 signal=15 reason=timeout duration_ms=60000
//   JSON  {"ts":...,"event":"start","service":"echo","conn":"7f3a","from":...,"to":...,"pid":812}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "xsd/base/clock.h"
#include "xsd/net/address.h"
#include "xsd/policy/verdict.h"

namespace xsd::policy {

/// The connection's id as it is written everywhere: lower-case hexadecimal, no leading zeros.
class ConnectionId {
 public:
  explicit ConnectionId(std::uint64_t number) noexcept;
  std::string_view text() const noexcept { return {text_, length_}; }

 private:
  char text_[16];
  std::uint8_t length_;
};

/// What all records of a connection share. Addresses are unspecified where there are none (a `wait` server).
struct RecordSubject {
  std::string_view service;  ///< id
  std::uint64_t connection = 0;
  const net::SocketAddress* from = nullptr;
  const net::SocketAddress* to = nullptr;
  pid_t pid = 0;               ///< 0: no process
  std::string_view user = {};  ///< that the client's machine told (RFC 1413)
};

/// How it ended; of `exit`, `signal` and `error` at most one is set.
struct RecordOutcome {
  std::optional<int> exit = std::nullopt;
  std::optional<int> signal = std::nullopt;
  bool for_memory = false;  ///< the signal came from the kernel, for want of memory
  std::string_view error = {};
  std::optional<Reason> reason = std::nullopt;  ///< why it was ended before its time
  Duration duration{};
  bool counted = false;  ///< bytes_in and bytes_out are known
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::optional<Duration> cpu = std::nullopt;  ///< of a program
  std::uint64_t peak_kib = 0;                  ///< the most memory that it had at a time; 0: not known
};

/// Where and how lines are written.
struct RecordStyle {
  bool json = false;
  WallTime now{};
  /// Writes what stands before a text record (time, process); may be nullptr.
  void (*prefix)(std::string& out, WallTime now) = nullptr;
};

/// Each appends one line, or nothing if `fields` (config::LogFields of log_on_success, for refuse of
/// log_on_failure) does not ask for that record: a start needs pid, host or userid, an end exit, duration,
/// traffic or usage; an end with an error and a refuse any field.
void append_start(std::string& out, const RecordStyle& style, unsigned fields, const RecordSubject& subject);
void append_end(std::string& out, const RecordStyle& style, unsigned fields, const RecordSubject& subject,
                const RecordOutcome& outcome);
void append_refuse(std::string& out, const RecordStyle& style, unsigned fields, const RecordSubject& subject,
                   Reason reason);

}  // namespace xsd::policy
