// SPDX-License-Identifier: Apache-2.0
#include "logd/frame_splitter.h"

#include <algorithm>

namespace logd {
namespace {

constexpr std::size_t kMostDigits = 8;

struct Beginning {
  enum class Kind : std::uint8_t { Line, Counted, Undecided } kind;
  std::size_t header;  // bytes before the record
  std::size_t count;
};

Beginning look_at(std::string_view text) noexcept {
  using Kind = Beginning::Kind;
  std::size_t digits = 0;
  std::size_t count = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (digits == kMostDigits || text[0] == '0') return {Kind::Line, 0, 0};
    count = count * 10 + static_cast<std::size_t>(text[digits] - '0');
    ++digits;
  }
  const std::string_view rest = text.substr(digits);
  if (rest.empty()) return {Kind::Undecided, 0, 0};
  if (digits == 0 || rest[0] != ' ') return {Kind::Line, 0, 0};
  if (rest.size() == 1) return {Kind::Undecided, 0, 0};
  if (rest[1] != '<') return {Kind::Line, 0, 0};
  return {Kind::Counted, digits + 1, count};
}

}  // namespace

void FrameSplitter::feed(std::string_view data, const Sink& sink) {
  while (!data.empty()) {
    switch (state_) {
      case State::Start:
        data = begin(data);
        break;
      case State::Line:
        data = take_line(data, sink);
        break;
      case State::Counted:
        data = take_counted(data, sink);
        break;
    }
  }
}

void FrameSplitter::end(const Sink& sink) {
  if (state_ == State::Counted) {
    give_counted(held_, true, sink);
  } else {
    give_line(held_, sink);
  }
}

/// Decides on the framing; returns what follows the header. A header that is not whole yet is held.
std::string_view FrameSplitter::begin(std::string_view data) {
  const std::size_t held = held_.size();
  held_ += data.substr(0, kMostDigits + 2 - std::min(held, kMostDigits + 2));
  const Beginning found = look_at(held_);
  if (found.kind == Beginning::Kind::Undecided) return {};
  held_.resize(held);
  if (found.kind == Beginning::Kind::Line) {
    state_ = State::Line;
    return data;
  }
  state_ = State::Counted;
  remaining_ = found.count;
  held_.clear();
  return data.substr(found.header - held);
}

std::string_view FrameSplitter::take_line(std::string_view data, const Sink& sink) {
  const std::size_t end = data.find('\n');
  const std::string_view part = data.substr(0, end);
  if (end == std::string_view::npos) {
    hold(part, longest_ + 1);  // one more: it may be the CR, which does not count
    return {};
  }
  if (held_.empty()) {
    give_line(part, sink);
  } else {
    hold(part, longest_ + 1);
    give_line(held_, sink);
  }
  return data.substr(end + 1);
}

std::string_view FrameSplitter::take_counted(std::string_view data, const Sink& sink) {
  const std::string_view part = data.substr(0, remaining_);
  remaining_ -= part.size();
  if (remaining_ > 0) {
    hold(part, longest_);
    return {};
  }
  if (held_.empty() && !overflowed_) {
    give_counted(part, false, sink);
  } else {
    hold(part, longest_);
    give_counted(held_, false, sink);
  }
  return data.substr(part.size());
}

void FrameSplitter::hold(std::string_view data, std::size_t most) {
  const std::size_t room = most - std::min(held_.size(), most);
  if (data.size() > room) overflowed_ = true;
  held_ += data.substr(0, room);
}

void FrameSplitter::give_line(std::string_view line, const Sink& sink) {
  if (!overflowed_ && line.ends_with('\r')) line.remove_suffix(1);
  const bool cut = overflowed_ || line.size() > longest_;
  if (!line.empty()) sink({line.substr(0, longest_), cut});
  reset();
}

void FrameSplitter::give_counted(std::string_view bytes, bool cut, const Sink& sink) {
  cut = cut || overflowed_ || bytes.size() > longest_;
  sink({bytes.substr(0, longest_), cut});
  reset();
}

void FrameSplitter::reset() noexcept {
  state_ = State::Start;
  overflowed_ = false;
  held_ = std::string();  // an idle connection holds no buffer
}

}  // namespace logd
