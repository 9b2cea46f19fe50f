// SPDX-License-Identifier: Apache-2.0
//
// RequestParser: the head of a request (RFC 9112), byte by byte. It owns the text it has taken, knows no
// connection, and what it says does not depend on how the bytes were cut.
//
//   Start ─ Method ─ Target ─ Version ─ LineLf ─┐      ┌───────────────────────────┐
//     └ StartLf (an empty line before it)       └─ FieldStart ─ Name ─ BeforeValue ─ Value ─ ValueLf
//                                                  └ EndLf ─ Done
//
// It is strict where leniency lets two servers read one message differently (request smuggling): lines end in
// CR LF and nowhere else, no field goes on in a second line, no blank stands before a colon, the length of
// the body is said once and in one way. A request that fails is answered with `error_status`, and the
// connection ends, since nobody knows where the next one begins.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http_text.h"

namespace httpd {

inline constexpr std::size_t kMaxRequestLine = 8192;  ///< with its end, and empty lines before it
inline constexpr std::size_t kMaxFieldBytes = 16384;  ///< all field lines with their ends
inline constexpr std::size_t kMaxFields = 64;
inline constexpr std::size_t kMaxMethod = 32;

enum class Method : std::uint8_t {
  Get,
  Head,
  Post,
  Options,
  Other,   ///< of RFC 9110 and PATCH, not served here
  Unknown  ///< something else
};

/// A complete head. The views are those of the parser, valid until its reset.
struct Request {
  Method method = Method::Unknown;
  std::string_view method_text;
  std::string_view target;
  unsigned minor = 0;  ///< of HTTP/1.x
  std::span<const Field> fields;
  std::string_view host;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = false;  ///< what the client wants
  bool expect_continue = false;

  bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
  /// The first field of this name; nullptr if there is none.
  const Field* find(std::string_view name) const noexcept;
};

class RequestParser {
 public:
  enum class Result : std::uint8_t { More, Complete, Failed };

  /// Takes bytes off the front of `input`: all of them, or up to the end of the head.
  Result feed(std::string_view& input);
  const Request& request() const noexcept { return request_; }
  unsigned error_status() const noexcept { return error_status_; }
  /// Whether anything has been taken since the last reset.
  bool started() const noexcept { return line_bytes_ > 0; }
  /// Whether more than empty lines has been taken.
  bool has_request() const noexcept { return !text_.empty(); }
  /// For the next request. Gives memory back that most requests do not need.
  void reset() noexcept;
  std::size_t memory() const noexcept;

 private:
  enum class State : std::uint8_t {
    Start,
    StartLf,
    Method,
    Target,
    Version,
    LineLf,
    FieldStart,
    Name,
    BeforeValue,
    Value,
    ValueLf,
    EndLf,
    Done,
    Failed
  };
  /// Places in text_, which moves while it grows.
  struct FieldPlace {
    std::uint16_t name;
    std::uint16_t name_length;
    std::uint16_t value;
    std::uint16_t value_length;
  };

  void step(std::string_view& input);
  void step_in_line(std::string_view& input);
  void step_in_fields(std::string_view& input);
  /// Takes `count` bytes, against the limit of the part that we are in, and keeps them if `keep`.
  bool take(std::string_view& input, std::size_t count, bool keep);
  /// Takes one byte if it is `expected`; else the request is malformed.
  void take_mark(std::string_view& input, char expected, State next);
  void take_version(std::string_view& input);
  void end_value();
  void complete();
  bool read_framing();
  bool read_transfer_coding(std::string_view list);
  bool read_host();
  void read_connection() noexcept;
  void fail(unsigned status) noexcept;
  std::string_view text(std::size_t from, std::size_t length) const noexcept {
    return std::string_view(text_).substr(from, length);
  }

  State state_ = State::Start;
  unsigned error_status_ = 0;
  std::size_t line_bytes_ = 0;
  std::size_t field_bytes_ = 0;
  std::size_t method_length_ = 0;
  std::size_t target_length_ = 0;
  std::size_t version_length_ = 0;
  char version_[8] = {};
  std::string text_;  ///< method, target, names and values, one after the other
  std::vector<FieldPlace> places_;
  std::vector<Field> fields_;
  Request request_;
};

}  // namespace httpd
