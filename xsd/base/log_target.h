// SPDX-License-Identifier: Apache-2.0
//
// LogTarget: where finished log lines go: the standard error or a file (StreamTarget), a receiver of
// datagrams (datagram_target.h), another process that writes them (log_channel.h). None of them ever blocks:
// a receiver that does not take a line now gets it later (a bounded backlog), then lines are dropped,
// counted, and told of when it takes lines again. A disk that is full or broken costs the lines, not the
// service.
//
// A target that was opened by one process can be written to by another: `put_parts` says what it is, its
// descriptor goes along, and `restore_target` makes the same of the two.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "xsd/base/clock.h"
#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/base/wire.h"

namespace xsd::log {

enum class Level : std::uint8_t { Error, Warning, Info, Debug };

/// LOG_ERR and so on, syslog(3).
int severity(Level level) noexcept;

class LogTarget {
 public:
  virtual ~LogTarget() = default;
  /// Whole lines, each ended by '\n', all of one level.
  void write(Level level, std::string_view lines) noexcept;
  /// The same, of another process.
  virtual void write_from(pid_t sender, Level level, std::string_view lines) noexcept = 0;
  /// Tries to send what is waiting. False if something still waits.
  virtual bool flush() noexcept { return true; }
  /// Lines lost since the last call; `number` of the errno behind it.
  std::uint64_t take_dropped(int& number) noexcept;
  /// Lines that were lost before they came here.
  void add_dropped(std::uint64_t count, int number) noexcept;

  /// For `restore_target` in another process.
  virtual void put_parts(std::string& out) const = 0;
  /// What goes along, borrowed; -1 if there is none.
  virtual int descriptor() const noexcept = 0;

 protected:
  void drop_lines(std::string_view lines, int number) noexcept;

 private:
  std::uint64_t dropped_ = 0;
  int dropped_errno_ = 0;
};

/// A descriptor that is written to directly.
class StreamTarget final : public LogTarget {
 public:
  static constexpr std::size_t kMaxBacklog = 65536;

  /// Our own open file description of descriptor `fd`, so that making it non-blocking touches nobody else's
  /// (a terminal, a pipe shared with the parent); a socket is written to with MSG_DONTWAIT. Where there is no
  /// such description to be had (a terminal of another user that is not ours to control, no /proc) a write is
  /// interrupted after a millisecond, and the next one waits for a while.
  static Result<std::unique_ptr<LogTarget>> attach(int fd);
  /// The same for the standard error where it is a stream of the journal's (JOURNAL_STREAM of
  /// systemd.exec(5)): each line begins with its level then (sd-daemon(3)). Lines that are sent by themselves
  /// would not be known as the service's if they are its last.
  static Result<std::unique_ptr<LogTarget>> attach_journal(int fd);
  /// Appends to `path`, made with mode 0640. A FIFO must have a reader.
  static Result<std::unique_ptr<LogTarget>> open_file(const std::string& path);

  /// How it is written to.
  enum class Kind : std::uint8_t { NonBlocking, Socket, Journal, Interrupted };
  StreamTarget(UniqueFd fd, Kind kind) : fd_(std::move(fd)), kind_(kind) {}

  void write_from(pid_t sender, Level level, std::string_view lines) noexcept override;
  bool flush() noexcept override;
  void put_parts(std::string& out) const override;
  int descriptor() const noexcept override { return fd_.get(); }

 private:
  void write_lines(std::string_view lines) noexcept;
  /// Bytes taken, 0 if none could be, then errno says why.
  std::size_t write_some(std::string_view bytes) noexcept;
  ssize_t write_interrupted(std::string_view bytes) noexcept;

  UniqueFd fd_;
  Kind kind_;
  std::string backlog_;  ///< begins in the middle of a line if the last write was cut there
  bool backlog_cut_ = false;
  MonotonicTime not_before_{};  ///< of Kind::Interrupted, after a write that would have blocked
};

/// Swallows everything: what is left when there is not even a standard error.
class NullTarget final : public LogTarget {
 public:
  void write_from(pid_t /*sender*/, Level /*level*/, std::string_view /*lines*/) noexcept override {}
  void put_parts(std::string& out) const override;
  int descriptor() const noexcept override { return -1; }
};

/// What `put_parts` begins with.
enum class TargetParts : std::uint8_t { Null, Stream, Datagram };

/// The target that another process described, with its descriptor.
Result<std::unique_ptr<LogTarget>> restore_target(WireReader& parts, UniqueFd fd);

}  // namespace xsd::log
