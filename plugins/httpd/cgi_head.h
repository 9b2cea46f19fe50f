// SPDX-License-Identifier: Apache-2.0
//
// CgiHead: the head of what a program prints (RFC 3875 6), byte by byte; lines end with LF or CR LF. It owns
// the text. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http_text.h"

namespace httpd {

inline constexpr std::size_t kMaxCgiHead = 16384;  ///< with all line ends

class CgiHead {
 public:
  enum class Result : std::uint8_t { More, Complete, Failed };

  /// Takes bytes off the front of `input`: all of them, or up to the end of the head. Failed: malformed, too
  /// long, or without any of Content-Type, Location and Status.
  Result feed(std::string_view& input);

  // Of a complete head:
  unsigned status() const noexcept { return status_; }
  std::string_view phrase() const noexcept { return phrase_; }
  /// To be sent on: not Status, and nothing that is the server's to say (length, coding, connection, date).
  const std::vector<Field>& fields() const noexcept { return fields_; }
  /// The path on this server that is to be answered instead (RFC 3875 6.2.2); empty if there is none.
  std::string_view local_redirect() const noexcept { return local_redirect_; }

 private:
  Result take_line(std::string_view line);
  Result complete();
  bool read_status(std::string_view value);

  std::string text_;
  std::size_t line_ = 0;  ///< where the line that is being read begins
  bool done_ = false;
  bool failed_ = false;
  struct Place {
    std::size_t name, name_length, value, value_length;
  };
  std::vector<Place> places_;
  std::vector<Field> fields_;
  unsigned status_ = 200;
  std::string_view phrase_;
  std::string_view local_redirect_;
};

}  // namespace httpd
