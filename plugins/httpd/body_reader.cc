// SPDX-License-Identifier: Apache-2.0
#include "body_reader.h"

#include <algorithm>

#include "http_text.h"

namespace httpd {
namespace {

// Of a size; enough for any that fits 64 bits, and leading zeros do not go on for ever.
constexpr std::size_t kMaxSizeDigits = 16;

}  // namespace

BodyReader BodyReader::of_length(std::uint64_t length) noexcept {
  BodyReader reader;
  reader.left_ = length;
  reader.state_ = length > 0 ? State::Length : State::Done;
  return reader;
}

BodyReader BodyReader::of_chunks(std::uint64_t most) noexcept {
  BodyReader reader;
  reader.most_ = most;
  reader.state_ = State::Size;
  return reader;
}

void BodyReader::fail(unsigned status) noexcept {
  state_ = State::Failed;
  error_status_ = status;
}

void BodyReader::expect(char c, char expected, State next) noexcept {
  if (c != expected) return fail(400);
  state_ = next;
}

BodyReader::Result BodyReader::feed(std::string_view& input, std::string_view& piece) noexcept {
  piece = {};
  while (!input.empty() && state_ < State::Done) {
    if (state_ == State::Length || state_ == State::Data) {
      piece = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), left_)));
      input.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = state_ == State::Length ? State::Done : State::DataCr;
      break;
    }
    step(input.front());
    if (state_ != State::Failed) input.remove_prefix(1);
  }
  if (state_ == State::Done) return Result::Complete;
  return state_ == State::Failed ? Result::Failed : Result::More;
}

void BodyReader::step(char c) noexcept {
  switch (state_) {
    case State::Size:
    case State::Extension:
      return step_in_size(c);
    case State::SizeLf:
      expect(c, '\n', State::Data);
      if (state_ == State::Data) end_size();
      return;
    case State::DataCr:
      return expect(c, '\r', State::DataLf);
    case State::DataLf:
      line_bytes_ = digits_ = 0;
      return expect(c, '\n', State::Size);
    default:
      return step_in_trailers(c);
  }
}

void BodyReader::step_in_size(char c) noexcept {
  if (++line_bytes_ > kMaxChunkLine) return fail(400);
  const int digit = state_ == State::Size ? hex_digit(c) : -1;
  if (digit >= 0) {
    if (++digits_ > kMaxSizeDigits) return fail(400);
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
    return;
  }
  if (digits_ == 0) return fail(400);
  if (c == '\r') {
    state_ = State::SizeLf;
  } else if (state_ == State::Extension ? is_in(kValue, c) : c == ';' || c == ' ' || c == '\t') {
    state_ = State::Extension;
  } else {
    fail(400);
  }
}

void BodyReader::end_size() noexcept {
  if (left_ > most_) return fail(413);
  most_ -= left_;
  if (left_ > 0) return;
  state_ = State::Trailer;
  line_bytes_ = 0;
}

void BodyReader::step_in_trailers(char c) noexcept {
  if (++line_bytes_ > kMaxTrailers) return fail(431);
  switch (state_) {
    case State::Trailer:
      if (c == '\r') {
        state_ = State::EndLf;
      } else if (is_in(kToken, c)) {
        state_ = State::TrailerText;
      } else {
        fail(400);
      }
      return;
    case State::TrailerText:
      if (c == '\r') {
        state_ = State::TrailerLf;
      } else if (!is_in(kValue, c)) {
        fail(400);
      }
      return;
    case State::TrailerLf:
      return expect(c, '\n', State::Trailer);
    default:
      return expect(c, '\n', State::Done);  // EndLf
  }
}

}  // namespace httpd
