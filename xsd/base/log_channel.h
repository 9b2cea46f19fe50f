// SPDX-License-Identifier: Apache-2.0
//
// Lines on their way from the process that made them to the one that writes them, by a SOCK_SEQPACKET pair.
// One message is
//
//     u8 level | u32 process id of the sender | u16 length | name of an outlet | whole lines, each ended by
//     '\n'
//
// and has at most kMaxLogMessage bytes. The name is empty where the lines are for the log itself; whose
// records are to go elsewhere is up to the sender, so one that is not trusted may write to any outlet that
// there is. ChannelTarget is the sending end, LineReceiver the receiving one, which does not trust what it
// gets: a sender may be a process that runs somebody's plugin.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/base/log_target.h"

namespace xsd::log {

inline constexpr std::size_t kMaxLogMessage = std::size_t{32} * 1024;

/// Lines of one sender and level, for the outlet of that name (log_outlet.h); an empty one is the log itself.
using LineTaker =
    std::function<void(std::string_view outlet, pid_t sender, Level level, std::string_view lines)>;

/// What the receiver does not take now waits here; when that is full, lines are dropped and counted. A line
/// that is longer than a message is dropped.
class ChannelTarget final : public LogTarget {
 public:
  static constexpr std::size_t kMaxBacklog = 65536;

  explicit ChannelTarget(UniqueFd fd) : fd_(raise_fd(std::move(fd))) {}

  void write_from(pid_t sender, Level level, std::string_view lines) noexcept override {
    write_to({}, sender, level, lines);
  }
  void write_to(std::string_view outlet, pid_t sender, Level level, std::string_view lines) noexcept;
  bool flush() noexcept override;
  /// Messages that went.
  std::uint64_t sent() const noexcept { return sent_; }
  /// What waits goes to `take`, in order.
  void empty_into(const LineTaker& take) noexcept;
  void put_parts(std::string& out) const override;
  int descriptor() const noexcept override { return fd_.get(); }

 private:
  struct Kind {
    std::string_view outlet;
    pid_t sender;
    Level level;
  };
  struct Portion {
    std::string outlet;
    pid_t sender;
    Level level;
    std::string lines;
    Kind kind() const noexcept { return {outlet, sender, level}; }
  };
  bool send(const Kind& kind, std::string_view lines) noexcept;
  void keep(const Kind& kind, std::string_view lines, int number) noexcept;

  UniqueFd fd_;
  std::deque<Portion> backlog_;
  std::size_t backlog_size_ = 0;
  std::uint64_t sent_ = 0;
};

class LineReceiver {
 public:
  enum class State : std::uint8_t {
    More,    ///< `most` messages were read
    Empty,   ///< there are no more now
    Failed,  ///< for want of memory: worth another try later
    Ended,   ///< the sender is gone
  };

  LineReceiver();
  /// Reads at most `most` messages from `fd`, without waiting, and hands over what is in them.
  State receive(int fd, int most, const LineTaker& take) noexcept;
  /// Messages that came, whatever was in them, since the last call.
  std::uint64_t take_count() noexcept { return std::exchange(count_, 0); }
  /// Lines, or messages, since the last call that made no sense and were left out.
  std::uint64_t take_bad() noexcept { return std::exchange(bad_, 0); }

 private:
  /// Hands over what was collected.
  void hand_over(const LineTaker& take);
  /// Collects them, those that are not plain lines left out.
  void add_plain(std::string_view lines) noexcept;

  std::string outlet_;
  pid_t sender_ = 0;
  Level level_ = Level::Info;
  std::vector<char> buffer_;  ///< lines of several messages of the same kind
  std::size_t size_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t bad_ = 0;
};

}  // namespace xsd::log
