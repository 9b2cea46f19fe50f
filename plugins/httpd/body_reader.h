// SPDX-License-Identifier: Apache-2.0
//
// BodyReader: finds the body of a request in the bytes that follow its head: by length, or in chunks (RFC
// 9112 7.1). It keeps no bytes; what it says does not depend on how they were cut. Extensions of chunks and
// trailers are passed over, within limits.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpd {

inline constexpr std::size_t kMaxChunkLine = 256;  ///< with its extensions
inline constexpr std::size_t kMaxTrailers = 4096;  ///< in bytes

class BodyReader {
 public:
  enum class Result : std::uint8_t { More, Complete, Failed };

  BodyReader() = default;
  static BodyReader of_length(std::uint64_t length) noexcept;
  /// More than `most` bytes in all fail with 413.
  static BodyReader of_chunks(std::uint64_t most) noexcept;

  /// Takes bytes off the front of `input`, at most up to the end of the body; `piece` is the part of the body
  /// that was among them (may be empty). To be called until the input is empty or the result is not More.
  Result feed(std::string_view& input, std::string_view& piece) noexcept;
  bool complete() const noexcept { return state_ == State::Done; }
  unsigned error_status() const noexcept { return error_status_; }

 private:
  enum class State : std::uint8_t {
    Length,
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,      ///< at the beginning of a line
    TrailerText,  ///< within one
    TrailerLf,
    EndLf,
    Done,
    Failed
  };

  void step(char c) noexcept;
  void step_in_size(char c) noexcept;
  void step_in_trailers(char c) noexcept;
  void end_size() noexcept;
  void expect(char c, char expected, State next) noexcept;
  void fail(unsigned status) noexcept;

  State state_ = State::Done;
  unsigned error_status_ = 0;
  std::uint64_t left_ = 0;  ///< of the body, or of this chunk
  std::uint64_t most_ = 0;  ///< that chunks to come may have
  std::size_t line_bytes_ = 0;
  std::size_t digits_ = 0;
};

}  // namespace httpd
