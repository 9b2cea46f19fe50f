// SPDX-License-Identifier: Apache-2.0
//
// FrameSplitter: finds the records in a stream of syslog (RFC 6587). One for each connection. It holds at
// most one record that has begun; what it gives out does not depend on how the stream is cut.
//
// Each record may be framed in either way; how it begins tells:
//   octet-counted   LENGTH, a space, '<', where LENGTH has up to eight digits and does not begin with 0
//   a line          anything else, up to LF (not part of it, nor a CR before it) or the end of the stream.
//                   Empty lines are no records.
// A record that is longer than the limit is cut: its beginning is given out, marked so, and the rest thrown
// away. The same goes for a counted one that the stream ends in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace logd {

class FrameSplitter {
 public:
  struct Frame {
    std::string_view bytes;  // valid until the sink returns
    bool cut;
  };
  using Sink = std::function<void(const Frame&)>;

  explicit FrameSplitter(std::size_t longest) noexcept : longest_(longest) {}

  void feed(std::string_view data, const Sink& sink);
  /// The stream has ended.
  void end(const Sink& sink);
  /// Bytes held of a record that has begun.
  std::size_t held() const noexcept { return held_.size(); }

 private:
  enum class State : std::uint8_t { Start, Line, Counted };

  std::string_view begin(std::string_view data);
  std::string_view take_line(std::string_view data, const Sink& sink);
  std::string_view take_counted(std::string_view data, const Sink& sink);
  void hold(std::string_view data, std::size_t most);
  void give_line(std::string_view line, const Sink& sink);
  void give_counted(std::string_view bytes, bool cut, const Sink& sink);
  void reset() noexcept;

  const std::size_t longest_;
  State state_ = State::Start;
  bool overflowed_ = false;    // more came than is held
  std::size_t remaining_ = 0;  // of a counted record
  std::string held_;
};

}  // namespace logd
